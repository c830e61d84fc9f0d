"""The well-fitted linear head: softly standardised features, L2-regularised logistic regression, its strength chosen.

Letters: n cases, D features, K classes.
"""

import functools
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import ThreadpoolController


@dataclass(frozen=True)
class Head:
    """A linear head on raw features: logits = features @ weight.T + bias. Standardisation is folded in."""

    weight: np.ndarray  # (K, D) float32
    bias: np.ndarray  # (K,) float32
    strength: float
    tune_loss: float

    def scores(self, features: np.ndarray) -> np.ndarray:
        """(n, D) -> (n, K), rows sum to 1."""
        return softmax(features.astype(np.float64) @ self.weight.T.astype(np.float64) + self.bias)


def solve(
    train: np.ndarray,
    train_labels: np.ndarray,
    tune: np.ndarray,
    tune_labels: np.ndarray,
    classes: int,
    strengths: Sequence[float],
    balanced: bool = False,
    weights: np.ndarray | None = None,
) -> Head:
    """Fit for every strength (weakest C first, each starting from the last) and keep the best log-loss on `tune`.

    A published probe that forgets to standardise and to tune can fall to the majority class (MedMNIST+ Breast,
    arXiv:2404.15786); this one is the reference that every strategy has to beat. Features of no variance get weight
    zero. Without tune cases the strength in the middle is taken. `weights` (n,) say how much each training case counts.
    """
    best: Head | None = None
    worse = 0
    tried = sorted(strengths) if len(tune) else [sorted(strengths)[len(strengths) // 2]]
    for head in path(train, train_labels, classes, tried, balanced, weights=weights):
        loss = log_loss(head.scores(tune), tune_labels) if len(tune) else np.nan
        if best is None or loss < best.tune_loss:
            best, worse = replace(head, tune_loss=loss), 0
        else:
            worse += 1
            if worse == 3:  # the loss has one valley; three steps uphill end the search
                break
    assert best is not None
    return best


def path(
    train: np.ndarray,
    train_labels: np.ndarray,
    classes: int,
    strengths: Sequence[float],
    balanced: bool = False,
    standardise: bool = True,
    tolerance: float = 1e-4,
    weights: np.ndarray | None = None,
) -> Iterator[Head]:
    """A head for each strength in turn, each starting from the last; `tune_loss` is not known here.

    `standardise` False: the features come standardised, and perhaps turned, which a second time would undo.
    `tolerance` is the solver's.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    mean, scale = np.zeros(train.shape[1]), np.ones(train.shape[1])
    if standardise:
        mean, scale = softly(train)
    standard = np.ascontiguousarray(((train - mean) / scale).astype(np.float32))
    if len(np.unique(train_labels)) == 1:  # nothing to tell apart: the one class there is
        weight, bias = np.zeros((classes, train.shape[1]), np.float32), np.full(classes, -20.0, np.float32)
        bias[train_labels[0]] = 0.0
        yield from (Head(weight, bias, float(strength), np.nan) for strength in strengths)
        return
    balance = "balanced" if balanced else None
    model = LogisticRegression(max_iter=200, tol=tolerance, warm_start=True, class_weight=balance)
    for strength in strengths:
        model.set_params(C=strength)
        # One thread: torch, numpy and scipy bring a pool each, and on small matrices they spend 20 times longer
        # fighting over the cores than working (docs/benchmarks.md).
        with warnings.catch_warnings(), _pools().limit(limits=1):
            warnings.simplefilter("ignore", ConvergenceWarning)  # 200 rounds are enough to rank strengths
            model.fit(standard, train_labels, sample_weight=weights)
        weight, bias = _all_classes(model.coef_, model.intercept_, model.classes_, classes)
        raw = weight / scale
        yield Head(raw.astype(np.float32), (bias - raw @ mean).astype(np.float32), float(strength), np.nan)


def softly(train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, D) -> mean (D,) and by what to divide (D,): the root of each column's variance plus the mean variance.

    Plain standardisation makes a column that hardly varied in a few cases as loud as any other; a constant added to the
    spread keeps it quiet (the "fudge factor" of Tusher et al. 2001, doi 10.1073/pnas.091062498). On 5 to 25 images a
    class of three kinds it was worth 0.02 of AUROC (docs/benchmarks.md). Columns of a network's features are in one
    unit; tables must be brought to one before. Where nothing varies everything weighs nothing.
    """
    mean = train.mean(axis=0, dtype=np.float64)
    variance = train.var(axis=0, dtype=np.float64)
    varies = variance > 1e-12
    typical = variance[varies].mean() if varies.any() else np.inf
    return mean, np.where(varies, np.sqrt(variance + typical), np.inf)


@functools.cache
def _pools() -> ThreadpoolController:
    """The pools of threads of this process, looked for once: that reads a list of all it has loaded, which takes longer
    than a small fit. Asked for after scikit-learn was imported, so that its own is among them."""
    return ThreadpoolController()


def softmax(logits: np.ndarray) -> np.ndarray:
    """(n, K) -> (n, K), float64."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def tempered_loss(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Log-loss of (n, K) logits at the temperature that suits these cases best, and that temperature.

    Guo et al. 2017, arXiv:1706.04599 section 4.2. A network that was trained longer ranks better and boasts more; its
    plain log-loss mixes the two up. Not finite logits give (nan, 1).
    """
    if not np.isfinite(logits).all():
        return float("nan"), 1.0
    temperatures = np.geomspace(0.25, 10, 75)
    losses = [log_loss(softmax(logits / t), labels) for t in temperatures]
    best = int(np.argmin(losses))
    return losses[best], float(temperatures[best])


def log_loss(scores: np.ndarray, labels: np.ndarray) -> float:
    """Mean of -log(score of the true class); scores are kept off zero."""
    return float(-np.log(np.clip(scores[np.arange(len(labels)), labels], 1e-12, 1)).mean())


def _all_classes(
    coefficients: np.ndarray, intercepts: np.ndarray, seen: np.ndarray, classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's (1 or k, D) for the classes seen -> (K, D), (K,). A class never seen gets a hopeless bias."""
    if len(coefficients) == 1:  # two classes: the logit of the second; half to each side is the same softmax
        coefficients = np.vstack([-coefficients / 2, coefficients / 2])
        intercepts = np.concatenate([-intercepts / 2, intercepts / 2])
    weight = np.zeros((classes, coefficients.shape[1]))
    bias = np.full(classes, -20.0)
    weight[seen], bias[seen] = coefficients, intercepts
    return weight, bias
