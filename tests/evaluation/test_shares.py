"""Shares with an interval by patient: those of the test page, never of no width."""

import numpy as np
import pytest

from medtl.evaluation import shares
from medtl.evaluation.estimates import estimates
from medtl.evaluation.intervals import wilson
from medtl.evaluation.resampling import resample
from medtl.vocabulary import Estimate


def clustered(patients: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    who = np.repeat(np.arange(patients), 3)
    y = (np.arange(patients) % 2)[who]
    score = 1 / (1 + np.exp(-(2 * y - 1 + random.normal(0, 1, patients)[who] + random.normal(0, 1, len(who)))))
    return y, np.stack([1 - score, score], 1), who.astype(object)


@pytest.mark.parametrize("known", [True, False])
def test_shares_are_those_of_the_test_page(known: bool) -> None:
    y, scores, who = clustered()
    calls = (scores[:, 1] > 0.5).astype(int)
    patients = who if known else None
    page = {one.name: one for one in estimates(y, scores, calls, ("well", "ill"), "ill", patients, 0, 300)}
    draws = resample(y, patients, 1, 0, 300)
    assert shares.share("sensitivity", calls == 1, y == 1, draws) == page["sensitivity"]
    assert shares.share("ppv", y == 1, calls == 1, draws) == page["ppv"]


def test_sums_are_weighted_by_how_often_a_case_is_drawn() -> None:
    y, scores, who = clustered(20)
    draws = resample(y, who, 1, 0, 50)
    made = shares.sums([y == 1, scores[:, 1]], draws)
    assert np.allclose(made, np.stack([y == 1, scores[:, 1]]) @ draws.counts.astype(float))


def test_where_draws_agree_or_say_too_little_wilson_counts_patients() -> None:
    y, _, who = clustered(40)
    made = shares.share("sensitivity", y == 1, y == 1, resample(y, who, 1, 0, 100))
    assert (made.low, made.high) == wilson(20, 20) and made.how == "Wilson on 20 patients"
    assert shares.share("sensitivity", y == 1, y == 2, resample(y, who, 1, 0, 100)) is None


def test_a_difference_is_never_without_width() -> None:
    one, other = (Estimate("sensitivity", 1.0, 0.7, 1.0, 9, "Wilson"), Estimate("sensitivity", 1.0, 0.8, 1.0, 20, "W"))
    same = shares.difference("sensitivity", one, other, np.zeros(100), "bootstrap", 29)
    assert same.low < 0 < same.high and "all draws agree" in same.how
    drawn = np.random.default_rng(0).normal(0, 0.1, 2000)
    plain = shares.difference("sensitivity", one, other, drawn, "bootstrap", 29)
    assert plain.low == pytest.approx(-0.196, abs=0.02) and plain.how == "bootstrap"


def test_a_mean_lies_in_its_interval() -> None:
    y, _, who = clustered()
    size = 1.0 + (np.arange(len(y)) % 3 == 0)
    made = shares.mean("set_size", size, resample(y, who, 1, 0, 300), top=3)
    assert made.value == pytest.approx(size.mean()) and made.low < made.value < made.high
