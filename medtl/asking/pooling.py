"""Several pictures of one patient, series or clip as one answer, by the rules of `medtl.evaluation.pooling`.

Knows scores, no pictures. Letters: n pictures, K classes.
"""

from collections.abc import Hashable, Sequence

import numpy as np

from medtl.errors import BadInput
from medtl.evaluation import pooling as rules
from medtl.vocabulary import Task

AUTO = "auto"  # the rule that the run's tune part chose, or the user on the Trust page


def check(rule: str, task: Task, classes: Sequence[str]) -> None:
    known = (AUTO, *rules.rules_for(task, classes))
    if rule not in known:
        raise BadInput(f"The rule '{rule}' cannot pool the answers of this run.", f"Choose one of {', '.join(known)}.")


def pooled(
    scores: np.ndarray, rule: rules.Rule, task: Task, classes: Sequence[str], positive: str | None
) -> np.ndarray:
    """(n, K) -> (K,), as the run was judged patient by patient (`evaluation.pooling.table`)."""
    return np.asarray(rules.table(scores, np.zeros(len(scores), int), rule, task, classes, positive)[0])


def units(patients: Sequence[str | None], groups: Sequence[str], files: Sequence[int]) -> dict[Hashable, list[int]]:
    """("patient", code), ("series", code) or ("file", number) -> positions, in order of appearance.

    A picture whose patient is known goes to the patient, else to its series, else to its file.
    """
    found: dict[Hashable, list[int]] = {}
    for at, (patient, group, file) in enumerate(zip(patients, groups, files, strict=True)):
        key = ("patient", patient) if patient else ("series", group) if group not in ("", "file") else ("file", file)
        found.setdefault(key, []).append(at)
    return found
