"""Settings that follow the cohort: what a strategy's defaults become for these cases. A user's own choice overrules.

Knows counts, names and facts of cases; looks at no picture.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from medtl.strategies import common
from medtl.strategies.strategy import Setting, settings_of
from medtl.vocabulary import Cohort, labels_of

UNEVEN = 3.0  # how many times the smallest class the largest may be before classes are balanced
MANY = 100  # cases of the smallest class from which on those of the tune part teach nothing that is not known
ENOUGH_TO_STOP = 25  # tuning cases of the smallest class that can tell one epoch from another
_MOST = 0.9  # share of the cases that must agree on what they are
# Kinds of images, by DICOM's codes of modalities and, where no case has one, by words of titles and class names.
_CODES = {
    "film": {"CR", "DX", "DR", "RG", "MG", "PX", "IO", "XR"},
    "ultrasound": {"US", "IVUS", "ULTRASOUND"},
    "microscopy": {"SM", "GM"},
}
_WORDS = {
    "film": r"x-?rays?|radiographs?|films?|mammogra\w*",
    "ultrasound": r"ultrasound|sonogra\w*|echocardiogra\w*",
    "microscopy": r"microscop\w*|blood cells?|histolog\w*|cytolog\w*|smears?",
}
_MIRRORED = ("with flips", "strong", "microscopy")
_SIDE = re.compile(r"(?<![a-z])(left|right)(?![a-z])", re.IGNORECASE)


def suited(id: str, cohort: Cohort) -> Mapping[str, Any]:
    """Name -> value of the settings of strategy `id` that should differ from their plain defaults on this cohort.

    Raises NotFound for a strategy that does not exist.
    """
    from medtl.strategies import STRATEGIES  # the shelf itself offers this function

    have = {one.name: one for one in settings_of(STRATEGIES[id])}
    wanted = {
        "class_weights": _class_weights(cohort),
        "augmentation": _augmentation(cohort, have.get("augmentation")),
        "looks": _looks(cohort),
        "learn_tune": "yes" if fewest(cohort) < MANY else "no",
    }
    if id == "full":
        wanted |= _of_full(cohort)
    return {
        name: value
        for name, value in wanted.items()
        if name in have and value is not None and value != have[name].default
    }


def _class_weights(cohort: Cohort) -> str | None:
    """Balanced where the largest class has more than `UNEVEN` times the training cases of the smallest.

    Several findings are as they are: each is rare for itself, and weights would raise all scores above prevalence.
    """
    if cohort.task == "multi-label":
        return None
    train = set(cohort.split.train)
    counts = Counter(label for case in cohort.cases if case.id in train for label in labels_of(case))
    have = [counts[label] for label in cohort.classes if counts[label]]
    return common.BALANCED if have and max(have) > UNEVEN * min(have) else None


def _augmentation(cohort: Cohort, setting: Setting | None) -> str | None:
    """What respects the anatomy: never mirrored where a side is in question; as it is where nothing is known.

    "ultrasound" is on offer and not set: "mild" was better in all of three draws (docs/benchmarks.md).
    """
    if setting is None:
        return None
    kind = kind_of_images(cohort) if setting.default == "mild" else setting.default
    if kind == "ultrasound":
        return "mild"
    if kind in _MIRRORED and _side_matters(cohort):
        return "mild"
    return kind


def _looks(cohort: Cohort) -> int:
    """Several looks at a picture are worth most where pictures are few, and cost as many passes over all of them."""
    cases = len(cohort.cases)
    return 4 if cases <= 1000 else 2 if cases <= 3000 else 0


def _of_full(cohort: Cohort) -> dict[str, Any]:
    """Few cases want many small steps and no early stopping; with more each epoch is many steps already, and the tune
    part can tell when to stop (docs/benchmarks.md)."""
    train = len(cohort.split.train)
    size = {"epochs": 20, "batch": 16} if train <= 600 else {"epochs": 10 if train <= 3000 else 5, "batch": 32}
    return size | {"patience": 4 if fewest(cohort, "tune") >= ENOUGH_TO_STOP else 0}


def fewest(cohort: Cohort, part: str = "train") -> int:
    """Cases of the smallest class in this part."""
    mine = set(getattr(cohort.split, part))
    counts = Counter(label for case in cohort.cases if case.id in mine for label in labels_of(case))
    return min((counts[label] for label in cohort.classes), default=0)


def kind_of_images(cohort: Cohort) -> str | None:
    """The augmentation made for such images: "film", "ultrasound" or "microscopy"; None where it cannot be told."""
    codes = Counter(str(case.facts["modality"]).upper() for case in cohort.cases if case.facts.get("modality"))
    if codes:
        for kind, known in _CODES.items():
            if sum(codes[code] for code in known) >= _MOST * len(cohort.cases):
                return kind
        return None
    words = " ".join((cohort.title, *cohort.classes))
    found = [kind for kind, pattern in _WORDS.items() if re.search(rf"(?<![a-z])({pattern})(?![a-z])", words, re.I)]
    return found[0] if len(found) == 1 else None


def _side_matters(cohort: Cohort) -> bool:
    return any(_SIDE.search(label) for label in cohort.classes) or any(case.facts.get("side") for case in cohort.cases)
