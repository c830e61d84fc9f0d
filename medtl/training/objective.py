"""What a case teaches, and how the tune part judges. Knows logits and labels; no network, no picture.

One label a case is here, several findings are in `findings`, grades in `grades`.

Letters: n cases in hand, N cases in the cohort, K classes, O outputs.
"""

import math
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from medtl.evaluation.ranking import macro_auroc
from medtl.training import policies
from medtl.training.examples import Examples
from medtl.training.findings import Findings
from medtl.training.grades import Grades
from medtl.training.head import softmax, tempered_loss
from medtl.training.judgement import FOCUS, Judgement
from medtl.training.meaning import width
from medtl.vocabulary import Train

# A logit that no softmax hears, and no temperature makes infinite.
SILENT = -1e4


class Objective(Protocol):
    """`draws` (n,) says how often each training case is drawn, where not equally; `notes` what of the step is left out;
    `parameters` are learned along with the network."""

    draws: np.ndarray | None
    notes: tuple[str, ...]

    def parameters(self) -> list[nn.Parameter]: ...

    def loss(self, logits: Tensor, indices: np.ndarray) -> Tensor:
        """(n, O) logits of these cases -> the sum of their losses, a scalar."""
        ...

    def judge(self, outputs: np.ndarray, indices: np.ndarray) -> Judgement:
        """(n, O) float64 logits of these cases. Numbers that are none give nan."""
        ...


def objective(examples: Examples, step: Train, seed: int) -> Objective:
    """What these cases teach."""
    if examples.task == "multi-label":
        return Findings(examples, step, seed)
    return Grades(examples, step, seed) if examples.task == "ordinal" else OneLabel(examples, step)


def outputs(examples: Examples) -> int:
    """How many outputs a head has while it is trained; afterwards it has `meaning.width` of them."""
    return width(examples.task, examples.classes) + 2 * len(policies.wide(examples.policies))


class OneLabel:
    """Every case has one of K classes; with several tasks, a class of its own task."""

    def __init__(self, examples: Examples, step: Train) -> None:
        self.step = step
        self.labels, self.teacher = examples.labels, examples.teacher
        tasks = examples.tasks if step.by_task and examples.tasks is not None else np.zeros(examples.classes, np.int64)
        self.by_task, self.tasks = step.by_task, tasks
        self.others = np.asarray(tasks[:, None] != tasks[None, :])  # (K, K) for a case of class k, what is not asked
        counts = np.bincount(examples.labels[examples.train], minlength=examples.classes)
        self.log_prior = np.log(np.maximum(counts, 0.5) / counts.sum())  # (K,)
        self.draws: np.ndarray | None = None
        if step.balanced:
            labels = examples.labels[examples.train]
            self.draws = 1.0 / np.bincount(labels, minlength=examples.classes)[labels]
        self.notes: tuple[str, ...] = ()

    def parameters(self) -> list[nn.Parameter]:
        return []

    def loss(self, logits: Tensor, indices: np.ndarray) -> Tensor:
        """(n, K) logits -> the sum of their losses, a scalar."""
        y = torch.from_numpy(self.labels[indices]).to(logits.device)
        heard = logits
        if self.step.loss == "logit-adjusted":  # Menon et al. 2021, arXiv:2007.07314 eq. 10, tau 1
            heard = logits + torch.from_numpy(self.log_prior).to(logits)
        if self.by_task:
            heard = heard.masked_fill(torch.from_numpy(self.others).to(y.device)[y], SILENT)
        losses = self._cross_entropy(heard, y)
        if self.step.loss == "focal":  # Lin et al. 2017, arXiv:1708.02002 eq. 4
            known = heard.log_softmax(dim=1).gather(1, y[:, None])[:, 0].exp()
            losses = losses * (1 - known) ** FOCUS
        total = losses.sum()
        if self.step.teach and self.teacher is not None:
            total = (1 - self.step.teach) * total + self.step.teach * self._as_taught(logits, indices)
        return total

    def _cross_entropy(self, logits: Tensor, y: Tensor) -> Tensor:
        if not self.step.smoothing:
            return functional.cross_entropy(logits, y, reduction="none")
        asked = torch.from_numpy(~self.others).to(logits)[y]  # (n, K) 1 where a class belongs to the case's task
        wanted = self.step.smoothing * asked / asked.sum(dim=1, keepdim=True)
        wanted = wanted.scatter_add(1, y[:, None], wanted.new_full((len(y), 1), 1 - self.step.smoothing))
        return -(wanted * logits.log_softmax(dim=1)).sum(dim=1)

    def _as_taught(self, logits: Tensor, indices: np.ndarray) -> Tensor:
        """Hinton et al. 2015, arXiv:1503.02531 section 2: softened answers, scaled back by the temperature squared."""
        assert self.teacher is not None
        t = self.step.temperature
        said = torch.from_numpy(np.log(np.clip(self.teacher[indices], 1e-6, 1))).to(logits)
        theirs, ours = (said / t).log_softmax(dim=1), (logits / t).log_softmax(dim=1)
        return functional.kl_div(ours, theirs, reduction="sum", log_target=True) * t * t

    def judge(self, outputs: np.ndarray, indices: np.ndarray) -> Judgement:
        """(n, K) float64 logits of these cases. Numbers that are none give nan."""
        labels = self.labels[indices]
        if self.by_task and np.isfinite(outputs).all():
            outputs = np.where(self.others[labels], SILENT, outputs)
        loss, temperature = tempered_loss(outputs, labels)
        if not math.isfinite(loss):
            return Judgement(math.nan, math.nan, 1.0)
        return Judgement(loss, self._auroc(labels, softmax(outputs)), temperature)

    def _auroc(self, labels: np.ndarray, scores: np.ndarray) -> float:
        """Macro AUROC; with several tasks the mean over them, each among its own cases and classes."""
        if not self.by_task:
            return macro_auroc(labels, scores)
        found = []
        for task in np.unique(self.tasks):
            mine, classes = self.tasks[labels] == task, np.flatnonzero(self.tasks == task)
            found.append(macro_auroc(np.searchsorted(classes, labels[mine]), scores[np.ix_(mine, classes)]))
        return float(np.mean(found))
