"""What a case teaches: the losses against plain sums, and that no chunk is taken for a batch."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from medtl.training.objective import OneLabel
from medtl.vocabulary import Rate, Train
from tests.builders import easy_examples

PLAIN = Train("Train it.", 1, (Rate("head", 1e-3),))


def loss(logits: torch.Tensor, indices: np.ndarray, examples: Any = None, **changes: Any) -> torch.Tensor:
    return OneLabel(examples or easy_examples(classes=3), dataclasses.replace(PLAIN, **changes)).loss(logits, indices)


@pytest.fixture
def logits() -> torch.Tensor:
    return torch.randn(6, 3, generator=torch.Generator().manual_seed(0))


INDICES = np.arange(6)
LABELS = torch.from_numpy(easy_examples(classes=3).labels[:6])


def test_plain_is_cross_entropy(logits: torch.Tensor) -> None:
    assert float(loss(logits, INDICES)) == pytest.approx(float(functional.cross_entropy(logits, LABELS)) * 6)


def test_smoothing_is_torchs(logits: torch.Tensor) -> None:
    wanted = functional.cross_entropy(logits, LABELS, label_smoothing=0.1, reduction="sum")
    assert float(loss(logits, INDICES, smoothing=0.1)) == pytest.approx(float(wanted), rel=1e-5)


def test_focal_hardly_hears_what_is_known_and_fully_what_is_not() -> None:
    sure, wrong = torch.tensor([[9.0, 0.0, 0.0]]), torch.tensor([[0.0, 9.0, 0.0]])
    at = np.array([0])  # of class 0
    assert float(loss(sure, at, loss="focal")) < 1e-4 * float(loss(sure, at))
    assert float(loss(wrong, at, loss="focal")) == pytest.approx(float(loss(wrong, at)), rel=1e-3)


def test_logit_adjustment_asks_more_of_the_rare_class() -> None:
    """Where classes are equally frequent it changes nothing; where not, equal logits cost the rare one more."""
    even, uneven = easy_examples(n=120), easy_examples(n=120)
    rare = uneven.labels[uneven.train] == 1
    uneven = dataclasses.replace(uneven, train=np.concatenate([uneven.train[~rare], uneven.train[rare][:3]]))
    even = dataclasses.replace(even, train=np.concatenate([even.train[rare][:9], even.train[~rare][:9]]))
    zero, at = torch.zeros(1, 2), np.array([1])
    assert float(loss(zero, at, even, loss="logit-adjusted")) == pytest.approx(float(loss(zero, at, even)))
    adjusted = float(loss(zero, at, uneven, loss="logit-adjusted"))
    counts = np.bincount(uneven.labels[uneven.train])
    assert adjusted == pytest.approx(-np.log(counts[1] / counts.sum()), rel=1e-5)


def test_a_teacher_is_answered_like(logits: torch.Tensor) -> None:
    examples = easy_examples(classes=3)
    alike = torch.softmax(logits, dim=1).double().numpy()
    taught = np.tile([1 / 3, 1 / 3, 1 / 3], (len(examples.labels), 1))
    taught[:6] = alike
    examples = dataclasses.replace(examples, teacher=taught)
    assert float(loss(logits, INDICES, examples, teach=1.0)) == pytest.approx(0, abs=1e-5)
    half = loss(logits, INDICES, examples, teach=0.5)
    assert float(half) == pytest.approx(float(loss(logits, INDICES)) / 2, rel=1e-5)
    assert float(loss(logits.flip(1), INDICES, examples, teach=1.0)) > 0.1


@pytest.mark.parametrize(
    "changes", [{}, {"smoothing": 0.1}, {"loss": "focal"}, {"loss": "logit-adjusted"}, {"by_task": True}], ids=str
)
def test_the_loss_of_a_batch_is_the_sum_over_its_chunks(logits: torch.Tensor, changes: dict[str, Any]) -> None:
    examples = dataclasses.replace(easy_examples(classes=3), tasks=np.array([0, 0, 1]))
    parts = [loss(logits[at], INDICES[at], examples, **changes) for at in (slice(0, 2), slice(2, 6))]
    assert float(sum(parts)) == pytest.approx(float(loss(logits, INDICES, examples, **changes)), rel=1e-5)


def test_smoothing_stays_within_the_task() -> None:
    """What another task's outputs say costs nothing."""
    examples = dataclasses.replace(easy_examples(classes=3), tasks=np.array([0, 0, 1]))
    at = np.array([0])
    one = loss(torch.tensor([[1.0, 0.0, -50.0]]), at, examples, by_task=True, smoothing=0.2)
    other = loss(torch.tensor([[1.0, 0.0, 50.0]]), at, examples, by_task=True, smoothing=0.2)
    assert float(one) == pytest.approx(float(other)) and np.isfinite(float(one))


def test_numbers_that_are_none_are_told() -> None:
    judged = OneLabel(easy_examples(classes=3), PLAIN).judge(np.full((6, 3), np.nan), INDICES)
    assert np.isnan(judged.loss) and np.isnan(judged.auroc)
