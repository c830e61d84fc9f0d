"""What outputs mean: scores are scores, grades keep their order, heat maps follow the score."""

import numpy as np
import pytest
import torch

from medtl.training import meaning
from medtl.vocabulary import Task


@pytest.mark.parametrize("size", [0.0, 1.0, 60.0, 2000.0])
def test_scores_of_grades_sum_to_one_and_never_rise_with_the_grade(size: float) -> None:
    logits = np.random.default_rng(0).normal(0, size, (200, 4)) if size else np.zeros((200, 4))
    scores = meaning.of_grades(logits)
    assert scores.shape == (200, 5) and scores.min() >= 0
    np.testing.assert_allclose(scores.sum(axis=1), 1)
    beyond = scores[:, ::-1].cumsum(axis=1)[:, ::-1]  # P(y >= k)
    assert (np.diff(beyond, axis=1) <= 1e-12).all()


def test_the_chain_rule_by_hand() -> None:
    np.testing.assert_allclose(meaning.of_grades(np.log([[3.0, 1.0]])), [[1 / 4, 3 / 8, 3 / 8]])


def test_findings_stand_for_themselves_and_classes_share_one() -> None:
    logits = np.array([[800.0, -800.0, 0.0]])
    np.testing.assert_allclose(meaning.scores(logits, "multi-label"), [[1, 0, 0.5]])
    np.testing.assert_allclose(meaning.scores(logits, "single-label"), [[1, 0, 0]])


@pytest.mark.parametrize("task", ["single-label", "multi-label", "ordinal"])
def test_what_speaks_for_a_class_raises_its_score(task: Task) -> None:
    classes = 4
    logits = torch.randn(meaning.width(task, classes), generator=torch.Generator().manual_seed(1))
    for k in range(classes):
        at = logits.clone().requires_grad_(True)
        meaning.evidence(at, k, task).backward()  # type: ignore[no-untyped-call]
        assert at.grad is not None
        moved = (logits + 0.01 * at.grad).numpy()
        before, after = (meaning.scores(one[None], task)[0, k] for one in (logits.numpy(), moved))
        assert after > before
