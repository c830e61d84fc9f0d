"""What could not be computed, and why, in words."""

from collections.abc import Collection

import numpy as np

from medtl.evaluation.values import Table, spoken

CALIBRATION_CASES = 100  # of the rarer class; below, slope and intercept are shown but not judged
FAILED_DRAWS = 0.05  # more draws than this without a value are said


def notes(table: Table, missing: Collection[str], failed: float) -> tuple[str, ...]:
    """`missing` are the names without an estimate, `failed` the share of draws that held one class only."""
    absent = [name for name, row in zip(table.classes, table.confusion, strict=True) if not row.sum()]
    said = [f"No {spoken(name)} case in the test part." for name in absent]
    if table.k > 2 and 0 < len(absent) < table.k - 1:
        said.append(f"The averages leave out {', '.join(map(spoken, absent))}.")
    if "auroc" in missing:
        said.append("AUROC and AUPRC cannot be computed: the test part holds cases of one class only.")
    said += _of_calls(table, absent, missing)
    if table.k == 2 and not absent:
        said += _of_calibration(table, missing)
    if "auroc" not in missing and failed > FAILED_DRAWS:
        said.append(f"{failed:.0%} of the draws held one class only and were left out: read the intervals with care.")
    return tuple(said)


def _of_calls(table: Table, absent: Collection[str], missing: Collection[str]) -> list[str]:
    said = []
    for view in table.views:
        name = table.classes[view]
        if not table.confusion[:, view].sum() and name not in absent:
            left = "PPV cannot be computed" if table.k == 2 else f"the average PPV leaves {name} out"
            said.append(f"No case was called {name}: {left}.")
    if table.k == 2 and "npv" in missing:
        said.append(f"Every case was called {table.classes[table.views[0]]}: NPV cannot be computed.")
    return said


def _of_calibration(table: Table, missing: Collection[str]) -> list[str]:
    said = []
    rarest = int(table.confusion.sum(axis=1).argmin())
    cases = int(table.confusion[rarest].sum())
    if cases < CALIBRATION_CASES:
        said.append(f"Too few to judge the calibration: {cases} {table.classes[rarest]} in the test part.")
    constant = len(np.unique(table.logits)) == 1
    if "calibration_slope" in missing:
        why = "the errors are too few for it"
        if table.whole["auroc"] in (0.0, 1.0):
            why = "the scores separate the classes wholly"
        said.append(f"The calibration slope cannot be computed: {'all scores are the same' if constant else why}.")
    if "calibration_intercept" in missing:
        why = "all scores are the same" if constant else "the cases are too few for it"
        said.append(f"The calibration intercept cannot be computed: {why}.")
    return said
