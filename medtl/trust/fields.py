"""What is known of the test cases besides picture and label, for subgroups: sex, age, site, scanner and the like."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from medtl.evaluation import bands
from medtl.vocabulary import Case, Cohort

# As a reader looks for them. File format and the like are looked for as shortcuts, not as groups of people.
FIELDS = ("sex", "age", "site", "scanner", "view", "side", "modality", "body", "period")
SEXES = {"F": "female", "M": "male", "O": "other"}
DAYS_A_YEAR = 365.25
UNITS = {"Y": 1.0, "M": 12.0, "W": DAYS_A_YEAR / 7, "D": DAYS_A_YEAR}


def of(cohort: Cohort, ids: Sequence[str]) -> dict[str, list[Any]]:
    """Field -> what is known of each of these cases, None where nothing is; only fields in which some of them differ or
    that are not recorded for all. Ages come in bands."""
    known = {case.id: case for case in cohort.cases}
    table = {field: [value(known.get(id), field) for id in ids] for field in FIELDS}
    table["age"] = list(bands.age_bands(table["age"]))
    return {field: values for field, values in table.items() if len(set(values)) > 1}


def value(case: Case | None, field: str) -> Any:
    if case is None:
        return None
    if field == "age":
        return age(case)
    said = case.facts.get(field)
    if said in (None, ""):
        return None
    return SEXES.get(str(said).strip().upper(), str(said)) if field == "sex" else str(said)


def age(case: Case) -> float | None:
    """Years from "63", 63.0, "063Y" or "018M"; None for anything else."""
    text = str(case.facts.get("age", "")).strip().upper()
    unit = UNITS.get(text[-1:])
    try:
        years = float(text[:-1] if unit else text) / (unit or 1.0)
    except ValueError:
        return None
    return years if np.isfinite(years) and years >= 0 else None
