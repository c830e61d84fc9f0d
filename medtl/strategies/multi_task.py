"""Multi-task: one trunk learns several questions at once, each with outputs of its own; for sources to be reused."""

from dataclasses import dataclass
from typing import ClassVar

from medtl.strategies import common
from medtl.strategies.descends import KEEPS, Descends, all_stages
from medtl.vocabulary import Card, Cohort, NewHead, Outline, Plan, Source, task_of


@dataclass(frozen=True)
class MultiTask(Descends):
    card: ClassVar[Card] = Card(
        id="multi-task",
        title="Learn several questions at once",
        says="One network adapts to several kinds of images together; each case only teaches the outputs of its own "
        "question. Meant for making a source that keeps general features.",
        reference="Caruana 1997, Machine Learning 28:41-75 (multitask learning); Wortsman et al. 2021, "
        "arXiv:2109.01903 (mixing the source back in)",
        limits="Classes must say their question before a colon ('blood cell: basophil'). The questions must be of "
        "use to each other: for one question alone, adapting the whole network to it is the better way.",
    )
    family = "more"
    epochs: int = common.epochs(6)
    earlier_slower: float = common.earlier_slower()
    blend: float = common.blend(0.5)
    augmentation: str = common.augment("strong")
    class_weights: str = common.imbalance(common.BALANCED)
    patience: int = common.patience(3)

    def plan(self, outline: Outline, classes: int) -> Plan:
        return (
            NewHead(f"Put new outputs on the source, one for each of your {classes} classes."),
            self.fit_head(),
            self.train(
                f"Then let {all_stages(outline)} adapt, up to {self.epochs} epochs, early stages slower; a case only "
                f"teaches the outputs of its own question; {KEEPS}",
                common.slower(outline, self.rate, self.earlier_slower),
                by_task=True,
            ),
            *common.blend_back(self.blend),
            self.fit_head(),
        )

    def why_not(self, source: Source, cohort: Cohort) -> str | None:
        tasks = [task_of(label) for label in cohort.classes]
        if len(set(tasks)) < 2 or any(tasks.count(task) < 2 for task in tasks):
            return "It needs at least two questions of two classes each, named like 'blood cell: basophil'."
        return None
