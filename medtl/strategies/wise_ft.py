"""WiSE-FT: on the way from the fitted head on the source to the adapted network, the best point for the tune part."""

from dataclasses import dataclass
from typing import ClassVar

from medtl.strategies import common
from medtl.strategies.descends import KEEPS, Descends, all_stages
from medtl.vocabulary import Blend, Card, Outline, Plan

SHARES = tuple(tenth / 10 for tenth in range(11))


@dataclass(frozen=True)
class WiseFt(Descends):
    card: ClassVar[Card] = Card(
        id="wise-ft",
        title="Adapt, then mix with the source",
        says="Adapts the whole network from the fitted last layer, then mixes what was learned with what the source "
        "knew; the mixture that answers the tuning part best is kept.",
        reference="Wortsman et al. 2021, arXiv:2109.01903 (WiSE-FT)",
        limits="The mixture is chosen on the tuning part: with a few dozen cases there the choice is half chance. "
        "Meant for images that will differ from yours; the test part here cannot show that.",
    )
    family = "adapts"
    earlier_slower: float = common.earlier_slower()

    def plan(self, outline: Outline, classes: int) -> Plan:
        step = self.train(
            f"Then let {all_stages(outline)} adapt, up to {self.epochs} epochs, early stages slower; {KEEPS}",
            common.slower(outline, self.rate, self.earlier_slower),
        )
        mix = Blend(
            "Mix what was learned with the source, in steps of a tenth; keep the mixture that answers the tuning part "
            "best.",
            shares=SHARES,
        )
        return (*self.probe_then(classes, step), mix)
