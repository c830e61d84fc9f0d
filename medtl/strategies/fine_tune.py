"""Full fine-tuning: the fitted head first, then everything moves, early layers slower."""

from dataclasses import dataclass
from typing import ClassVar

from medtl.strategies import common
from medtl.strategies.descends import KEEPS, Descends, all_stages
from medtl.vocabulary import Card, Outline, Plan


@dataclass(frozen=True)
class FineTune(Descends):
    card: ClassVar[Card] = Card(
        id="fine-tune",
        title="Adapt the whole network",
        says="Starts from the fitted last layer, then lets every layer adapt to your images, early layers slower. "
        "Pays off with a few hundred cases or more; wants a GPU, or patience.",
        reference="Kumar et al. 2022, arXiv:2202.10054 (head first, then all); Howard and Ruder 2018, "
        "arXiv:1801.06146 section 3.2 (smaller rates for earlier layers); Wortsman et al. 2021, arXiv:2109.01903 "
        "(mixing the source back in)",
        limits="Can forget what the source knew, and can learn shortcuts; on small cohorts it is often no better than "
        "training only the last layer. The tuning part decides when to stop, and keeps the fitted head alone if "
        "nothing improves on it.",
    )
    family = "adapts"
    earlier_slower: float = common.earlier_slower()
    blend: float = common.blend(0.0)

    def plan(self, outline: Outline, classes: int) -> Plan:
        return (
            *self.probe_then(
                classes,
                self.train(
                    f"Then let {all_stages(outline)} adapt, up to {self.epochs} epochs, early stages slower; {KEEPS}",
                    common.slower(outline, self.rate, self.earlier_slower),
                ),
            ),
            *common.blend_back(self.blend),
            *([self.fit_head()] if self.blend else []),
        )
