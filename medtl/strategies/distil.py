"""Distillation: a small network learns to answer as a finished run of the same cohort does."""

from dataclasses import dataclass
from typing import ClassVar

from medtl.strategies import common
from medtl.strategies.descends import KEEPS, Descends, all_stages
from medtl.strategies.strategy import setting
from medtl.vocabulary import Card, Outline, Plan


@dataclass(frozen=True)
class Distil(Descends):
    card: ClassVar[Card] = Card(
        id="distil",
        title="Teach a small network",
        says="Lets this source's network learn from the answers of a finished run as well as from your labels: a large "
        "one can teach a small one that is quick enough to be used elsewhere.",
        reference="Hinton et al. 2015, arXiv:1503.02531",
        limits="The pupil is seldom better than its teacher and takes over its errors. Meant for a small network to be "
        "exported; for the best result here, use the teacher itself.",
    )
    family = "more"
    asks = ("teacher",)
    teach: float = setting(
        0.7,
        "How much the teacher counts",
        "Its share of the lesson; the rest are your labels.",
        low=0.05,
        high=1.0,
    )
    temperature: float = setting(
        4.0, "How softly it is heard", "Higher: the less likely classes of its answers count more.", low=1.0, high=8.0
    )
    rate: float = common.rate(3e-4)
    epochs: int = common.epochs(20)

    def plan(self, outline: Outline, classes: int) -> Plan:
        step = self.train(
            f"Then let {all_stages(outline)} learn to answer as the teacher does, up to {self.epochs} epochs; {KEEPS}",
            common.alike(outline, self.rate),
            teach=self.teach,
            temperature=self.temperature,
        )
        return self.probe_then(classes, step)
