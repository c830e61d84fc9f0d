"""A run of several findings seen as one about one of them, so that a page for two classes serves each.

It computes nothing. What is not about the finding (seconds, parts, caveats) stays that of the whole run.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from medtl.errors import NotFound
from medtl.runs import results, store
from medtl.runs.results import PredictionRow, Result
from medtl.vocabulary import Case, Cohort, Estimate, Threshold, without


@dataclass(frozen=True)
class Row:
    """One finding in the table of all: how many test cases have it, have it not, and were left out; `few` says that
    these are too few to judge it, `threshold` from which score it is called (None: nothing to choose one by)."""

    name: str
    present: int
    absent: int
    left_out: int
    few: bool
    threshold: float | None
    estimates: tuple[Estimate, ...]

    def estimate(self, name: str) -> Estimate | None:
        return next((one for one in self.estimates if one.name == name), None)


def rows(result: Result) -> tuple[Row, ...]:
    """Every finding in the order of the cohort; none for a run of one label a case."""
    made = []
    for name, said in result.findings.items():
        counts = said.get("counts") or {}
        made.append(
            Row(
                name,
                int(counts.get("present", 0)),
                int(counts.get("absent", 0)),
                int(counts.get("uncertain", 0)) + int(counts.get("unsaid", 0)),
                bool(counts.get("few", True)),
                (said.get("threshold") or {}).get("value"),
                tuple(store.known(Estimate, one, "result") for one in said.get("estimates") or ()),
            )
        )
    return tuple(made)


def result_of(result: Result, finding: str) -> Result:
    """The result as if this were the only question. Raises NotFound for another one."""
    if finding not in result.findings:
        raise NotFound(f"This run has no finding '{finding}'.", f"Its findings: {', '.join(result.findings)}.")
    said = result.findings[finding]
    threshold, confusion = said.get("threshold"), said.get("confusion")
    curve = (result.curves.get("roc") or {}).get(finding)
    return replace(
        result,
        estimates=tuple(store.known(Estimate, one, "result") for one in said.get("estimates") or ()),
        threshold=store.known(Threshold, threshold, "result") if threshold else None,
        control=results.control_of(said.get("control")),
        confusion=results.confusion_of(confusion) if confusion else None,
        sentence=said.get("sentence") or f"No test case is surely with or without {finding}.",
        small_test=said.get("small_test"),
        caveats=(),
        notes=tuple(said.get("notes") or ()),
        curves={"roc": {finding: curve} if curve else {}},
        findings={},
        finding=finding,
        task="single-label",
        positive=finding,
    )


def cohort_of(cohort: Cohort, finding: str) -> Cohort:
    """The cohort as one of two classes. Cases of which nobody is sure stay, with a label that is neither."""
    two = (without(finding), finding)

    def seen(case: Case) -> Case:
        label = {1: two[1], 0: two[0], -1: f"{finding} uncertain"}.get(case.labels.get(finding, -2), "not stated")
        return replace(case, label=label, labels={})

    return replace(
        cohort, task="single-label", classes=two, positive=finding, cases=tuple(seen(case) for case in cohort.cases)
    )


def predictions_of(rows: Iterable[PredictionRow], result: Result, finding: str) -> tuple[PredictionRow, ...]:
    """The answers to one finding, of the cases whose label is sure; `result` is of all findings."""
    two = (without(finding), finding)
    at = thresholds(result.findings)[finding]
    return tuple(
        replace(
            row,
            label=two[row.said[finding]],
            predicted=two[row.scores[finding] >= at],
            scores={two[0]: 1 - row.scores[finding], two[1]: row.scores[finding]},
            said={},
        )
        for row in rows
        if row.said.get(finding, -1) >= 0
    )


def thresholds(said: Mapping[str, Any]) -> dict[str, float]:
    """Finding -> the score it is called from; 0.5 where nothing was known to choose one by."""
    values = {name: (one.get("threshold") or {}).get("value") for name, one in said.items()}
    return {name: 0.5 if value is None else float(value) for name, value in values.items()}


def answers(scores: Mapping[str, float], said: Mapping[str, Any]) -> dict[str, str]:
    """Finding -> "present", "absent" or "cannot tell", at the error the run states: an answer with a score below the
    limit of that answer (`medtl.evaluation.conformal`; "set_limits" of absent and present, of older runs one for both)
    is ruled out; both or neither ruled out is no answer."""
    made = {}
    for name, score in scores.items():
        mine = said.get(name) or {}
        without, with_it = mine.get("set_limits") or [float(mine.get("set_limit", 0.0))] * 2
        present, absent = score >= with_it, 1 - score >= without
        made[name] = "cannot tell" if present == absent else ("present" if present else "absent")
    return made


def first(rows: Sequence[Row]) -> str:
    """The finding to begin with: the first that can be judged."""
    return next((row.name for row in rows if not row.few), rows[0].name if rows else "")
