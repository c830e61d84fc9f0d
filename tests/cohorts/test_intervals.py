import pytest

from medtl.cohorts.findings import intervals
from medtl.evaluation import intervals as elsewhere


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(10, 11, 62, 98), (9, 10, 60, 98), (18, 20, 70, 97), (90, 100, 83, 94), (5, 5, 57, 100)],
)
def test_wilson_gives_the_published_table(hits, n, low, high):
    found = intervals.wilson(hits, n)
    assert (round(100 * found[0]), round(100 * found[1])) == (low, high)
    assert found == pytest.approx(elsewhere.wilson(hits, n))


def test_nothing_observed_says_nothing():
    assert intervals.wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("auroc", [0.0, 0.31, 0.5, 0.84, 1.0])
@pytest.mark.parametrize(("ill", "well"), [(5, 5), (14, 90), (200, 1000)])
def test_the_interval_of_an_auroc_is_that_of_the_evaluation(auroc, ill, well):
    low, high = intervals.of_auroc(auroc, ill, well)
    assert (low, high) == pytest.approx(elsewhere.newcombe(auroc, ill, well), abs=1e-6)
    assert 0 <= low <= auroc <= high <= 1 and low < high


def test_more_certainty_is_wider():
    assert intervals.of_auroc(0.8, 20, 20, z=3)[0] < intervals.of_auroc(0.8, 20, 20)[0]
