"""Changes of pictures: nothing at strength 0, more the stronger they are, the same for one seed; and what they cost."""

import dataclasses

import numpy as np
import pytest

from medtl.evaluation import robustness
from medtl.modalities.perturbations import KINDS, PERTURBATIONS, Picture, applied
from medtl.vocabulary import Cohort, Estimate
from tests import builders


def picture(colour: bool = False, seed: int = 0) -> Picture:
    """Smooth shapes and a little texture, 48 x 60."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:48, :60]
    grey = 120 + 60 * np.sin(rows / 7) * np.cos(columns / 9) + rng.normal(0, 8, rows.shape)
    shape = np.stack([grey, grey * 0.9, grey * 0.7], axis=-1) if colour else grey
    return np.clip(shape, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_strength_0_changes_nothing_and_every_kind_keeps_the_size(kind: str, colour: bool) -> None:
    before = picture(colour)
    assert applied(before, kind, 0, 1) is before
    amounts = [one.amount for one in PERTURBATIONS if one.kind == kind]
    for amount in amounts:
        after = applied(before, kind, amount, 1)
        assert after.shape == before.shape and after.dtype == np.uint8 and (after != before).any()
        assert (applied(before, kind, amount, 1) == after).all()
    assert (before == picture(colour)).all(), "the picture that was given stays as it is"


@pytest.mark.parametrize("kind", KINDS)
def test_strong_is_more_than_mild(kind: str) -> None:
    before = picture().astype(int)
    by_name: dict[str, dict[str, float]] = {}
    for one in PERTURBATIONS:
        if one.kind == kind:
            away = np.abs(applied(picture(), kind, one.amount, 3).astype(int) - before).mean()
            by_name.setdefault(one.name.partition(" ")[2], {})[one.strength] = float(away)
    assert by_name and all(found["strong"] > found["mild"] > 0 for found in by_name.values())


def test_a_kind_tends_to_nothing_with_its_amount() -> None:
    for kind in ("brightness", "contrast", "noise", "blur", "rotation", "resolution"):
        away = np.abs(applied(picture(), kind, 1e-4, 2).astype(int) - picture()).mean()
        assert away < 2, kind


def test_each_has_an_id_of_its_own_and_a_number_in_its_words() -> None:
    assert len({one.id for one in PERTURBATIONS}) == len(PERTURBATIONS)
    assert {one.kind for one in PERTURBATIONS} == set(KINDS)
    assert {one.strength for one in PERTURBATIONS} == {"mild", "strong"}
    assert all(one.does.endswith(".") for one in PERTURBATIONS)


# ---- what it costs ---------------------------------------------------------------------------------------------------


def textured(n: int = 80) -> tuple[list[Picture], np.ndarray]:
    """Coarse clouds, and a chequer of single pixels, stronger in those that have it: blur takes it away."""
    rng = np.random.default_rng(5)
    y = np.arange(n) % 2
    chequer = np.indices((160, 160)).sum(axis=0) % 2 - 0.5
    pictures = []
    for k in y:
        clouds = np.kron(rng.normal(0, 1, (10, 10)), np.ones((16, 16))) * rng.uniform(5, 15)
        texture = chequer * (8 + 6 * k + rng.normal(0, 2))
        pictures.append(np.clip(128 + clouds + texture, 0, 255).astype(np.uint8))
    return pictures, y


def answers(pictures: list[Picture]) -> np.ndarray:
    """(n, 2): how different neighbours are, as a score."""
    energy = np.array([np.abs(np.diff(one.astype(float), axis=1)).mean() for one in pictures])
    score = 1 / (1 + np.exp(-(energy - 12) / 2))
    return np.stack([1 - score, score], axis=1)


def toy(n: int = 80) -> Cohort:
    return builders.cohort(train=n)


def test_blur_harms_a_task_of_fine_texture_and_darkening_does_not() -> None:
    pictures, y = textured()
    before = answers(pictures)
    found = {}
    for one in PERTURBATIONS:
        after = answers([applied(p, one.kind, one.amount, i) for i, p in enumerate(pictures)])
        differ = after.argmax(axis=1) != before.argmax(axis=1)
        found[one.id] = robustness.cost(toy(), y, before, after, differ, None, one.name, seed=0)
    blur, dark = found["blur-strong"], found["darkening-mild"]
    assert blur.verdict == "falls" and blur.fall.low > 0.1 and "AUROC falls by" in blur.says
    assert blur.fall.value == pytest.approx(robustness.unchanged(toy(), y, before, None, 0).value - blur.auroc.value)
    assert dark.verdict == "no fall shown" and abs(dark.fall.value) < 0.02
    says = robustness.sentence([one.name for one in PERTURBATIONS], list(found.values()), len(y))
    assert says.startswith("AUROC falls by") and "strong blur" in says and "Calls change most under" in says


def test_no_change_is_no_fall_and_no_call() -> None:
    pictures, y = textured()
    before = answers(pictures)
    found = robustness.cost(toy(), y, before, before, np.zeros(len(y), bool), None, "nothing", seed=0)
    assert found.fall.value == 0 and found.fall.low <= 0 <= found.fall.high
    assert found.changed.value == 0 and found.changed.high > 0
    says = robustness.sentence(["nothing"], [found], len(y))
    assert says.startswith("No fall of the AUROC shown") and "No call changes." in says


def test_one_of_many_changes_must_fall_further_to_be_called_a_fall() -> None:
    """The plain interval is shown as it is; what decides is wider, so that eighteen looks do not find a chance one."""
    y = np.arange(300) % 2
    rng = np.random.default_rng(3)
    score = 1 / (1 + np.exp(-(2 * y - 1 + rng.normal(0, 1, 300))))
    told = set()
    for noise in np.linspace(0.0, 0.25, 26):
        less = np.clip(score + rng.normal(0, noise, 300), 0.001, 0.999)
        sides = [np.stack([1 - one, one], axis=1) for one in (score, less)]
        alone, among = (
            robustness.cost(toy(), y, sides[0], sides[1], y > 1, None, "noise", seed=0, among=k) for k in (1, 18)
        )
        assert (alone.fall, alone.widened.low) == (among.fall, pytest.approx(alone.fall.low))
        if among.fall.high > among.fall.low:
            assert among.widened.low < among.fall.low and among.widened.high > among.fall.high
        assert (among.verdict == "falls") == (among.widened.low > 0 and among.fall.value >= 0.01)
        told.add((alone.verdict, among.verdict))
        if (alone.verdict, among.verdict) == ("falls", "no fall shown"):
            assert "among 18 changes can be chance" in among.says and f"{among.fall.low:.2f}" in among.says
    assert ("falls", "no fall shown") in told and ("falls", "falls") in told


def test_few_patients_say_nothing() -> None:
    y = np.arange(40) % 2
    before = np.stack([1 - y * 0.8 - 0.1, y * 0.8 + 0.1], axis=1)
    patients = np.array([f"p{i // 4}" for i in range(40)], dtype=object)
    found = robustness.cost(toy(), y, before, before[::-1], y > 0, patients, "mirror", seed=0)
    assert found.verdict == "too few" and "too few to say" in found.says
    assert "Too few" in robustness.sentence(["mirror"], [found], 40)


def test_calls_of_one_patient_go_together() -> None:
    differ = np.arange(90) < 30
    alone = robustness._share(differ, None, 0)
    patients = np.array([f"p{i // 10}" for i in range(90)], dtype=object)
    together = robustness._share(differ, patients, 0)
    assert alone.value == together.value == pytest.approx(1 / 3)
    assert together.high - together.low > 1.5 * (alone.high - alone.low) and "patient" in together.how


# ---- who is tried ----------------------------------------------------------------------------------------------------


def test_all_are_tried_where_they_are_few() -> None:
    y = np.arange(50) % 2
    assert (robustness.drawn(toy(), y, None, 0) == np.arange(50)).all()


@pytest.mark.parametrize("images", [1, 5])
def test_patients_are_drawn_whole_and_a_rare_class_is_not_lost(images: int) -> None:
    n = 3000
    y = (np.arange(n) // images % 50 == 0).astype(int)
    patients = np.array([f"p{i // images}" for i in range(n)], dtype=object)
    chosen = robustness.drawn(toy(), y, patients, seed=1, most=300)
    assert 250 <= len(chosen) <= 300 and (np.diff(chosen) > 0).all()
    for who in set(patients[chosen]):
        assert set(np.flatnonzero(patients == who)) <= set(chosen)
    assert (y[chosen] == 1).sum() >= 30 and y.mean() < 0.03
    assert (robustness.drawn(toy(), y, patients, seed=1, most=300) == chosen).all()
    assert (robustness.drawn(toy(), y, patients, seed=2, most=300)[: len(chosen)] != chosen[: len(chosen)]).any()


def test_a_rare_finding_is_not_lost() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random((2000, 3)) < [0.5, 0.2, 0.01]).astype(int)
    truth[rng.random((2000, 3)) < 0.1] = -1
    cohort = dataclasses.replace(toy(), task="multi-label", classes=("a", "b", "c"))
    chosen = robustness.drawn(cohort, truth, None, 0)
    assert 250 <= len(chosen) <= 300 and (truth[chosen, 2] == 1).sum() >= min(15, (truth[:, 2] == 1).sum())


def test_estimates_carry_n_and_method() -> None:
    pictures, y = textured(40)
    before = answers(pictures)
    found = robustness.cost(toy(), y, before, before[:, ::-1], y > 0, None, "turned round", seed=0)
    for one in (found.auroc, found.fall, found.changed):
        assert isinstance(one, Estimate) and one.n == 40 and one.how and one.low <= one.value <= one.high
