"""The examples are the user's own training pictures, changed by what training uses, and the same every time."""

from pathlib import Path

import numpy as np
import pytest

from medtl import augmenting
from medtl.errors import BadInput
from medtl.training.tensors import AUGMENTATIONS
from tests.conftest import Practice


def test_the_pictures_are_of_the_train_part_and_of_every_class(practice: Practice) -> None:
    picked = augmenting.pick(practice.cohort)
    assert len(set(picked)) == augmenting.PICTURES and set(picked) <= set(practice.cohort.split.train)
    labels = {case.id: case.label for case in practice.cohort.cases}
    assert {labels[id] for id in picked} == set(practice.cohort.classes)


@pytest.mark.parametrize("kind", AUGMENTATIONS)
def test_each_is_changed_as_in_training_and_the_same_way_twice(practice: Practice, kind: str) -> None:
    shown = augmenting.examples(practice.ws, practice.cohort.id, kind)
    again = augmenting.examples(practice.ws, practice.cohort.id, kind)
    for one, other in zip(shown, again, strict=True):
        assert len(one.changed) == augmenting.TIMES
        assert one.original.shape[:2] == (augmenting.SIDE, augmenting.SIDE) and one.original.dtype == np.uint8
        assert all(np.array_equal(a, b) for a, b in zip(one.changed, other.changed, strict=True))
        same = [np.array_equal(one.original, changed) for changed in one.changed]
        assert all(same) if kind == "none" else not any(same)


def test_an_unknown_augmentation_names_those_that_exist(practice: Practice) -> None:
    with pytest.raises(BadInput) as error:
        augmenting.examples(practice.ws, practice.cohort.id, "wild")
    assert all(kind in error.value.advice for kind in AUGMENTATIONS)


def test_the_screen_gets_files_in_the_spool(practice: Practice) -> None:
    said = augmenting.as_message(augmenting.examples(practice.ws, practice.cohort.id, "mild"), practice.ws.spool)
    files = [Path(path) for one in said for path in (one["original"], *one["changed"])]
    assert all(file.parent == practice.ws.spool and file.read_bytes()[:4] == b"\x89PNG" for file in files)
    for file in files:
        file.unlink()
