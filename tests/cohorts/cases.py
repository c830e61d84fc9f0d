"""Cases made in code, and what the checks say of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from medtl.cohorts import splits
from medtl.cohorts.findings import checks
from medtl.cohorts.findings.looks import Looks
from medtl.vocabulary import Case, Finding

USUAL = Looks(brightness=0.4, contrast=0.2, sharpness=0.3, dark=0.05, border=0.0, colour=0.0)


def case(id: str, label: str = "a", patient: str | None = None, part: str = "", sha256: str = "", **more: Any) -> Case:
    return Case(id, f"{id}.png", label, "", sha256 or id, patient, part, **more)


def many(label: str, count: int, patient: str | None = "p", **more: Any) -> list[Case]:
    return [case(f"{label}{n}", label, patient and f"{patient}{label}{n}", **more) for n in range(count)]


def find(
    cases: Sequence[Case],
    near: Sequence[tuple[str, str]] = (),
    constant: Sequence[str] = (),
    fingerprints: Mapping[str, str] | None = None,
    **more: Any,
) -> dict[str, Finding]:
    """The findings by code, the first of each."""
    twins = checks.twins_of(cases, fingerprints or {one.id: one.id for one in cases})
    split = splits.make(cases, twins, near)
    all_found = checks.findings(cases, twins, near, constant, split, **more)
    assert {one.code for one in all_found} <= set(checks.CODES)
    assert all(one.message and one.advice for one in all_found)
    return {one.code: one for one in reversed(all_found)}


def alike(cases: Sequence[Case], seed: int = 0) -> dict[str, Looks]:
    """Looks as one device makes them of similar patients: each number normal about its mean, none far off."""
    random = np.random.default_rng(seed)
    draws = random.normal(size=(len(cases), 3))
    return {
        one.id: Looks(
            brightness=float(np.clip(0.33 + 0.08 * draw[0], 0, 1)),
            contrast=float(np.clip(0.2 + 0.03 * draw[1], 0, 1)),
            sharpness=float(0.33 * np.exp(0.3 * draw[2])),
            dark=0.02,
            border=0.0,
            colour=0.0,
        )
        for one, draw in zip(cases, draws, strict=True)
    }
