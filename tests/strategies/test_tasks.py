"""Every strategy of the shelf with several findings and with grades: it learns them, or says that it cannot."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from medtl import strategies
from medtl.strategies import STRATEGIES, make, settings_of
from medtl.training import meaning
from medtl.training.inference import Eye, head_scores
from medtl.vocabulary import Blend, Cohort, Solve, Task, Train
from tests import builders
from tests.builders import CPU, KINDS, Heard, engine, several_examples, source

# As quick as can be: what is learned well is asked in tests/training/test_objectives.py.
SMALL = {"epochs": 2, "rate": 1e-2, "batch": 24, "augmentation": "none", "hidden": 16, "freeze": 1}
TASKS: tuple[Task, ...] = ("multi-label", "ordinal")
NOT_YET = {"class-means", "neighbours", "examples", "multi-task", "pseudo-labels"}


def cohort(task: Task) -> Cohort:
    made = builders.cohort(classes=("a", "b", "c"))
    cases = (
        tuple(dataclasses.replace(c, labels={c.label: 1}) for c in made.cases) if task == "multi-label" else made.cases
    )
    return dataclasses.replace(made, task=task, positive=None, cases=cases)


def small(id: str) -> Any:
    have = {s.name for s in settings_of(STRATEGIES[id])}
    return make(id, {name: value for name, value in SMALL.items() if name in have})


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("id", STRATEGIES.ids)
def test_it_is_offered_or_says_why_not(id: str, task: Task) -> None:
    network = KINDS["image"][0]()
    why = strategies.why_not(small(id), source(network.outline()), cohort(task))
    assert (why is not None) == (id in NOT_YET)
    assert why is None or why.endswith(".")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("id", [id for id in STRATEGIES.ids if id not in NOT_YET])
def test_what_is_offered_answers_with_a_score_a_class(id: str, task: Task, kind: str) -> None:
    build, spec = KINDS[kind]
    network, examples, heard = build(), several_examples(task, spec), Heard()
    if task == "multi-label":
        examples = dataclasses.replace(examples, policies=("multi-class", "smoothed", "ignore"))
    if STRATEGIES[id].asks:
        k = examples.classes
        examples = dataclasses.replace(examples, teacher=np.full((len(examples.labels), k), 1 / k))
    plan = strategies.weighing(small(id).plan(network.outline(), examples.classes), tasks=task == "multi-label")
    assert any(isinstance(step, (Solve, Train, Blend)) for step in plan)
    fitted = engine(examples, spec, heard).carry_out(network, plan)
    features = Eye(fitted.network, spec, CPU).features(examples.inputs.take, np.arange(len(examples.labels)))
    scores = head_scores(fitted.network.head, features, task)
    assert scores.shape == (len(examples.labels), examples.classes)
    assert np.isfinite(scores).all() and scores.min() >= 0 and scores.max() <= 1
    last = [value for name, value in fitted.network.head.state_dict().items() if name.endswith("bias")][-1]
    assert len(last) == meaning.width(task, examples.classes)


def test_one_label_a_case_is_told_nothing_new() -> None:
    network = KINDS["image"][0]()
    made = builders.cohort()
    for id in STRATEGIES.ids:
        assert strategies.why_not(small(id), source(network.outline()), made) == small(id).why_not(
            source(network.outline()), made
        )
