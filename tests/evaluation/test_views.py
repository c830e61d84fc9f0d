"""One table of cases seen as questions of having it or not: nobody is lost, and nobody's score changes."""

from itertools import pairwise

import numpy as np
import pytest

from medtl.errors import BadInput
from medtl.evaluation.views import views

RANDOM = np.random.default_rng(0)


def scored(n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    return RANDOM.integers(0, k, n), RANDOM.dirichlet(np.ones(k), n)


def test_two_classes_are_one_view_of_the_positive_one() -> None:
    y, scores = scored(30, 2)
    for positive, at in (("ill", 0), ("well", 1), (None, 1)):
        (view,) = views("single-label", ("ill", "well"), positive, y, scores)
        assert (view.name, view.without) == (("ill", "well"), ("well", "ill"))[at]
        assert np.array_equal(view.has, y == at) and np.array_equal(view.score, scores[:, at])
        assert np.array_equal(view.index, np.arange(30))


def test_more_classes_are_each_against_the_rest() -> None:
    y, scores = scored(40, 3)
    made = views("single-label", ("a", "b", "c"), None, y, scores)
    assert [view.name for view in made] == ["a", "b", "c"]
    assert np.array_equal(np.stack([view.has for view in made], 1), np.eye(3, dtype=bool)[y])
    assert np.allclose(np.stack([view.score for view in made], 1), scores)


def test_grades_are_cut_points_whose_scores_never_rise() -> None:
    y, scores = scored(50, 5)
    made = views("ordinal", ("0", "1", "2", "3", "end stage"), None, y, scores)
    assert [view.name for view in made] == [
        "grade 1 or higher", "grade 2 or higher", "grade 3 or higher", "end stage or higher",
    ]  # fmt: skip
    assert made[1].without == "below grade 2"
    for j, view in enumerate(made, start=1):
        assert np.array_equal(view.has, y >= j)
        assert np.allclose(view.score, scores[:, j:].sum(axis=1)) and view.score.max() <= 1
    assert all((low.score >= high.score).all() for low, high in pairwise(made))


def test_findings_leave_out_what_nobody_is_sure_of() -> None:
    truth = np.array([[1, 0], [0, -1], [-2, 1], [1, 1]])
    scores = RANDOM.random((4, 2))
    one, other = views("multi-label", ("oedema", "nodule"), None, truth, scores)
    assert one.index.tolist() == [0, 1, 3] and one.has.tolist() == [True, False, True]
    assert other.index.tolist() == [0, 2, 3] and np.array_equal(other.score, scores[[0, 2, 3], 1])


def test_a_view_of_nobody_is_kept_and_says_so() -> None:
    (view,) = views("multi-label", ("oedema",), None, np.full((3, 1), -1), np.full((3, 1), 0.5))
    assert len(view) == 0 and view.one_sided
    (view,) = views("single-label", ("well", "ill"), None, np.zeros(3, int), np.tile([0.7, 0.3], (3, 1)))
    assert len(view) == 3 and view.one_sided


def test_rounded_scores_stay_within_0_and_1() -> None:
    scores = np.tile([0.0, 0.3334, 0.6667], (2, 1))
    made = views("ordinal", ("a", "b", "c"), None, np.array([0, 2]), scores)
    assert made[0].score.max() == 1.0


def test_taking_some_keeps_their_rows() -> None:
    y, scores = scored(10, 2)
    (view,) = views("single-label", ("a", "b"), "b", y, scores)
    some = view.take(y == 1)
    assert some.index.tolist() == np.flatnonzero(y == 1).tolist() and some.has.all()


@pytest.mark.parametrize("scores", [np.zeros((3, 2)), np.full((3, 1), np.nan)])
def test_what_does_not_fit_is_refused(scores: np.ndarray) -> None:
    with pytest.raises(BadInput):
        views("multi-label", ("oedema",), None, np.zeros((3, 1), int), scores)
    with pytest.raises(BadInput):
        views("single-label", ("a",), None, np.zeros(3, int), scores)
