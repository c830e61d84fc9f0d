"""What uncertain and missing labels teach, on a table small enough to be worked out by hand."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from medtl.training import policies
from medtl.training.examples import Examples, labels_of
from medtl.training.findings import Findings
from medtl.training.objective import outputs
from medtl.vocabulary import Case, Policy, Train
from tests import builders
from tests.builders import several_examples

TABLE = np.array([[1, 0], [0, -1], [-1, 1], [-2, -1]], np.int8)
NOTHING = np.nan


def examples(targets: np.ndarray, *said: Policy) -> Examples:
    n = len(targets)
    everyone = np.arange(n)
    return dataclasses.replace(
        several_examples("multi-label"), targets=targets, policies=said, classes=targets.shape[1], train=everyone,
        tune=everyone, labels=np.zeros(n, np.int64),
    )  # fmt: skip


def loss(targets: np.ndarray, logits: Any, *said: Policy, **more: Any) -> float:
    step = Train("", 1, (), **more)
    return float(Findings(examples(targets, *said), step, 0).loss(torch.tensor(logits), np.arange(len(targets))))


@pytest.mark.parametrize(
    ("policy", "second"),
    [
        ("ignore", [0, NOTHING, 1, NOTHING]),
        ("zeros", [0, 0, 1, 0]),
        ("ones", [0, 1, 1, 1]),
        ("multi-class", [0, NOTHING, 1, NOTHING]),
    ],
)
def test_each_policy_on_a_tiny_table(policy: Policy, second: list[float]) -> None:
    taught = policies.taught(TABLE, ("ignore", policy), seed=0)
    np.testing.assert_array_equal(taught, np.array([[1, 0, NOTHING, NOTHING], second], np.float32).T)


def test_smoothed_ones_lie_where_they_should_and_follow_the_seed() -> None:
    many = np.full((500, 1), -1, np.int8)
    drawn = policies.taught(many, ("smoothed",), seed=1)
    assert 0.55 <= drawn.min() < 0.6 and 0.8 < drawn.max() <= 0.85
    np.testing.assert_array_equal(drawn, policies.taught(many, ("smoothed",), seed=1))
    assert (drawn != policies.taught(many, ("smoothed",), seed=2)).any()


def test_the_masked_loss_is_what_one_works_out_by_hand() -> None:
    logits = [[2.0, -1.0], [0.5, 3.0], [7.0, 1.0], [-9.0, 4.0]]

    def bce(z: float, y: float) -> float:
        return float(np.log1p(np.exp(z)) - y * z)

    asked = bce(2.0, 1) + bce(-1.0, 0) + bce(0.5, 0) + bce(1.0, 1)  # whatever is not sure is silent
    assert loss(TABLE, logits, "ignore", "ignore") == pytest.approx(asked / 2, abs=1e-5)
    ones = asked + bce(7.0, 1) + bce(3.0, 1) + bce(4.0, 1)
    assert loss(TABLE, logits, "ones", "ones") == pytest.approx(ones / 2, abs=1e-5)
    spread = sum(bce(z, 0.9 * y + 0.05) for z, y in ((2.0, 1), (-1.0, 0), (0.5, 0), (1.0, 1)))
    assert loss(TABLE, logits, "ignore", "ignore", smoothing=0.1) == pytest.approx(spread / 2, abs=1e-5)


def test_nobody_said_anything_teaches_nothing() -> None:
    logits = torch.randn(4, 2, requires_grad=True)
    objective = Findings(examples(np.full((4, 2), -2, np.int8), "ones", "ones"), Train("", 1, ()), 0)
    objective.loss(logits, np.arange(4)).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None and not logits.grad.any()


def test_a_third_answer_is_a_cross_entropy_of_three_and_asked_present_against_absent_at_the_end() -> None:
    e = examples(TABLE, "ignore", "multi-class")
    assert outputs(e) == 4
    logits = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))
    order = policies.triple(e.policies, 1)  # absent, present, uncertain
    three = functional.cross_entropy(logits[:, order], torch.tensor([0, 2, 1, 2]), reduction="sum")
    first = functional.binary_cross_entropy_with_logits(logits[:2, 0], torch.tensor([1.0, 0.0]), reduction="sum")
    assert loss(TABLE, logits.tolist(), "ignore", "multi-class") == pytest.approx(float(three + first) / 2, abs=1e-5)
    kept = policies.narrowed(logits.numpy().T, e.policies).T
    two = functional.softmax(logits[:, order[:2]], dim=1)[:, 1]
    np.testing.assert_allclose(1 / (1 + np.exp(-kept[:, 1])), two, atol=1e-6)
    np.testing.assert_array_equal(kept[:, 0], logits.numpy()[:, 0])


def test_balanced_weighs_both_answers_of_a_finding_alike() -> None:
    targets = np.array([[1], [0], [0], [0]], np.int8)
    logits = torch.zeros(4, 1, requires_grad=True)
    objective = Findings(examples(targets, "ignore"), Train("", 1, (), balanced=True), 0)
    objective.loss(logits, np.arange(4)).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None and float(logits.grad.sum()) == pytest.approx(0, abs=1e-6)
    assert float(logits.grad[0]) == pytest.approx(-1.0, abs=1e-5)  # half of the weight of four cases, times one half


def test_weights_learned_along_find_what_balances_the_findings() -> None:
    """exp(-s) L + s / 2 is least where s is the logarithm of 2 L."""
    targets = np.array([[1, 1], [0, 0]] * 8, np.int8)
    objective = Findings(examples(targets, "ignore", "ignore"), Train("", 1, (), weigh_tasks=True), 0)
    logits = torch.tensor([[3.0, 0.1], [-3.0, -0.1]] * 8)
    optimiser = torch.optim.Adam(objective.parameters(), lr=0.2)
    for _ in range(100):
        optimiser.zero_grad()
        objective.loss(logits, np.arange(16)).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    each = np.log1p(np.exp([-3.0, -0.1]))
    np.testing.assert_allclose(objective.parameters()[0].detach(), np.log(2 * each), atol=0.03)


def test_the_tune_part_is_judged_by_sure_labels_only() -> None:
    logits = np.array([[2.0, -2.0], [-2.0, 9.0], [9.0, 2.0], [9.0, 9.0]])
    judged = [
        Findings(examples(TABLE, *said), Train("", 1, ()), 0).judge(logits, np.arange(4))
        for said in (("ignore", "ignore"), ("zeros", "ones"))
    ]
    assert judged[0] == judged[1] and judged[0].auroc == 1.0


def test_a_cohort_becomes_a_table() -> None:
    made = builders.cohort(4)
    cases = tuple(
        dataclasses.replace(case, labels=labels)
        for case, labels in zip(made.cases, [{"a": 1, "b": 0}, {"b": -1}, {}], strict=False)
    )
    assert isinstance(cases[0], Case)
    several = dataclasses.replace(made, task="multi-label", classes=("a", "b"), cases=cases)
    fields = labels_of(several, {"b": "ones"})
    assert fields["targets"].tolist() == [[1, 0], [-2, -1], [-2, -2]] and fields["policies"] == ("ignore", "ones")
