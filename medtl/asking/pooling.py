"""Several pictures of one patient, series or clip as one answer.

The mean of the scores by default; the caller may give another rule. Knows scores, no pictures.

Letters: n pictures, K classes.
"""

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from medtl.errors import BadInput

Rule = Callable[[np.ndarray], np.ndarray]  # (n, K) -> (K,)


def mean(scores: np.ndarray) -> np.ndarray:
    return np.asarray(scores.mean(axis=0))


def median(scores: np.ndarray) -> np.ndarray:
    """By class; made to sum to what the rows sum to, as medians of several need not."""
    middle = np.median(scores, axis=0)
    return np.asarray(middle * scores.sum(axis=1).mean() / max(middle.sum(), 1e-12))


RULES: dict[str, Rule] = {"mean": mean, "median": median}


def rule(given: str | Rule) -> Rule:
    if callable(given):
        return given
    if given not in RULES:
        raise BadInput(f"The rule '{given}' is not known.", f"Choose one of {', '.join(RULES)}.")
    return RULES[given]


def units(patients: Sequence[str | None], groups: Sequence[str], files: Sequence[int]) -> dict[Hashable, list[int]]:
    """("patient", code), ("series", code) or ("file", number) -> positions, in order of appearance.

    A picture whose patient is known goes to the patient, else to its series, else to its file.
    """
    found: dict[Hashable, list[int]] = {}
    for at, (patient, group, file) in enumerate(zip(patients, groups, files, strict=True)):
        key = ("patient", patient) if patient else ("series", group) if group not in ("", "file") else ("file", file)
        found.setdefault(key, []).append(at)
    return found
