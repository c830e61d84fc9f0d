"""The advice: a source that can be used at once, with a reason for everything."""

import dataclasses

import pytest

from medtl.errors import MedtlError
from medtl.strategies import STRATEGIES, make_for, recommend
from medtl.strategies.recommend import expected
from medtl.vocabulary import Card, Source
from tests.builders import cohort, source


def named(id: str, **changes: object) -> Source:
    return source(card=Card(id, id.title(), "A source."), **changes)


def test_there_is_a_reason_for_both_and_both_exist() -> None:
    for train in (20, 4000):
        said = recommend(cohort(train), [named("own"), named("shipped", origin="shipped")])
        assert said.strategy in STRATEGIES
        assert said.says_source.endswith(".") and said.says_strategy.endswith(".")


def test_the_reason_names_the_smallest_class() -> None:
    assert "20 training cases" in recommend(cohort(40), [named("own")]).says_strategy
    assert "2000 training cases" in recommend(cohort(4000), [named("own")]).says_strategy


def test_an_unavailable_source_is_never_recommended() -> None:
    broken = named("broken", available=False)
    assert recommend(cohort(), [broken, named("whole", origin="shipped")]).source == "whole"


def test_what_is_here_comes_before_what_must_be_fetched() -> None:
    far = named("far", origin="torchvision", on_disk=False)
    assert recommend(cohort(), [far, named("here", origin="shipped")]).source == "here"
    said = recommend(cohort(), [far])
    assert said.source == "far" and "already here" not in said.says_source


def test_of_shipped_ones_that_of_several_kinds_of_images_comes_first() -> None:
    narrow = named("a-narrow", origin="shipped", labels=("one", "other"))
    broad = named("broad", origin="shipped", labels=("film: one", "film: other", "cell: one", "cell: other"))
    assert recommend(cohort(), [narrow, broad]).source == "broad"


def test_a_run_is_a_source_only_when_there_is_nothing_else() -> None:
    run = named("r-1", origin="run")
    assert recommend(cohort(), [run, named("here", origin="shipped")]).source == "here"
    assert recommend(cohort(), [run]).source == "r-1"


def test_nothing_usable_is_said_in_words() -> None:
    for known in ([], [named("broken", available=False)]):
        with pytest.raises(MedtlError) as error:
            recommend(cohort(), known)
        assert error.value.message and error.value.advice


@pytest.mark.parametrize("train", [20, 4000])
def test_the_linear_probe_is_always_among_what_is_tried_and_all_can_be_used(train: int) -> None:
    one = named("own")
    tried = expected(cohort(train), one)
    assert "linear-probe" in tried and len(tried) == len(set(tried)) == 3
    assert all(make_for(id, cohort(train)).why_not(one, cohort(train)) is None for id in tried)
    assert recommend(cohort(train), [one]).strategy == tried[0]


def test_what_cannot_be_used_is_not_tried() -> None:
    flat = named("flat", outline=dataclasses.replace(source().outline, stages=source().outline.stages[:1]))
    assert "last-stage" not in expected(cohort(20), flat)
