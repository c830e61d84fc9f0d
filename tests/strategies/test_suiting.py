"""Settings that follow the cohort: uneven classes, kinds of images, sides; a user's own choice overrules them."""

import dataclasses
from typing import Any

import pytest

from medtl.errors import NotFound
from medtl.strategies import STRATEGIES, make, make_for, settings_of, suited
from medtl.vocabulary import Cohort
from tests.builders import cohort


def of(counts: dict[str, int], title: str = "Images", **facts: Any) -> Cohort:
    """A cohort of so many training cases a class, each with these facts."""
    labels = [label for label, count in counts.items() for _ in range(count)]
    made = cohort(train=len(labels), classes=tuple(counts))
    train = set(made.split.train)
    queue = iter(labels)
    cases = tuple(
        dataclasses.replace(case, label=next(queue) if case.id in train else next(iter(counts)), facts=facts)
        for case in made.cases
    )
    return dataclasses.replace(made, title=title, cases=cases)


@pytest.mark.parametrize("id", STRATEGIES.ids)
def test_what_is_suited_can_be_set(id: str) -> None:
    for one in (of({"a": 40, "b": 4}, modality="US"), of({"left lung": 9, "right lung": 9}, "Blood cells")):
        wanted = suited(id, one)
        assert set(wanted) <= {s.name for s in settings_of(STRATEGIES[id])}
        assert all(getattr(make_for(id, one), name) == value for name, value in wanted.items())


def test_uneven_classes_are_balanced() -> None:
    for id in ("linear-probe", "fine-tune"):
        assert "class_weights" not in suited(id, of({"a": 30, "b": 10}))
        assert suited(id, of({"a": 31, "b": 10}))["class_weights"] == "balanced"
        assert "class_weights" not in suited(id, of({"a": 20, "b": 20, "c": 0})), "what is not there cannot be shown"
    assert "class_weights" not in suited("multi-task", of({"a": 31, "b": 10})), "it is balanced already"


@pytest.mark.parametrize(
    ("title", "facts", "kind"),
    [
        ("Images", {"modality": "DX"}, "film"),
        ("Images", {"modality": "us"}, None),  # told, and on offer, but "mild" was measured to be better
        ("Images", {"modality": "SM"}, "microscopy"),
        ("Images", {"modality": "CT"}, None),
        ("Blood cells", {}, "microscopy"),
        ("Blood cells", {"modality": "CT"}, None),
        ("Breast ultrasound", {}, None),
        ("Chest X-rays of children", {}, "film"),
        ("Chest X-rays and ultrasound", {}, None),
        ("Chest pathology", {}, None),
        ("Microfilmsx", {}, None),
        ("Images", {}, None),
    ],
)
def test_augmentation_follows_what_the_images_are(title: str, facts: dict[str, str], kind: str | None) -> None:
    said = suited("fine-tune", of({"a": 10, "b": 10}, title, **facts))
    assert said == ({"augmentation": kind} if kind else {})


def test_a_kind_that_only_some_cases_have_is_none() -> None:
    mixed = of({"a": 10, "b": 10}, modality="DX")
    half = tuple(dataclasses.replace(case, facts={}) if i % 2 else case for i, case in enumerate(mixed.cases))
    assert suited("fine-tune", dataclasses.replace(mixed, cases=half)) == {}


def test_nothing_is_mirrored_where_a_side_is_in_question() -> None:
    assert suited("fine-tune", of({"kidney-left": 10, "kidney-right": 10}, "Microscopy")) == {}
    assert suited("fine-tune", of({"a": 10, "b": 10}, "Microscopy", side="L")) == {}
    assert suited("multi-task", of({"kidney: left": 9, "kidney: right": 9})) == {"augmentation": "mild"}
    assert suited("fine-tune", of({"copyrighted": 10, "cleft": 10}, "Microscopy")) == {"augmentation": "microscopy"}


def test_the_users_own_choice_overrules() -> None:
    uneven = of({"a": 40, "b": 4}, modality="DX")
    made: Any = make_for("fine-tune", uneven, {"class_weights": "focal", "epochs": "3"})
    assert (made.class_weights, made.augmentation, made.epochs) == ("focal", "film", 3)
    plain: Any = make("fine-tune")
    assert plain.class_weights == "as they are" and plain.augmentation == "mild", "without a cohort nothing follows"


def test_an_unknown_strategy_is_said() -> None:
    with pytest.raises(NotFound):
        suited("no-such", cohort())
