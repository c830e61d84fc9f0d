"""What else differs between two sets: known differences come out, by patient, and none is not invented."""

import numpy as np
import pytest
from scipy.stats import energy_distance, mannwhitneyu

from medtl.evaluation.resampling import Resampling, whose
from medtl.evaluation.shift import compared, energy, shift
from medtl.evaluation.views import View


def of(n: int, images: int = 1) -> Resampling:
    return whose(n, (np.arange(n) // images).astype(object))


def scored(n: int, share: float, seed: int, high: float = 0.0) -> View:
    """Scores that mean what they say where `high` is 0."""
    random = np.random.default_rng(seed)
    score = random.beta(0.8, 0.8 * (1 - share) / share, n)
    return View("ill", "well", random.random(n) < score, np.clip(score + high, 0, 1), np.arange(n))


def test_measurements_are_compared_in_standard_deviations_and_pairs() -> None:
    random = np.random.default_rng(0)
    inner, outer = random.normal(100, 10, 300), random.normal(106, 12, 200)
    made = compared("Brightness", inner, outer, (of(300), of(200)))
    wanted = (outer.mean() - inner.mean()) / np.sqrt((inner.var() + outer.var()) / 2)
    assert made.smd.value == pytest.approx(wanted)
    assert made.above.value == pytest.approx(mannwhitneyu(outer, inner).statistic / (300 * 200))
    assert made.internal == pytest.approx(tuple(np.percentile(inner, (5, 25, 50, 75, 95))))
    assert made.says.startswith("Brightness: clearly higher outside, by 0.")
    resampled = []
    for _ in range(2000):
        a, b = random.choice(inner, 300), random.choice(outer, 200)
        resampled.append((b.mean() - a.mean()) / np.sqrt((a.var() + b.var()) / 2))
    assert (made.smd.high - made.smd.low) / 3.92 == pytest.approx(np.std(resampled), rel=0.08)


@pytest.mark.parametrize("images", [1, 4])
def test_measurements_that_do_not_differ_seldom_seem_to(images: int) -> None:
    random = np.random.default_rng(1)
    told = 0
    for _ in range(200):
        patients = random.normal(0, 1, 60)
        values = np.repeat(patients, images) + random.normal(0, 0.2, 60 * images)
        made = compared("Size", values[: 30 * images], values[30 * images :], (of(30 * images, images),) * 2)
        told += "no difference shown" not in made.says
    assert told <= 19


def test_measurements_nobody_can_compare_are_said_to_be_so() -> None:
    two = (of(5), of(5))
    assert "not known" in compared("Width", np.full(5, np.nan), np.ones(5), two).says
    assert "same everywhere" in compared("Width", np.ones(5), np.ones(5), two).says
    assert "another outside" in compared("Width", np.ones(5), np.full(5, 2.0), two).says


def test_the_energy_distance_is_scipys_and_its_test_knows_patients() -> None:
    random = np.random.default_rng(2)
    x, y = random.normal(0, 1, (80, 1)), random.normal(0.7, 1, (60, 1))
    made = energy(x, y, (of(80), of(60)), shuffles=199)
    scale = np.sqrt(2 * x.var())
    between = np.abs(x - y.T).mean() / scale
    assert made.share * 2 * between == pytest.approx(energy_distance(x[:, 0] / scale, y[:, 0] / scale) ** 2, rel=1e-4)
    assert made.p == pytest.approx(0.005) and made.share > made.by_chance and "differ" in made.says


@pytest.mark.parametrize("images", [1, 5])
def test_features_of_one_kind_are_seldom_told_apart(images: int) -> None:
    random = np.random.default_rng(3)
    found = 0
    for seed in range(60):
        rows = np.repeat(random.normal(size=(40, 6)), images, axis=0)
        rows += random.normal(0, 0.1, rows.shape)
        made = energy(rows[: 20 * images], rows[20 * images :], (of(20 * images, images),) * 2, seed, shuffles=99)
        found += made.p <= 0.05
    assert found <= 8
    assert energy(rows[:3], rows[3:9], (of(3), of(6))) is None


def test_a_large_set_is_thinned_by_patient_and_is_quick() -> None:
    random = np.random.default_rng(4)
    made = energy(random.normal(size=(1500, 32)), random.normal(0.1, 1, (700, 32)), (of(1500, 3), of(700)), most=400)
    assert (made.internal, made.external) == (400, 400) and made.p <= 0.05


def test_too_high_scores_are_explained_by_how_common_it_is() -> None:
    inner, outer = scored(500, 0.5, 7), scored(500, 0.15, 1, high=0.1)
    made = shift(inner, outer, (of(500), of(500)))
    assert made.prevalence.standing == "falls" and "rarer outside" in made.says[0]
    assert made.promise.external.low > 0 and made.promise.internal.low < 0 < made.promise.internal.high
    assert "too high there, as is to be expected where it is rarer" in made.promise.says
    honest = shift(inner, scored(500, 0.5, 3), (of(500), of(500)))
    assert "no sign" in honest.promise.says and "cannot be told apart" in honest.says[0]


def test_everything_that_was_asked_for_is_told() -> None:
    random = np.random.default_rng(5)
    inner, outer = scored(60, 0.4, 0), scored(50, 0.4, 1)
    measured = {"Contrast": (random.random(60), random.random(50))}
    features = (random.normal(size=(60, 4)), random.normal(size=(50, 4)))
    made = shift(inner, outer, (of(60), of(50)), measured, features)
    assert len(made.says) == 4 and made.features.internal == 60 and made.measured[0].name == "Contrast"
    nobody = View("ill", "well", np.zeros(0, bool), np.zeros(0), np.zeros(0, int))
    assert shift(inner, nobody, (of(60), whose(0, None))).says == ()


def test_calibrated_scores_are_called_so() -> None:
    pair = scored(300, 0.3, 0), scored(300, 0.3, 1)
    plain, mended = (shift(*pair, (of(300), of(300)), calibrated=one).promise for one in (False, True))
    assert "mean score" in plain.says and "mean calibrated score" in mended.says
