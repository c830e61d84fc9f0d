"""What a run answered in one part of its cohort, as arrays, so that runs can be set side by side. Judges nothing.

Letters: n cases, k classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medtl.errors import NotReady
from medtl.runs import results


@dataclass(frozen=True)
class Answers:
    """Of every case of a part: who, what it is and what the run said. `patients` is None where nobody is known."""

    classes: tuple[str, ...]
    cases: tuple[str, ...]
    y: NDArray[np.int_]  # (n,) index of the label
    called: NDArray[np.int_]  # (n,) index of the class it was called, at the run's own frozen threshold
    scores: NDArray[np.float64]  # (n, k), rows sum to 1, except of several findings
    patients: NDArray[np.object_] | None  # (n,)
    said: NDArray[np.int8] | None = (
        None  # (n, k) of several findings: 1, 0, below 0 not sure; `y`, `called` tell nothing
    )

    def of(self, cases: Sequence[str]) -> "Answers":
        """The same for these cases, in this order; each must be among them."""
        at = {case: i for i, case in enumerate(self.cases)}
        rows = np.array([at[case] for case in cases], dtype=int)
        patients = self.patients[rows] if self.patients is not None else None
        return replace(
            self, cases=tuple(cases), y=self.y[rows], called=self.called[rows], scores=self.scores[rows],
            patients=patients, said=self.said[rows] if self.said is not None else None,
        )  # fmt: skip


def answers(folder: Path, part: str) -> Answers:
    """Of the "tune" or "test" part. Raises NotReady where the run has none, or was judged on none."""
    rows = [row for row in results.predictions(folder) if row.part == part]
    if not rows:
        raise NotReady(f"Run {folder.name} has no answers in the {part} part.", "Choose another run.")
    return of_rows(rows)


def of_rows(rows: Sequence[results.PredictionRow]) -> Answers:
    """Of at least one case."""
    classes = tuple(rows[0].scores)
    index = {name: i for i, name in enumerate(classes)}
    scores = np.array([[row.scores[name] for name in classes] for row in rows])
    patients = [row.patient for row in rows]
    several = any(row.said for row in rows)
    return Answers(
        classes=classes,
        cases=tuple(row.case for row in rows),
        y=np.array([0 if several else index[row.label] for row in rows]),
        called=np.array([0 if several else index[row.predicted] for row in rows]),
        scores=scores if several else scores / scores.sum(axis=1, keepdims=True),
        patients=np.array(patients, dtype=object) if any(who is not None for who in patients) else None,
        said=np.array([[row.said.get(name, -2) for name in classes] for row in rows], np.int8) if several else None,
    )
