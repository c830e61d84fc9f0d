from itertools import pairwise

import numpy as np
import pytest

from medtl.cohorts.agreement import Agreement, Weights, agree, disagreement_weights, kappa_of
from medtl.errors import BadInput

ALL_WEIGHTS: tuple[Weights, ...] = ("none", "linear", "quadratic")
GRADES = ("0", "1", "2", "3")


def of_counts(counts: list[list[int]], weights: Weights = "none", copies: int = 1) -> Agreement:
    """Readers who gave these answers; each case `copies` times, as images of one patient."""
    names = GRADES[: len(counts)]
    pairs = [(names[i], names[j]) for i, row in enumerate(counts) for j, n in enumerate(row) for _ in range(n)]
    cases = [(f"c{n}.{copy}", f"p{n}", *pair) for n, pair in enumerate(pairs) for copy in range(copies)]
    ids, patients, one, other = (list(column) for column in zip(*cases, strict=True))
    return agree(ids, one, other, names, weights=weights, patients=patients)


def random_counts(draw: np.random.Generator, k: int) -> list[list[int]]:
    table = draw.integers(0, 9, (k, k)) + np.diag(draw.integers(1, 30, k))
    return [[int(cell) for cell in row] for row in table]


# ---- kappa


@pytest.mark.parametrize("weights", ALL_WEIGHTS)
def test_kappa_is_that_of_an_independent_implementation(weights):
    metrics = pytest.importorskip("sklearn.metrics")
    draw = np.random.default_rng(0)
    for _ in range(20):
        table = np.array(random_counts(draw, 4))
        rows, columns = np.repeat(np.indices(table.shape).reshape(2, -1), table.ravel(), axis=1)
        expected = metrics.cohen_kappa_score(rows, columns, weights=None if weights == "none" else weights)
        assert kappa_of(table, weights) == pytest.approx(expected)


def test_kappa_of_a_published_table():
    """Fleiss, Cohen and Everitt 1969, table 1: 200 cases, three diagnoses; kappa 0.429, standard error 0.054."""
    shares = np.array([[0.53, 0.05, 0.02], [0.11, 0.14, 0.05], [0.01, 0.06, 0.03]])
    found = of_counts((200 * shares).round().astype(int).tolist())
    assert found.kappa is not None
    assert found.kappa.value == pytest.approx(0.429, abs=0.0005)
    assert (found.kappa.high - found.kappa.low) / (2 * 1.96) == pytest.approx(0.054, abs=0.0015)


@pytest.mark.parametrize("weights", ALL_WEIGHTS)
def test_the_interval_is_as_wide_as_a_bootstrap_says(weights):
    counts = np.array([[60, 9, 2, 0], [8, 50, 7, 1], [3, 6, 40, 5], [0, 2, 7, 30]])
    found = of_counts(counts.tolist(), weights).kappa
    drawn = np.random.default_rng(0).multinomial(counts.sum(), counts.ravel() / counts.sum(), 4000)
    spread = np.std([kappa_of(table.reshape(4, 4), weights) for table in drawn])
    assert found is not None
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(spread, rel=0.08)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    draw = np.random.default_rng(0)
    margin = np.array([0.8, 0.2])
    truth = 0.6
    shares = (1 - truth) * np.outer(margin, margin) + truth * np.diag(margin)
    held = 0
    for table in draw.multinomial(40, shares.ravel(), 300):
        kappa = of_counts(table.reshape(2, 2).tolist()).kappa
        held += kappa is not None and kappa.low <= truth <= kappa.high
    assert held / 300 > 0.91


@pytest.mark.parametrize("weights", ALL_WEIGHTS)
def test_images_of_one_patient_are_not_counted_as_independent(weights):
    counts = [[20, 3, 1], [2, 15, 4], [0, 3, 12]]
    alone, threefold = of_counts(counts, weights), of_counts(counts, weights, copies=3)
    assert alone.kappa is not None and threefold.kappa is not None
    assert threefold.kappa.value == pytest.approx(alone.kappa.value)
    width = [found.kappa.high - found.kappa.low for found in (alone, threefold) if found.kappa]
    assert width[1] == pytest.approx(width[0], rel=0.1)  # three images of each patient say no more than one
    assert (threefold.agreed.low, threefold.agreed.high) == pytest.approx((alone.agreed.low, alone.agreed.high))
    assert threefold.kappa.how.endswith("by patient") and alone.kappa.how.endswith("added")


# ---- what always holds


@pytest.mark.parametrize("weights", ALL_WEIGHTS)
def test_it_does_not_matter_who_is_first(weights):
    draw = np.random.default_rng(1)
    for _ in range(20):
        counts = random_counts(draw, 3)
        one, other = of_counts(counts, weights), of_counts(np.array(counts).T.tolist(), weights)
        assert one.kappa is not None and other.kappa is not None
        assert (one.kappa.value, one.kappa.low, one.kappa.high) == pytest.approx((
            other.kappa.value,
            other.kappa.low,
            other.kappa.high,
        ))
        assert one.kappa.low < one.kappa.high and -1 <= one.kappa.low <= one.kappa.value <= one.kappa.high <= 1


@pytest.mark.parametrize("weights", ALL_WEIGHTS)
def test_full_agreement_is_1_and_not_certain(weights):
    found = of_counts([[5, 0, 0], [0, 4, 0], [0, 0, 3]], weights)
    assert found.kappa is not None
    assert found.kappa.value == found.kappa.high == 1 and 0.3 < found.kappa.low < 0.95
    assert found.agreed.low < 1 and found.disagreements == ()


def test_more_cases_make_it_narrower():
    widths = []
    for times in (1, 4, 16):
        kappa = of_counts([[10 * times, 2 * times], [3 * times, 8 * times]]).kappa
        assert kappa is not None
        widths.append(kappa.high - kappa.low)
    assert all(wide > narrow for wide, narrow in pairwise(widths))


def test_one_class_only_has_no_kappa():
    found = of_counts([[12, 0], [0, 0]])
    assert found.kappa is None and "no value" in found.says[-1]
    assert found.by_class["1"] is None


def test_weights_fall_with_the_distance():
    linear, quadratic = disagreement_weights(4, "linear"), disagreement_weights(4, "quadratic")
    assert linear[0].tolist() == pytest.approx([1, 2 / 3, 1 / 3, 0])
    assert quadratic[0].tolist() == pytest.approx([1, 8 / 9, 5 / 9, 0])
    two = [[10, 3], [2, 8]]
    assert len({round(kappa_of(np.array(two), weights), 12) for weights in ALL_WEIGHTS}) == 1


# ---- what is said


def test_disagreements_are_listed_furthest_apart_first():
    found = agree(list("abcd"), list("0123"), list("0320"), GRADES, weights="linear")
    assert [(item.case, item.steps) for item in found.disagreements] == [("d", 3), ("b", 2)]
    assert found.counts[1][3] == 1 and found.n == 4


def test_a_common_class_and_a_different_line_are_pointed_out():
    rare = of_counts([[92, 3], [3, 2]])
    assert any("comes out low" in says for says in rare.says)
    apart = of_counts([[40, 20], [1, 39]])
    assert any("draw the line differently" in says for says in apart.says)
    plain = of_counts([[45, 5], [4, 46]])
    assert len(plain.says) == 2 and "agree on 91 of 100" in plain.says[0]


def test_agreement_of_a_class():
    found = of_counts([[30, 5], [5, 10]]).by_class["1"]
    assert found is not None and found.value == pytest.approx(10 / 15) and found.low < found.value < found.high


@pytest.mark.parametrize(
    ("one", "other", "word"), [([], [], "no case"), (["0"], ["x"], "no class 'x'"), (["0"], [], "same length")]
)
def test_what_cannot_be_compared(one, other, word):
    with pytest.raises(BadInput, match=word):
        agree([str(n) for n in range(len(one))], one, other, GRADES)
