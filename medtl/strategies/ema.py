"""A running mean of the weights: what is judged and kept is the average of the last steps, not the last step."""

from dataclasses import dataclass
from typing import ClassVar

from medtl.strategies import common
from medtl.strategies.descends import KEEPS, Descends, all_stages
from medtl.strategies.strategy import setting
from medtl.vocabulary import Card, Outline, Plan


@dataclass(frozen=True)
class Ema(Descends):
    card: ClassVar[Card] = Card(
        id="ema",
        title="Adapt, keep the running average",
        says="Adapts the whole network from the fitted last layer, and keeps an average over the last steps instead "
        "of the last one, which is steadier.",
        reference="Tarvainen and Valpola 2017, arXiv:1703.01780 (averaging weights); Izmailov et al. 2018, "
        "arXiv:1803.05407 (why averages generalise)",
        limits="A long memory lags behind when a cohort is so small that training takes few steps.",
    )
    family = "adapts"
    memory: float = setting(
        0.98, "Memory", "0.98 averages over about the last 50 steps, 0.9 over 10.", low=0.8, high=0.9999
    )
    earlier_slower: float = common.earlier_slower()

    def plan(self, outline: Outline, classes: int) -> Plan:
        step = self.train(
            f"Then let {all_stages(outline)} adapt, up to {self.epochs} epochs, early stages slower, and keep a "
            f"running average of the weights; {KEEPS}",
            common.slower(outline, self.rate, self.earlier_slower),
            ema=self.memory,
        )
        return self.probe_then(classes, step)
