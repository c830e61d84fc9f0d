"""Answers as a CSV file that any spreadsheet opens and none runs, written line by line as they come."""

import csv
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from medtl.asking.answer import Answer
from medtl.errors import BadInput
from medtl.runs import results

FIRST = ("file", "frame", "kind", "images", "accepted", "predicted", "settled", "set")
LAST = ("far", "limit", "known", "patient", "sha256", "says")
PROBABILITY = "probability_"


class Table:
    """A CSV file that is complete to the last answer written, also when the process is stopped."""

    def __init__(self, path: Path, classes: Sequence[str], calibrated: bool = False) -> None:
        self.path, self.classes, self.calibrated = path, classes, calibrated
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("w", newline="", encoding="utf-8")
        except OSError as error:
            raise BadInput(
                f"The file '{path}' cannot be written ({error.strerror or error}).", "Choose another place with --csv."
            ) from error
        self._out = csv.writer(self._file)
        numbers = [f"{results.SCORE}{name}" for name in classes]
        more = [f"{PROBABILITY}{name}" for name in classes] if calibrated else []
        self._out.writerow([*FIRST, *map(results.safe_cell, [*numbers, *more]), *LAST])

    def add(self, answer: Answer) -> None:
        gate = answer.gate
        numbers = [f"{answer.scores[name]:.6g}" if answer.scores else "" for name in self.classes]
        if self.calibrated:
            numbers += [f"{answer.calibrated[name]:.6g}" if answer.calibrated else "" for name in self.classes]
        first = (
            answer.file, "" if answer.frame is None else str(answer.frame), answer.kind, str(answer.pooled),
            "yes" if answer.accepted else "no", answer.predicted or "", answer.settled or "", "|".join(answer.set),
        )  # fmt: skip
        last = (
            f"{gate.far:.4f}" if gate else "", f"{gate.limit:.4f}" if gate else "", answer.known or "",
            answer.patient or "", answer.sha256, answer.says,
        )  # fmt: skip
        words: Callable[[str], str] = results.safe_cell
        self._out.writerow([*map(words, first), *numbers, last[0], last[1], *map(words, last[2:])])

    def __enter__(self) -> "Table":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
