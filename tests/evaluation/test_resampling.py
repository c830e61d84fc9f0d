"""Draws of patients: whole patients, every kind as often as in the test part, the same for the same seed."""

import numpy as np
import pytest

from medtl.evaluation.resampling import resample


def test_patients_are_drawn_whole_and_kind_by_kind() -> None:
    random = np.random.default_rng(0)
    patients = np.array([f"p{i}" for i in random.integers(0, 30, 100)], dtype=object)
    ill = {f"p{i}" for i in range(12)}
    y = np.array([int(who in ill) for who in patients])
    draws = resample(y, patients, 1, seed=1, draws=50)
    assert (draws.unit, draws.repeats, draws.how) == ("patient", True, "bootstrap by patient, 50")
    for who in set(patients):
        assert (np.ptp(draws.counts[patients == who], axis=0) == 0).all()
    _, first = np.unique(patients, return_index=True)
    of_patients = draws.counts[first].astype(int)
    for kind in (0, 1):
        assert (of_patients[y[first] == kind].sum(axis=0) == (y[first] == kind).sum()).all()


@pytest.mark.parametrize("patients", [None, np.array([None] * 40, dtype=object)])
def test_without_patients_cases_are_drawn(patients: np.ndarray | None) -> None:
    y = np.repeat([0, 1], 20)
    draws = resample(y, patients, 1, seed=0, draws=30)
    assert (draws.unit, draws.repeats) == ("case", False)
    assert (draws.counts[y == 1].sum(axis=0) == 20).all()


def test_cases_of_unknown_patients_stand_for_themselves() -> None:
    patients = np.array(["a", "a", None, None, "None"], dtype=object)
    draws = resample(np.array([0, 1, 0, 1, 0]), patients, 1, seed=0, draws=5)
    assert draws.group.tolist() == [0, 0, 1, 2, 3]


def test_the_rarest_class_of_a_patient_is_in_every_draw() -> None:
    y = np.array([0] * 50 + [1] * 30 + [2] * 2)
    draws = resample(y, None, None, seed=0, draws=200)
    assert (draws.counts[y == 2].sum(axis=0) == 2).all()


def test_the_seed_decides_and_chunks_hold_all_draws() -> None:
    y = np.arange(3000) % 2
    first, again, other = (resample(y, None, 1, seed, 400).counts for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).any()
    chunks = list(resample(y, None, 1, 1, 400).chunks())
    assert len(chunks) > 1 and (np.concatenate(chunks, axis=1) == first).all()


def test_draws_vary_as_they_should() -> None:
    counts = resample(np.repeat([0, 1], 100), None, 1, 0, 4000).counts.astype(float)
    assert counts.mean() == pytest.approx(1)
    assert counts.var() == pytest.approx(0.99, abs=0.01)  # multinomial: 1 - 1/100
