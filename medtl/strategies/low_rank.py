"""Low-rank additions (LoRA) to convolutions and linear layers; merged into the weights at the end."""

from dataclasses import dataclass
from typing import ClassVar

from medtl.strategies import common
from medtl.strategies.descends import KEEPS, Descends
from medtl.strategies.strategy import setting
from medtl.vocabulary import Card, Cohort, Outline, Plan, Source


@dataclass(frozen=True)
class LowRank(Descends):
    card: ClassVar[Card] = Card(
        id="low-rank",
        title="Adapt by small additions",
        says="Starts from the fitted last layer, then learns a small addition to each wide layer instead of changing "
        "the layer: it can move in a few directions only, so less is forgotten.",
        reference="Hu et al. 2021, arXiv:2106.09685 (LoRA)",
        limits="Found for transformers; on convolutional networks adapting everything is often as good. Thin layers "
        "are left alone. Needs little memory, but hardly less time.",
    )
    family = "adapts"
    # More than 8 would give the thinnest layers that take an addition (16 wide) more values than they have.
    rank: int = setting(8, "Rank", "In how many directions each layer can move.", low=1, high=8, unit="directions")
    rate: float = common.rate(5e-4)

    def plan(self, outline: Outline, classes: int) -> Plan:
        step = self.train(
            f"Then learn an addition of rank {self.rank} to each wide layer of all stages, with the last layer, up to "
            f"{self.epochs} epochs, and add it to the weights; {KEEPS}",
            common.alike(outline, self.rate),
            what="low-rank",
            rank=self.rank,
        )
        return self.probe_then(classes, step)

    def why_not(self, source: Source, cohort: Cohort) -> str | None:
        if all(stage.low_rank == 0 for stage in source.outline.stages):
            return "All layers of this network are too thin for an addition."
        return None
