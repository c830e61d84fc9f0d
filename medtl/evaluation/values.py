"""Every metric of one table of scored cases, for many weightings of its cases at once. Knows no interval."""

from collections.abc import Sequence

import numpy as np

from medtl.evaluation import calibration, ranking
from medtl.evaluation.resampling import Bools, Floats, Ints, Weights
from medtl.evaluation.thresholds import positive_index

PROPORTIONS = ("sensitivity", "specificity", "ppv", "npv")
AVERAGED = ("auroc", "auprc", *PROPORTIONS)  # over one class against the rest, when there are more than two
TWO_CLASSES_ONLY = ("calibration_slope", "calibration_intercept")
NAMES = (*AVERAGED, "accuracy", "balanced_accuracy", "brier", *TWO_CLASSES_ONLY)


class Table:
    """Cases with their class, scores and call: y (n,), scores (n, k), calls (n,).

    `views` are the classes taken for "has it" in turn: one when there are two classes, each of them when there are
    more. `values` has a name for each of NAMES, and for some a class in brackets besides, as in "sensitivity[viral]".
    """

    def __init__(self, y: Ints, scores: Floats, calls: Ints, classes: Sequence[str], positive: str | None) -> None:
        self.y, self.calls, self.classes = y, calls, tuple(classes)
        self.k = k = len(self.classes)
        self.views = (positive_index(classes, positive),) if k == 2 else tuple(range(k))
        self.confusion = np.bincount(y * k + calls, minlength=k * k).reshape(k, k)
        self._rankings = {view: ranking.rank(y == view, scores[:, view]) for view in self.views}
        # The square of what each case misses by, (n,). Of two classes both miss by the same, and one counts.
        self.miss = ((scores - np.eye(k)[y]) ** 2).sum(axis=1) / (2 if k == 2 else 1)
        self._cell = y * k + calls  # (n,) which cell of the confusion a case is in
        self._by_cell = np.argsort(self._cell, kind="stable")
        self.logits = calibration.logit(scores[:, self.views[0]])
        self._fit: dict[str, float] | None = None  # where a fit starts
        self.whole = {name: float(one[0]) for name, one in self.values(np.ones((len(y), 1))).items()}
        self._fit = {name: self.whole.get(name, np.nan) for name in ("_constant", *TWO_CLASSES_ONLY)}

    def values(self, weights: Weights) -> dict[str, Floats]:
        """Name -> (d,) for weights (n, d), NaN where a weighting doesn't allow it."""
        values = self._of_calls(self._counts(weights))
        for view, order in self._rankings.items():
            true, false = ranking.found(order, weights)
            values[self.name("auroc", view)] = ranking.auroc(true, false)
            values[self.name("auprc", view)] = ranking.auprc(true, false)
        for name in AVERAGED:
            values[name] = _mean([values[self.name(name, view)] for view in self.views])
        miss = self.miss.astype(weights.dtype)
        values["brier"] = np.einsum("n,nd->d", miss, weights) / weights.sum(axis=0, dtype=float)
        return values | self._calibration(weights) if self.k == 2 else values

    def name(self, metric: str, view: int) -> str:
        return f"{metric}[{self.classes[view]}]"

    def split(self, name: str) -> tuple[str, int | None]:
        """Metric and class index of a name; a plain name means the positive class of two, or the average of more."""
        metric, bracket, rest = name.partition("[")
        if bracket:
            return metric, self.classes.index(rest[:-1])
        return name, self.views[0] if self.k == 2 else None

    def ranking(self, view: int) -> ranking.Ranking:
        return self._rankings[view]

    def share_of(self, metric: str, view: int) -> tuple[Bools, Bools]:
        """A proportion as (n,) cases that count as right and (n,) cases it is a share of."""
        has, called = self.y == view, self.calls == view
        of = {"sensitivity": has, "specificity": ~has, "ppv": called, "npv": ~called}[metric]
        return has == called, of

    def _counts(self, weights: Weights) -> Floats:
        """The confusion of each weighting, (k, k, d). Here and elsewhere without a matrix product: on a busy computer
        the threads of a product of so thin a matrix wait for each other, a hundred times longer than they work.
        """
        cells = np.zeros((self.k * self.k, weights.shape[1]))
        there, starts = np.unique(self._cell[self._by_cell], return_index=True)
        cells[there] = np.add.reduceat(weights[self._by_cell], starts, axis=0)
        return cells.reshape(self.k, self.k, -1)

    def _of_calls(self, cells: Floats) -> dict[str, Floats]:
        values: dict[str, Floats] = {}
        everyone = cells.sum(axis=(0, 1))
        with np.errstate(divide="ignore", invalid="ignore"):
            for i in range(self.k):
                right, has, called = cells[i, i], cells[i].sum(axis=0), cells[:, i].sum(axis=0)
                let_pass = everyone - has - called + right
                values[self.name("sensitivity", i)] = right / has
                values[self.name("specificity", i)] = let_pass / (everyone - has)
                values[self.name("ppv", i)] = right / called
                values[self.name("npv", i)] = let_pass / (everyone - called)
            values["accuracy"] = np.einsum("iid->d", cells) / everyone
        values["balanced_accuracy"] = _mean([values[self.name("sensitivity", i)] for i in range(self.k)])
        return values

    def _calibration(self, weights: Weights) -> dict[str, Floats]:
        return calibration.line(self.logits, self.y == self.views[0], weights, self._fit)


def spoken(name: str) -> str:
    """A class in a sentence; a number, as of a grade, in quotes, so that "4 '2' cases" is not read as 42."""
    return f"'{name}'" if name[:1].isdigit() else name


def _mean(values: list[Floats]) -> Floats:
    """Mean over those that have a value, weighting by weighting; NaN where none has."""
    table = np.stack(values)
    known = np.isfinite(table).sum(axis=0)
    return np.where(known > 0, np.nansum(table, axis=0) / np.maximum(known, 1), np.nan)
