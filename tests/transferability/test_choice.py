"""Where the scores tell sources apart the best is taken; where they cannot, the one to be expected best."""

import dataclasses

import numpy as np
import pytest

from medtl.evaluation.ranking import macro_auroc
from medtl.transferability.choice import Candidate, Standing, choose, expected
from tests.builders import source

Y = np.arange(60) % 2
CLASSES = ("benign", "malignant")


def candidate(name: str, strength: float, standing: Standing = Standing.NARROW, seed: int = 0) -> Candidate:
    """Scores that rank the better, the greater `strength`; of one seed the noise is the same."""
    logit = strength * (2 * Y - 1) + np.random.default_rng(seed).normal(size=len(Y))
    one = 1 / (1 + np.exp(-logit))
    scores = np.column_stack([1 - one, one])
    return Candidate(name, scores, macro_auroc(Y, scores), standing)


def taken(*candidates: Candidate) -> tuple[str, list[str]]:
    chosen, tied = choose(candidates, Y, CLASSES, "malignant", None)
    return chosen.source, [one.source for one in tied]


def test_what_is_clearly_better_is_taken_whatever_was_expected() -> None:
    assert taken(candidate("broad", 0.1, Standing.BROAD), candidate("narrow", 3.0)) == ("narrow", ["narrow"])


def test_what_cannot_be_told_apart_goes_by_what_is_expected() -> None:
    best, close = candidate("narrow", 1.05, seed=1), candidate("close", 1.0, Standing.CLOSE, seed=2)
    broad = candidate("broad", 1.0, Standing.BROAD, seed=3)
    chosen, tied = taken(best, broad, close)
    assert chosen == "close" and set(tied) == {"narrow", "broad", "close"}
    assert taken(best, broad)[0] == "broad"


def test_of_equal_standing_the_highest_score_is_taken_and_tied_ones_come_best_first() -> None:
    some = [candidate(name, 1.0, seed=seed) for name, seed in (("a", 1), ("b", 2), ("c", 3))]
    chosen, tied = taken(*some)
    values = {one.source: one.value for one in some}
    assert chosen == max(values, key=lambda name: values[name]) == tied[0]
    assert [values[name] for name in tied] == sorted((values[name] for name in tied), reverse=True)


def test_no_more_than_a_margin_is_given_up_for_what_is_expected() -> None:
    """On 20 cases hardly anything is proved; a source far behind is not taken all the same."""
    y = np.arange(20) % 2
    good, bad = np.linspace(0, 1, 20), np.random.default_rng(4).permutation(20) / 20
    good = np.where(y == 1, good + 0.4, good) / 1.4

    def made(name: str, one: np.ndarray, standing: Standing) -> Candidate:
        scores = np.column_stack([1 - one, one])
        return Candidate(name, scores, macro_auroc(y, scores), standing)

    best, close = made("best", good, Standing.NARROW), made("close", bad, Standing.CLOSE)
    assert best.value - close.value > 0.1
    assert choose([best, close], y, CLASSES, "malignant", None)[0].source == "best"


def test_whoever_is_shown_to_be_worse_than_anybody_is_out() -> None:
    """Of the same noise, so that the difference is seen; however high it stands."""
    second, worse = candidate("second", 1.5, seed=1), candidate("worse", 0.9, Standing.CLOSE, seed=1)
    best = candidate("best", 1.6, seed=5)
    chosen, tied = taken(best, second, worse)
    assert "worse" not in tied and chosen in ("best", "second")


@pytest.mark.parametrize(
    ("cases", "nearness", "standing"),
    [
        ("1,281,167 photographs", "", Standing.BROAD),
        ("1,281,167 photographs", "close", Standing.CLOSE),
        ("36 training cases (cohort: 18 benign)", "close", Standing.NARROW),
        ("2640 training cases (cohort: 550 basophil)", "far", Standing.NARROW),
        ("not stated", "related", Standing.NARROW),
        ("about 5,000,000", "", Standing.NARROW),  # only what begins with a number is one
    ],
)
def test_what_is_expected_follows_from_the_card_and_the_distance(cases: str, nearness: str, standing: Standing) -> None:
    assert expected(dataclasses.replace(source(), cases=cases), nearness) is standing
