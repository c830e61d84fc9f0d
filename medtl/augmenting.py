"""What augmentation does to a few of a cohort's own training pictures, so that it can be seen before a run starts.

Uses the very function that training uses, with a fixed seed. Knows nothing of networks or of the screen.
"""

import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medtl.cohorts import library
from medtl.cohorts.pixels import Pixels
from medtl.errors import BadInput
from medtl.vocabulary import Cohort, InputSpec, labels_of
from medtl.workspace import Workspace

PICTURES = 4  # of the user's own
TIMES = 3  # how often each is changed
SIDE = 160  # pixels: enough to judge, quick to send


@dataclass(frozen=True)
class Example:
    """One training picture as a network is shown it, and what became of it each time; uint8 (S, S) or (S, S, 3)."""

    case: str
    original: np.ndarray
    changed: tuple[np.ndarray, ...]


def examples(workspace: Workspace, cohort_id: str, kind: str, channels: int = 3) -> tuple[Example, ...]:
    """`PICTURES` training cases, changed `TIMES` times each by the augmentation called `kind`. BadInput if unknown."""
    import torch

    from medtl.training.tensors import AUGMENTATIONS, augment, to_unit

    if kind not in AUGMENTATIONS:
        raise BadInput(f"There is no augmentation called '{kind}'.", f"There are: {', '.join(AUGMENTATIONS)}.")
    cohort = library.load(workspace, cohort_id)
    picked = pick(cohort)
    pixels = Pixels(workspace.cohort(cohort.id))
    shown = 1 if channels == 1 or all(pixels.stored[case].channels == 1 for case in picked) else 3
    pictures = np.stack(list(pixels.resized(picked, shown, SIDE)))  # (n, C, S, S) uint8
    spec = InputSpec(channels=shown, size=SIDE)
    x = to_unit(pictures, spec, torch.device("cpu")).repeat_interleave(TIMES, dim=0)  # n x TIMES, case by case
    changed = augment(x, kind, torch.Generator().manual_seed(0)).mul(255).round().byte().numpy()
    return tuple(
        Example(case, _picture(pictures[i]), tuple(_picture(one) for one in changed[TIMES * i : TIMES * (i + 1)]))
        for i, case in enumerate(picked)
    )


def pick(cohort: Cohort) -> tuple[str, ...]:
    """Training cases to show, of as many classes as there are, always the same ones."""
    train = set(cohort.split.train)
    of: dict[str, list[str]] = defaultdict(list)
    for case in cohort.cases:
        if case.id in train:
            of[(labels_of(case) or ("",))[0]].append(case.id)
    classes = [label for label in (*cohort.classes, "") if of[label]]
    turns = [ids[turn] for turn in range(PICTURES) for label in classes if turn < len(ids := of[label])]
    return tuple(turns[:PICTURES])


def as_message(shown: tuple[Example, ...], spool: Path) -> list[dict[str, Any]]:
    """The examples for the screen: each picture as a PNG in `spool`, to be taken from there."""
    return [
        {"case": one.case, "original": _write(one.original, spool), "changed": [_write(p, spool) for p in one.changed]}
        for one in shown
    ]


def _picture(pixels: np.ndarray) -> np.ndarray:
    """(C, S, S) -> (S, S) or (S, S, 3)."""
    return pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0))


def _write(picture: np.ndarray, spool: Path) -> str:
    from PIL import Image

    with tempfile.NamedTemporaryFile(dir=spool, prefix="picture-", suffix=".png", delete=False) as file:
        Image.fromarray(picture).save(file, format="PNG")
    return file.name
