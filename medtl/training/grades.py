"""Grades in order: each output asks whether a case that reaches a grade goes beyond it (CORN).

Letters: n cases in hand, K grades.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from medtl.evaluation import grades
from medtl.evaluation.ranking import macro_auroc
from medtl.training.examples import Examples
from medtl.training.head import log_loss
from medtl.training.judgement import FOCUS, Judgement, tempered
from medtl.training.meaning import of_grades
from medtl.vocabulary import Train


class Grades:
    """Shi et al. 2021, arXiv:2111.08851 section 3: K - 1 outputs, the j-th taught by the cases of grade j or higher.

    Their losses add up to the logarithm of the score of a case's own grade, by the chain rule; so we take their sum a
    case, where the paper divides by the number of answers in the batch.
    """

    def __init__(self, examples: Examples, step: Train, seed: int) -> None:
        self.step, self.labels, self.classes = step, examples.labels, examples.classes
        self.teacher = examples.teacher
        self.draws: np.ndarray | None = None
        if step.balanced:
            labels = examples.labels[examples.train]
            self.draws = 1.0 / np.bincount(labels, minlength=examples.classes)[labels]
        self.notes: tuple[str, ...] = (
            ("Logit adjustment is for classes without an order; with grades it was left out.",)
            if step.loss == "logit-adjusted"
            else ()
        )

    def parameters(self) -> list[nn.Parameter]:
        return []

    def loss(self, logits: Tensor, indices: np.ndarray) -> Tensor:
        """(n, K - 1) logits -> the sum of their losses, a scalar."""
        y = torch.from_numpy(self.labels[indices]).to(logits.device)
        steps = torch.arange(self.classes - 1, device=logits.device)
        asked = y[:, None] >= steps  # (n, K - 1)
        higher = (y[:, None] > steps).to(logits)
        higher = higher * (1 - self.step.smoothing) + self.step.smoothing / 2
        losses = functional.binary_cross_entropy_with_logits(logits, higher, reduction="none")
        if self.step.loss == "focal":
            losses = losses * (higher - logits.sigmoid()).abs() ** FOCUS
        total = losses.masked_fill(~asked, 0.0).sum()
        if self.step.teach and self.teacher is not None:
            total = (1 - self.step.teach) * total + self.step.teach * self._as_taught(logits, indices)
        return total

    def _as_taught(self, logits: Tensor, indices: np.ndarray) -> Tensor:
        """The teacher's scores of all grades as the answer (arXiv:1503.02531, at a temperature of 1: an order of grades
        has no logits to soften)."""
        assert self.teacher is not None
        theirs = torch.from_numpy(self.teacher[indices]).to(logits)  # (n, K)
        beyond = theirs.flip(1).cumsum(1).flip(1)  # (n, K) P(y >= k)
        reached, higher = beyond[:, :-1], beyond[:, 1:]
        losses = higher * functional.softplus(-logits) + (reached - higher) * functional.softplus(logits)
        return losses.sum()

    def judge(self, outputs: np.ndarray, indices: np.ndarray) -> Judgement:
        """(n, K - 1) float64 logits of these cases. Numbers that are none give nan."""
        labels = self.labels[indices]
        if not np.isfinite(outputs).all():
            return Judgement(math.nan, math.nan, 1.0)
        loss, temperature = tempered(lambda t: log_loss(of_grades(outputs / t), labels))
        scores = of_grades(outputs)
        kappa = grades.kappa(labels, grades.middle(scores), self.classes)
        return Judgement(loss, macro_auroc(labels, scores), temperature, kappa)
