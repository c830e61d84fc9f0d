"""Heads fitted on features in closed form: a rule's name and its strengths in, the best head on the tune part out.

Every head's logits are at the temperature that suits the tune part, so that scores of different rules mean the same.

Letters: n cases, D features, K classes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from medtl.sources.heads import ExampleCache, Neighbours, class_means_head
from medtl.training.head import log_loss, softly, softmax, solve, tempered_loss
from medtl.training.inference import head_scores
from medtl.vocabulary import HeadRule

HOPELESS = -20.0  # logit of a class of which there is no case
_TEMPERED = 4.0  # a head of cosines is first given logits of this size, from which a temperature is sought


@dataclass(frozen=True)
class Cases:
    """Features and labels that a head is fitted on and judged by. `balanced`: each class weighs the same."""

    train: np.ndarray  # (n, D)
    train_labels: np.ndarray  # (n,)
    tune: np.ndarray
    tune_labels: np.ndarray
    classes: int
    balanced: bool = False

    def weights(self) -> np.ndarray:
        """(n,) of the training cases, with a mean of 1."""
        counts = np.bincount(self.train_labels, minlength=self.classes)
        each = 1.0 / counts[self.train_labels] if self.balanced else np.ones(len(self.train))
        return np.asarray(each / each.mean())

    def log_prior(self) -> np.ndarray:
        """(K,): how frequent a class is here, 0 for all when each weighs the same; one without cases is hopeless."""
        counts = np.bincount(self.train_labels, minlength=self.classes)
        prior = np.zeros(self.classes) if self.balanced else np.log(np.maximum(counts, 1) / counts.sum())
        return np.where(counts > 0, prior, HOPELESS)


def fit(rule: HeadRule, cases: Cases, strengths: Sequence[float]) -> nn.Module:
    """The head of the strength with the smallest log-loss on the tune part; of equals the first.

    Without tune cases the strength in the middle is taken as it is.
    """
    if rule == "logistic":
        head = solve(
            cases.train, cases.train_labels, cases.tune, cases.tune_labels,
            cases.classes, strengths, cases.balanced,
        )  # fmt: skip
        return linear(head.weight, head.bias)
    tried = list(strengths) if len(cases.tune) else [sorted(strengths)[len(strengths) // 2]]
    best, least = None, np.inf
    for one in _RULES[rule](cases, tried):
        loss = log_loss(head_scores(one, cases.tune), cases.tune_labels) if len(cases.tune) else 0.0
        if best is None or loss < least:
            best, least = one, loss
    assert best is not None
    return best.eval()


def linear(weight: np.ndarray, bias: np.ndarray) -> nn.Linear:
    """(K, D), (K,) -> the layer."""
    layer = nn.Linear(weight.shape[1], len(weight))
    layer.load_state_dict({"weight": _tensor(weight), "bias": _tensor(bias)})
    return layer


# ---- linear rules ----------------------------------------------------------------------------------------------------


def _ridge(cases: Cases, strengths: Sequence[float]) -> Iterator[nn.Module]:
    """Least squares on targets of 1 and -1, a column a class (Hastie et al., The Elements of Statistical Learning,
    4.2 and 3.4.1): as scikit-learn's `RidgeClassifier` on features standardised softly."""
    mean, scale = softly(cases.train)
    x = (cases.train - mean) / scale
    y = np.where(np.arange(cases.classes) == cases.train_labels[:, None], 1.0, -1.0)
    w = cases.weights()[:, None]
    middle, level = (w * x).mean(axis=0), (w * y).mean(axis=0)
    # In the smaller of n and D: with A = sqrt(w) (x - middle) = U S V', the weights are V S/(S^2 + alpha) U' y.
    u, s, v = np.linalg.svd(np.sqrt(w) * (x - middle), full_matrices=False)
    turned = u.T @ (np.sqrt(w) * (y - level))
    for alpha in strengths:
        weight = (v.T @ ((s / (s**2 + alpha))[:, None] * turned)).T  # (K, D)
        yield _raw(cases, weight, level - weight @ middle, mean, scale)


def _lda(cases: Cases, strengths: Sequence[float]) -> Iterator[nn.Module]:
    """Linear discriminant analysis with a shrunken covariance, (1 - shrinkage) S + shrinkage tr(S)/D I (Friedman 1989),
    as scikit-learn's of the solver "lsqr" on features standardised softly."""
    mean, scale = softly(cases.train)
    x = (cases.train - mean) / scale
    seen = np.unique(cases.train_labels)
    means = np.zeros((cases.classes, x.shape[1]))
    means[seen] = [x[cases.train_labels == k].mean(axis=0) for k in seen]
    w = cases.weights()[:, None]
    within = np.sqrt(w / len(x)) * (x - means[cases.train_labels])
    _, s, v = np.linalg.svd(within, full_matrices=False)
    s, level = s**2, float((s**2).sum()) / x.shape[1]
    prior = cases.log_prior()
    for shrinkage in strengths:
        # The covariance is V diag(s) V' times (1 - shrinkage), plus `floor` in all directions; so is its inverse.
        floor = max(shrinkage * level, 1e-6)
        turned = means @ v.T
        weight = means / floor + (turned * (1 / ((1 - shrinkage) * s + floor) - 1 / floor)) @ v
        yield _raw(cases, weight, prior - 0.5 * (weight * means).sum(axis=1), mean, scale)


def _raw(cases: Cases, weight: np.ndarray, bias: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> nn.Linear:
    """Weights for standardised features -> the layer for raw ones, at the temperature that suits the tune part."""
    weight = weight / scale
    bias = np.where(np.isin(np.arange(cases.classes), cases.train_labels), bias - weight @ mean, HOPELESS)
    warm = 1.0
    if len(cases.tune):
        _, warm = tempered_loss(cases.tune.astype(np.float64) @ weight.T + bias, cases.tune_labels)
    return linear(weight / warm, bias / warm)


# ---- rules of likeness -----------------------------------------------------------------------------------------------


def _class_means(cases: Cases, strengths: Sequence[float]) -> Iterator[nn.Module]:
    """Wang et al. 2019, arXiv:1911.04623; centred on the mean of these training cases, as the source's is not known."""
    centre, _, means = _directions(cases)
    for sharpness in strengths:
        yield class_means_head(_tensor(centre), _tensor(sharpness * means), _tensor(cases.log_prior()))


def _neighbours(cases: Cases, strengths: Sequence[float]) -> Iterator[nn.Module]:
    centre, kept, _ = _directions(cases)
    one_hot = np.eye(cases.classes)[cases.train_labels]
    expected = np.exp(cases.log_prior())
    for nearest in sorted({min(round(k), len(kept)) for k in strengths}):
        head = Neighbours(
            _tensor(centre),
            _tensor(kept),
            _tensor(one_hot * cases.weights()[:, None]),
            _tensor(expected / expected.sum()),
            torch.tensor(float(nearest)),
            torch.tensor(1.0),
        )
        yield _calibrated(cases, head, 1.0)


def _examples(cases: Cases, strengths: Sequence[float]) -> Iterator[nn.Module]:
    centre, kept, means = _directions(cases)
    counts = np.bincount(cases.train_labels, minlength=cases.classes)
    shares = np.eye(cases.classes)[cases.train_labels] / counts[cases.train_labels][:, None]
    prior = np.maximum(cases.log_prior(), HOPELESS)
    for mix in strengths:
        head = ExampleCache(
            _tensor(centre),
            _tensor(kept),
            _tensor(shares),
            _tensor(means),
            _tensor(prior),
            torch.tensor(float(mix)),
            torch.tensor(1.0),
        )
        yield _calibrated(cases, head, _TEMPERED)


def _directions(cases: Cases) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre (D,), training cases as directions (n, D), mean direction of each class (K, D; 0 without cases)."""
    centre = cases.train.mean(axis=0, dtype=np.float64)
    kept = _length_one(cases.train - centre)
    means = np.zeros((cases.classes, kept.shape[1]))
    for k in np.unique(cases.train_labels):
        means[k] = kept[cases.train_labels == k].mean(axis=0)
    return centre, kept, _length_one(means)


def _calibrated(cases: Cases, head: Neighbours | ExampleCache, size: float) -> nn.Module:
    """The head with the power, of some around `size`, that suits the tune part best."""
    power = size
    if len(cases.tune):
        bias = head.bias.numpy().astype(np.float64) if isinstance(head, ExampleCache) else 0.0
        with torch.inference_mode():
            answers = head(_tensor(cases.tune)).numpy().astype(np.float64) - bias  # at a power of 1
        powers = size * np.geomspace(0.1, 16, 45)
        losses = [log_loss(softmax(one * answers + bias), cases.tune_labels) for one in powers]
        power = float(powers[int(np.argmin(losses))])
    head.power.fill_(power)
    return head


def _length_one(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


_RULES: dict[str, Callable[[Cases, Sequence[float]], Iterator[nn.Module]]] = {
    "ridge": _ridge,
    "lda": _lda,
    "class-means": _class_means,
    "neighbours": _neighbours,
    "examples": _examples,
}
