"""Which strategies are for which kind of labels: one a case, grades in order, several findings. Knows steps."""

from dataclasses import replace

from medtl.strategies.strategy import Strategy
from medtl.vocabulary import Cohort, Plan, PseudoLabel, Solve, Source, Task, Train

# Heads that answer by likeness to cases of one class each: not yet for several findings or grades.
ONE_LABEL_RULES = ("class-means", "neighbours", "examples")


def why_not(strategy: Strategy, source: Source, cohort: Cohort) -> str | None:
    """Why a strategy cannot be used here: a step of its plan that is not for this kind of labels, or what it says
    itself."""
    if cohort.task == "single-label":
        return strategy.why_not(source, cohort)
    beyond = _beyond(strategy.plan(source.outline, len(cohort.classes)), cohort.task)
    return beyond or strategy.why_not(source, cohort)


def weighing(plan: Plan, tasks: bool) -> Plan:
    """The plan with the weights of several findings learned along where it trains."""
    return tuple(replace(step, weigh_tasks=True) if tasks and isinstance(step, Train) else step for step in plan)


def _beyond(plan: Plan, task: Task) -> str | None:
    kind = "several findings an image" if task == "multi-label" else "grades in order"
    for step in plan:
        if isinstance(step, Solve) and step.rule in ONE_LABEL_RULES:
            return f"It needs one label an image from classes without an order; this cohort has {kind}."
        if isinstance(step, PseudoLabel):
            return f"Unlabelled images can only be given one label each so far; this cohort has {kind}."
        if isinstance(step, Train) and step.by_task:
            return f"It learns several questions of one label each; this cohort has {kind}."
    return None
