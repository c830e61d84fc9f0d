"""Unlabelled images and a teacher: what may be used, that the test part stays out of it, and a run of each."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medtl import aids, start
from medtl.cohorts import library as cohorts
from medtl.cohorts.pixels import Pixels
from medtl.errors import BadInput, MedtlError, NotFound, NotReady
from medtl.modalities.image import keys
from medtl.runs import events, results, store
from medtl.sources import library as sources
from medtl.vocabulary import Cohort, InputSpec
from tests.builders import CPU, Heard, add_cohort, estimates, work, write_pictures
from tests.conftest import Practice

SPEC = InputSpec(size=32)


@pytest.fixture(scope="module")
def more(practice: Practice, tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Ten new pictures of the same kind, and all of the practice cohort's again."""
    folder = write_pictures(tmp_path_factory.mktemp("more") / "pictures", 5, seed=7)
    for k, label in enumerate(("benign", "malignant")):
        for n in range(5):
            (folder / label / f"p{k}{n:02}.png").rename(folder / label / f"q{k}{n:02}.png")
    write_pictures(folder, 30)
    return cohorts.add(practice.ws, folder, name="More discs")


def named(practice: Practice, strategy: str, **more: Any) -> str:
    return start.start(practice.ws, practice.cohort.id, practice.source, strategy, launch=False, **more)


# ---- what may be used -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "named_too", "kind", "word"),
    [
        ("pseudo-labels", {}, BadInput, "needs a cohort of unlabelled images"),
        ("distil", {}, BadInput, "needs a finished run"),
        ("linear-probe", {"unlabelled": "x"}, BadInput, "does not use a cohort of unlabelled images"),
        ("linear-probe", {"teacher": "x"}, BadInput, "does not use a finished run"),
        ("pseudo-labels", {"unlabelled": "no-such"}, NotFound, "no such cohort"),
        ("pseudo-labels", {"unlabelled": "itself"}, BadInput, "the cohort itself"),
        ("distil", {"teacher": "no-such"}, NotFound, "no such run"),
        ("distil", {"teacher": "../cohorts"}, NotFound, "no such run"),
    ],
)
def test_what_cannot_be_used_is_said_and_leaves_no_run(
    practice: Practice, strategy: str, named_too: dict[str, str], kind: type[MedtlError], word: str
) -> None:
    before = len(store.runs(practice.ws))
    given = {key: practice.cohort.id if value == "itself" else value for key, value in named_too.items()}
    with pytest.raises(kind) as error:
        named(practice, strategy, **given)
    assert word in error.value.message and error.value.advice
    assert len(store.runs(practice.ws)) == before


def test_a_teacher_is_a_finished_run_of_this_very_cohort(practice: Practice, tmp_path: Path) -> None:
    waiting = named(practice, "linear-probe")
    with pytest.raises(NotReady):
        aids.check_teacher(practice.ws, waiting, practice.cohort)
    store.delete(practice.ws, waiting)
    aids.check_teacher(practice.ws, practice.run, practice.cohort)
    other = add_cohort(practice.ws, tmp_path / "other", per_class=12, seed_of_pictures=3)
    with pytest.raises(BadInput) as error:
        aids.check_teacher(practice.ws, practice.run, other)
    assert "another cohort" in error.value.message
    split = practice.cohort.split
    swapped = dataclasses.replace(
        split, train=(*split.train[1:], split.test[0]), test=(split.train[0], *split.test[1:])
    )
    with pytest.raises(BadInput) as error:
        aids.check_teacher(practice.ws, practice.run, dataclasses.replace(practice.cohort, split=swapped))
    assert "other cases" in error.value.message


# ---- the test part stays out ----------------------------------------------------------------------------------------


def test_a_teacher_is_asked_about_training_cases_only(practice: Practice) -> None:
    part = practice.cohort.split.part_of()
    train = np.flatnonzero([part.get(case.id) == "train" for case in practice.cohort.cases])
    scores = aids.teacher(practice.ws, practice.run, practice.cohort, train, CPU, Heard())
    rest = np.setdiff1d(np.arange(len(scores)), train)
    assert np.allclose(scores[train].sum(axis=1), 1) and np.isnan(scores[rest]).all() and len(rest)


def test_images_the_cohort_holds_are_left_out_by_their_pixels(practice: Practice, more: Cohort) -> None:
    heard = Heard()
    found = aids.unlabelled(practice.ws, more.id, practice.cohort, SPEC, heard)
    own = set(keys(Pixels(practice.ws.cohort(practice.cohort.id)), practice.cohort))
    assert len(found.keys) == 10 and not own & set(found.keys)
    assert found.inputs.take(np.arange(10)).shape[0] == 10 and found.inputs.take(np.array([3])).shape[2:] == (32, 32)
    assert "10 images" in heard.notes[0] and "60 were left out" in heard.notes[0]


def test_of_a_version_of_the_same_cohort_the_judged_patients_are_left_out(practice: Practice, more: Cohort) -> None:
    """A new picture of a patient of the test part tells of that patient."""
    judged = next(c for c in practice.cohort.cases if c.id in practice.cohort.split.test)
    case = dataclasses.replace(more.cases[0], patient=judged.patient)
    version = dataclasses.replace(more, cases=(case,), root=practice.cohort.first)
    assert aids._new_to(practice.cohort, version, set(), {case.id: "print"}) == ()
    assert aids._new_to(practice.cohort, dataclasses.replace(version, root=""), set(), {case.id: "print"}) == (case,)


def test_a_picture_that_is_there_twice_is_used_once(practice: Practice, more: Cohort) -> None:
    one, other = more.cases[:2]
    pair = dataclasses.replace(more, cases=(one, other))
    assert aids._new_to(practice.cohort, pair, set(), {one.id: "same", other.id: "same"}) == (one,)
    assert aids._new_to(practice.cohort, pair, {"same"}, {one.id: "same", other.id: "same"}) == ()


# ---- carried out ----------------------------------------------------------------------------------------------------


def test_a_run_with_unlabelled_images_says_what_became_of_them(practice: Practice, more: Cohort) -> None:
    id = named(practice, "pseudo-labels", unlabelled=more.id, settings={"sure": 0.6})
    folder = practice.ws.run(id)
    assert work(folder) == 0, (folder / "log.txt").read_text()
    notes = [event["message"] for event in events.read(folder) if event["event"] == "note"]
    assert any("10 images of 'More discs' are used without their labels" in note for note in notes)
    assert any("unlabelled images were answered with a score of 0.60" in note for note in notes)
    assert f"--unlabelled {more.id}" in (folder / "result" / "card.toml").read_text()
    cases = {row.case for row in results.predictions(folder)}
    assert cases == set(practice.cohort.split.tune) | set(practice.cohort.split.test)
    store.delete(practice.ws, id)


def test_a_run_learns_from_a_teacher_and_can_be_asked(practice: Practice) -> None:
    id = named(practice, "distil", teacher=practice.run, settings={"epochs": 1})
    folder = practice.ws.run(id)
    assert work(folder) == 0, (folder / "log.txt").read_text()
    assert estimates(folder)["sentence"] and f"--teacher {practice.run}" in (folder / "result/card.toml").read_text()
    store.delete(practice.ws, id)


@pytest.mark.parametrize("strategy", ["neighbours", "class-means"])
def test_a_run_of_likeness_can_be_asked_and_is_given_away_without_its_cases(
    practice: Practice, strategy: str, tmp_path: Path
) -> None:
    from medtl.prediction import Trained
    from medtl.sources.trained import export_as_source
    from medtl.sources.weights import HEAD, load_network, read_safetensors

    id = named(practice, strategy)
    folder = practice.ws.run(id)
    assert work(folder) == 0, (folder / "log.txt").read_text()
    case = practice.cohort.cases[0].id
    trained = Trained(practice.ws, id)
    try:
        answer = trained.predict([practice.original(case)], "predicted")[0]
    finally:
        trained.close()
    stored = {row.case: row.scores for row in results.predictions(folder)}
    if case in stored:
        assert answer.scores == pytest.approx(stored[case], abs=1e-3)
    assert answer.explanation is not None and answer.explanation.state != "invalid"
    export_as_source(folder, tmp_path / "given")
    kept = [key for key in read_safetensors(tmp_path / "given" / "weights.safetensors") if key.startswith(HEAD)]
    assert bool(kept) == (strategy == "class-means")
    load_network(sources.from_run(folder), practice.ws.weights, 2)
    store.delete(practice.ws, id)
