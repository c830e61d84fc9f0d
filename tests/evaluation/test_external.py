"""Two sets under one model: each as if alone, a planted fall is told with its interval, and no fall is not."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from medtl.evaluation.external import beside, beside_of_classes
from medtl.evaluation.resampling import Resampling, whose
from medtl.evaluation.views import View, views


def part(patients: int, seed: int, gap: float = 2.6, share: float = 0.4, images: int = 1) -> tuple[View, Resampling]:
    random = np.random.default_rng(seed)
    who = np.repeat(np.arange(patients), images)
    has = (random.random(patients) < share)[who]
    raw = random.normal(0, 0.7, patients)[who] + random.normal(0, 0.7, len(who)) + gap * has - 1.3
    return View("ill", "well", has, 1 / (1 + np.exp(-raw)), np.arange(len(who))), whose(len(who), who.astype(object))


def test_every_number_is_that_of_its_set() -> None:
    (inner, a), (outer, b) = part(150, 0), part(90, 1, 1.0)
    made = beside(inner, outer, 0.5, a, b)
    for view, side in ((inner, "internal"), (outer, "external")):
        called = view.score >= 0.5
        values = {row.name: getattr(row, side).value for row in made.rows}
        assert values == pytest.approx({
            "sensitivity": called[view.has].mean(), "specificity": 1 - called[~view.has].mean(),
            "ppv": view.has[called].mean(), "npv": 1 - view.has[~called].mean(),
            "auroc": roc_auc_score(view.has, view.score), "brier": brier_score_loss(view.has, view.score),
        })  # fmt: skip
    for row in made.rows:
        assert row.difference.value == pytest.approx(row.external.value - row.internal.value)
        assert row.difference.low < row.difference.value < row.difference.high


def test_a_planted_fall_is_said_first_in_points() -> None:
    (inner, a), (outer, b) = part(300, 0), part(300, 1, 0.8)
    made = beside(inner, outer, 0.5, a, b)
    sensitivity = made.get("sensitivity")
    assert sensitivity.standing == "falls" and sensitivity.worse and made.get("brier").worse
    assert made.says[0].startswith("Sensitivity falls by ") and " points (" in made.says[0]
    assert "from " in made.says[0] and " % to " in made.says[0]


@pytest.mark.parametrize("images", [1, 3])
def test_where_nothing_differs_about_one_in_twenty_is_told_apart(images: int) -> None:
    apart = {"sensitivity": 0, "auroc": 0, "brier": 0}
    for seed in range(150):
        (inner, a), (outer, b) = part(80, 2 * seed, images=images), part(60, 2 * seed + 1, images=images)
        made = beside(inner, outer, 0.5, a, b)
        for name in apart:
            apart[name] += made.get(name).standing != "cannot be told apart"
    assert max(apart.values()) <= 15


def test_patients_of_the_two_sets_are_others_even_with_the_same_number() -> None:
    (inner, a), _ = part(40, 0, images=3), None
    made = beside(inner, inner, 0.5, a, a)
    width = made.get("auroc").difference.high - made.get("auroc").difference.low
    assert width > made.get("auroc").internal.high - made.get("auroc").internal.low


def test_degenerate_sets_answer_in_words() -> None:
    (inner, a), (tiny, b) = part(100, 0), part(3, 5)
    nobody = View("ill", "well", np.zeros(0, bool), np.zeros(0), np.zeros(0, int))
    assert "no case" in beside(inner, nobody, 0.5, a, whose(0, None)).says[0]
    few = beside(inner, tiny, 0.5, a, b)
    assert few.few and few.says[0].startswith("Too few to say")
    one_kind = View("ill", "well", np.ones(30, bool), np.linspace(0, 1, 30), np.arange(30))
    made = beside(inner, one_kind, 0.5, a, whose(30, None))
    assert made.get("auroc") is None and any("one kind of case" in text for text in made.says)
    perfect = View("ill", "well", np.arange(40) < 20, (np.arange(40) < 20) * 1.0, np.arange(40))
    made = beside(perfect, perfect, 0.5, whose(40, None), whose(40, None))
    assert all(row.difference.low < row.difference.high for row in made.rows)
    assert [row.name for row in beside(inner, inner, None, a, a).rows] == ["auroc", "brier"]


def test_more_than_two_classes_as_a_whole() -> None:
    random = np.random.default_rng(0)
    sets = []
    for shift in (2.5, 0.5):
        y = random.integers(0, 3, 200)
        raw = random.normal(size=(200, 3)) + shift * np.eye(3)[y]
        scores = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
        each = views("single-label", ("a", "b", "c"), None, y, scores)
        sets.append((y, scores.argmax(axis=1), each, whose(200, None)))
    made = beside_of_classes(*sets)
    assert [row.name for row in made.rows] == ["accuracy", "auroc"] and all(row.worse for row in made.rows)
    assert made.get("accuracy").external.value == pytest.approx((sets[1][0] == sets[1][1]).mean())
