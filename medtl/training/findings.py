"""Several findings a case: each an output of its own, silent where nobody said anything.

Letters: n cases in hand, N cases in the cohort, K findings, O outputs (`policies`: more than K while some have three).
"""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from medtl.evaluation import ranking
from medtl.training import policies
from medtl.training.examples import Examples
from medtl.training.judgement import FOCUS, Judgement, tempered
from medtl.vocabulary import Train

FURTHEST = 3.0  # of a logarithm of variance: a finding that is never wrong would else weigh more and more


class Findings:
    """Masked binary cross-entropy, a mean over the findings; a case that was asked about half of them counts half."""

    def __init__(self, examples: Examples, step: Train, seed: int) -> None:
        assert examples.targets is not None
        self.step, self.policies = step, examples.policies
        self.targets, self.teacher = examples.targets, examples.teacher
        self.wanted = policies.taught(examples.targets, self.policies, seed)
        self.wide = policies.wide(self.policies)
        self.weight = self._weights(examples.train) if step.balanced else np.ones((len(self.policies), 3), np.float32)
        # Kendall et al. 2018, arXiv:1705.07115 eq. 10: the logarithm of each finding's variance, learned along.
        self.log_variance = nn.Parameter(torch.zeros(len(self.policies))) if step.weigh_tasks else None
        self.draws: np.ndarray | None = None  # rare findings are weighed, not drawn more often: cases have several
        self.notes: tuple[str, ...] = (
            ("Logit adjustment is for one label a case; with several findings it was left out.",)
            if step.loss == "logit-adjusted"
            else ()
        )

    def parameters(self) -> list[nn.Parameter]:
        return [] if self.log_variance is None else [self.log_variance]

    def loss(self, logits: Tensor, indices: np.ndarray) -> Tensor:
        """(n, O) logits -> the sum over cases of the mean over findings."""
        wanted = torch.from_numpy(self.wanted[indices]).to(logits.device)
        asked = wanted.isfinite()  # (n, K)
        losses = self._binary(logits[:, : len(self.policies)], wanted.nan_to_num())
        for k in self.wide:
            labels = torch.from_numpy(self.targets[indices, k].astype(np.int64)).to(logits.device)
            said = labels != policies.UNSAID
            losses = losses.index_copy(1, torch.tensor([k], device=logits.device), self._three(logits, labels, k))
            asked = asked.index_copy(1, torch.tensor([k], device=logits.device), said[:, None])
        if self.log_variance is not None:
            s = self.log_variance.clamp(-FURTHEST, FURTHEST).to(logits.device)
            losses = losses * (-s).exp() + s / 2
        total = losses.masked_fill(~asked, 0.0).sum()
        if self.step.teach and self.teacher is not None:
            total = (1 - self.step.teach) * total + self.step.teach * self._as_taught(logits, indices)
        return total / len(self.policies)

    def judge(self, outputs: np.ndarray, indices: np.ndarray) -> Judgement:
        """On sure labels only, whatever the policies: they are what the numbers at the end are counted on."""
        targets = self.targets[indices]
        logits = policies.narrowed(outputs.T, self.policies).T
        sure = targets >= 0
        if not np.isfinite(outputs).all():
            return Judgement(math.nan, math.nan, 1.0)
        if not sure.any():
            return Judgement(math.inf, math.nan, 1.0)
        signed = np.where(targets[sure] == policies.PRESENT, -1.0, 1.0) * logits[sure]
        loss, temperature = tempered(lambda t: float(np.logaddexp(0, signed / t).mean()))
        return Judgement(loss, mean_auroc(targets, logits), temperature)

    def _binary(self, logits: Tensor, wanted: Tensor) -> Tensor:
        """(n, K), (n, K) -> the loss of each answer, (n, K)."""
        wanted = wanted * (1 - self.step.smoothing) + self.step.smoothing / 2
        weight = torch.from_numpy(self.weight).to(logits)
        losses = weight[:, 1] * wanted * functional.softplus(-logits)
        losses = losses + weight[:, 0] * (1 - wanted) * functional.softplus(logits)
        if self.step.loss == "focal":
            losses = losses * (wanted - logits.sigmoid()).abs() ** FOCUS
        return losses

    def _three(self, logits: Tensor, labels: Tensor, k: int) -> Tensor:
        """Cross-entropy of absent, present and uncertain, (n, 1)."""
        ours = logits[:, policies.triple(self.policies, k)]
        asked = torch.where(labels == policies.UNCERTAIN, 2, labels.clamp(min=0))
        losses = functional.cross_entropy(
            ours,
            asked,
            torch.from_numpy(self.weight[k]).to(ours),
            reduction="none",
            label_smoothing=self.step.smoothing,
        )
        if self.step.loss == "focal":
            known = ours.log_softmax(dim=1).gather(1, asked[:, None])[:, 0].exp()
            losses = losses * (1 - known) ** FOCUS
        return losses[:, None]

    def _as_taught(self, logits: Tensor, indices: np.ndarray) -> Tensor:
        """Hinton et al. 2015, arXiv:1503.02531 section 2, finding by finding; for those of two outputs."""
        assert self.teacher is not None
        t = self.step.temperature
        kept = [k for k in range(len(self.policies)) if k not in self.wide]
        said = torch.from_numpy(np.clip(self.teacher[indices][:, kept], 1e-6, 1 - 1e-6)).to(logits).logit()
        ours = logits[:, kept] / t
        theirs = (said / t).sigmoid()
        return functional.binary_cross_entropy_with_logits(ours, theirs, reduction="sum") * t * t

    def _weights(self, train: np.ndarray) -> np.ndarray:
        """(K, 3) of absent, present, uncertain: each weighs the same in all, however many there are."""
        weights = np.ones((len(self.policies), 3), np.float32)
        for k in range(len(self.policies)):
            if k in self.wide:
                labels = self.targets[train, k]
                counts = np.array([(labels == one).sum() for one in (0, 1, policies.UNCERTAIN)], np.float64)
            else:
                wanted = self.wanted[train, k]
                counts = np.array([np.nansum(1 - wanted), np.nansum(wanted), 0.0])
            there = counts > 0
            weights[k, there] = counts.sum() / (there.sum() * counts[there])
        return weights


def mean_auroc(targets: np.ndarray, scores: np.ndarray) -> float:
    """Mean over the findings that have sure cases of both kinds; nan where none has."""
    found = []
    for labels, score in zip(targets.T, scores.T, strict=True):
        sure = labels >= 0
        has = labels[sure] == policies.PRESENT
        if has.any() and not has.all():
            one = np.ones((len(has), 1), np.float32)
            found.append(float(ranking.auroc(*ranking.found(ranking.rank(has, score[sure]), one))[0]))
    return float(np.mean(found)) if found else math.nan
