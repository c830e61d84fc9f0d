"""Six lights: never green without evidence, the worst named first, and every one with its rule."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medtl.evaluation.subgroups import Row, Subgroups
from medtl.runs import results
from medtl.runs.afterwards import External, Perturbed, Robustness, Side
from medtl.runs.attention import Attention, Share
from medtl.runs.results import Control, Result
from medtl.trust import judge, lights
from medtl.trust.lights import Light
from medtl.trust.values import Judgement
from medtl.vocabulary import Case, Cohort, Estimate, Finding, MapCheck, Split
from tests.builders import ROOT

Made = Callable[..., Path]
NAMES = ["data", "discrimination", "calibration", "subgroups", "robustness", "explanation"]
SPLIT = Split(("a",), ("b",), ("c",), "by patient")


def number(value: float, low: float, high: float, name: str = "auroc") -> Estimate:
    return Estimate(name, value, low, high, 400, "DeLong")


def guard(name: str = "thumbnails", verdict: str = "helps") -> Control:
    return Control(None, name, None, number(0.2, 0.1, 0.3), verdict, f"Against {name}: {verdict}.")


def cohort(**changes: Any) -> Cohort:
    cases = tuple(Case(id, id, "ill", "", "", patient=f"P-{id}") for id in "abc")
    return dataclasses.replace(
        Cohort("c", "A cohort", "image", "single-label", ("well", "ill"), "ill", cases, SPLIT), **changes
    )


def changed(value: float, low: float, high: float, verdict: str = "falls") -> Robustness:
    row = Perturbed(
        "blur", "blur", "strong", "strong blur", "blurred", 3.0, number(0.8, 0.7, 0.9), number(value, low, high),
        number(0.1, 0.05, 0.2), verdict, "Strong blur.",
    )  # fmt: skip
    return Robustness((row,), number(0.9, 0.86, 0.93), 300, 400, 300, "No fall of the AUROC shown.")


def group(standing: Any, few: bool = False) -> Subgroups:
    row = Row("sex", "female", 40, 40, 20, 20, few, (), (), standing, f"Sensitivity {standing} by 12 points (4–20).")
    return Subgroups("ill", (row,), 0 if few else 2, 0 if few else 6, 0.26, ("said",))


@pytest.fixture
def good(finished: Made) -> tuple[Judgement, Result]:
    """A run about which there is nothing to say against: enough cases, calibrated, groups recorded, all measured."""
    folder = finished(n=240, images=1)
    judgement = dataclasses.replace(judge.judge(folder), subgroups=(group("no difference shown"),))
    view = judgement.views[0]
    after = dataclasses.replace(
        view.mended.after, few=False, bins=(), slope=number(1, 0.9, 1.1), intercept=number(0, -0.1, 0.1)
    )
    view = dataclasses.replace(view, mended=dataclasses.replace(view.mended, after=after, change=None))
    result = dataclasses.replace(
        results.load(folder), estimates=(number(0.9, 0.86, 0.93),), guards=(guard(),), small_test=None, caveats=(),
        parts={"test": {"cases": 240, "patients": 240}},
        robustness=changed(0.0, -0.01, 0.02, "no fall shown"),
    )  # fmt: skip
    return dataclasses.replace(judgement, views=(view,)), result


def check(id: str, passed: bool | None) -> MapCheck:
    return MapCheck(id, id, 0.2, 0.1, 0.3, 30, 0.5, passed, "in short", f"{id}: it was measured.")


def looked(*checks: MapCheck, alarm: bool = False) -> Attention:
    share = Share("writing", "On writing", number(0.4, 0.3, 0.5), 0.1, alarm, "40 % lies on writing.", ())
    return Attention("Grad-CAM", "stage 4", True, ("well", "ill"), (), 48, 30, {}, checks, (), (share,))


PASSED = looked(*(check(id, True) for id in ("shuffled-head", "shuffled", "deletion", "steady")))


def lit(judgement: Judgement, result: Result, of: Cohort | None = None, **more: Any) -> dict[str, Light]:
    made = lights.lights(judgement, result, of or cohort(), **{"looked": PASSED, **more})
    assert [one.name for one in made] == NAMES
    assert all(one.rule and one.reason and one.short for one in made)
    return {one.name: one for one in made}


def test_all_hold_only_where_all_was_measured(good: tuple[Judgement, Result]) -> None:
    found = lit(*good)
    assert {one.state for one in found.values()} == {"holds"}, found
    assert "another hospital" in lights.verdict(tuple(found.values()), good[1])


def test_what_was_not_measured_is_never_green(good: tuple[Judgement, Result]) -> None:
    judgement, result = good
    bare = dataclasses.replace(judgement, subgroups=())
    found = lit(bare, dataclasses.replace(result, robustness=None, estimates=()), looked=None)
    unknown = [name for name, one in found.items() if one.state == "not known"]
    assert unknown == ["discrimination", "subgroups", "robustness", "explanation"]
    deleted = {one.name: one for one in lights.lights(judgement, result, None)}
    assert deleted["data"].state == "not known" and "deleted" in deleted["data"].reason


@pytest.mark.parametrize(
    ("split", "state"),
    [
        ({"patients_shared": 1}, "does not hold"),
        ({"near_duplicates_across": 3}, "with care"),
        ({"near_duplicates_across": 300}, "does not hold"),
    ],
)
def test_what_leaks_is_no_test(good: tuple[Judgement, Result], split: dict[str, int], state: str) -> None:
    assert lit(*good, cohort(split=dataclasses.replace(SPLIT, **split)))["data"].state == state


def test_patients_that_nobody_knows_and_what_the_data_check_left_open_are_care(good: tuple[Judgement, Result]) -> None:
    unknown = cohort(cases=tuple(Case(id, id, "ill", "", "") for id in "abc"))
    assert lit(*good, unknown)["data"].short == "patients unknown"
    assert "page Data" in lit(*good, unknown)["data"].advice
    settled = dataclasses.replace(unknown, accepted=("patients-unknown",))
    assert lit(*good, settled)["data"].advice == "Say so in the paper."
    shortcut = Finding("shortcut", "warn", "The scanner tells the label.", "Look.")
    found = lit(*good, open_findings=(shortcut,))["data"]
    assert found.state == "with care" and "scanner" in found.reason
    noted = dataclasses.replace(shortcut, severity="note")
    assert lit(*good, open_findings=(noted,))["data"].state == "holds"


def test_a_test_part_that_was_used_too_often_or_seen_before_the_threshold_is_care(
    good: tuple[Judgement, Result],
) -> None:
    assert lit(*good, tested=2)["data"].state == "holds" and "2 runs" in lit(*good, tested=2)["data"].reason
    assert lit(*good, tested=lights.MANY_RUNS)["data"].state == "with care"
    late = dataclasses.replace(good[0], changed=("2026-11-28T07:00:00+00:00",))
    assert "after the test part was seen" in lit(late, good[1])["data"].reason


def test_a_threshold_changed_after_an_external_test_is_said_so(good: tuple[Judgement, Result]) -> None:
    late = dataclasses.replace(good[0], changed=("2026-11-28T07:00:00+00:00",))
    side = Side(0, {}, 0.0, 0.0)

    def reason(made: str) -> str:
        there = External(
            "c", "Other site", "c", made, ("well", "ill"), "ill", "single-label", 9, 9, {}, {}, {}, (), side, side
        )
        found = lit(late, dataclasses.replace(good[1], externals=(there,)))["data"]
        assert found.state == "with care"
        return " ".join([found.reason, *found.also])

    assert "tested on Other site" in reason("2026-11-28T06:00:00+00:00")
    assert "tested on Other site" not in reason("2026-11-28T08:00:00+00:00")


def test_the_sentence_by_which_images_the_source_had_seen_are_found_is_the_workers(
    good: tuple[Judgement, Result],
) -> None:
    assert f'f"{lights.SEEN} ' in (ROOT / "medtl/worker.py").read_text()
    seen = dataclasses.replace(good[1], caveats=(f"{lights.SEEN} 3 of the 400 test images.",))
    assert lit(good[0], seen)["data"].state == "does not hold"


@pytest.mark.parametrize(
    ("auroc", "guards", "state"),
    [
        ((0.6, 0.52, 0.68), ("helps",), "does not hold"),
        ((0.5, 0.45, 0.55), ("helps",), "does not hold"),
        ((0.4, 0.32, 0.48), ("helps",), "does not hold"),
        ((0.6, 0.45, 0.75), ("helps",), "not known"),
        ((0.85, 0.45, 0.97), ("no difference seen",), "not known"),
        ((0.85, 0.45, 0.97), ("hurts",), "does not hold"),
        ((0.75, 0.68, 0.82), ("helps",), "with care"),
        ((0.9, 0.71, 0.98), ("helps",), "with care"),
        ((0.9, 0.86, 0.93), ("no difference seen",), "with care"),
        ((0.9, 0.86, 0.93), ("hurts",), "does not hold"),
        ((0.9, 0.86, 0.93), (), "with care"),
    ],
)
def test_ranking_must_beat_guessing_and_what_costs_less(
    good: tuple[Judgement, Result], auroc: tuple[float, float, float], guards: tuple[str, ...], state: str
) -> None:
    given = dataclasses.replace(
        good[1], estimates=(number(*auroc),), guards=tuple(guard(verdict=one) for one in guards), control=None
    )
    assert lit(good[0], given)["discrimination"].state == state


def test_too_few_to_tell_ranking_is_no_proof_of_failure(good: tuple[Judgement, Result]) -> None:
    """0.85 on a dozen cases may be guessing and may be good: neither is told as a finding."""
    few = dataclasses.replace(good[1], estimates=(number(0.85, 0.45, 0.97),), guards=(guard(verdict="no difference"),))
    found = lit(good[0], few)
    light = found["discrimination"]
    assert light.short == "too few to tell" and "thumbnails" in light.also[0]
    said = lights.verdict(tuple(found.values()), few)
    assert said.startswith("Not known whether it can be relied on") and "did not hold" not in said


def test_too_few_to_judge_calibration_is_not_known_whatever_the_slope(good: tuple[Judgement, Result]) -> None:
    view = good[0].views[0]

    def calibration(**changes: Any) -> str:
        after = dataclasses.replace(view.mended.after, **changes)
        mended = dataclasses.replace(view.mended, after=after)
        one = dataclasses.replace(good[0], views=(dataclasses.replace(view, mended=mended),))
        return lit(one, good[1])["calibration"].state

    steep = number(0.4, 0.3, 0.5)
    assert calibration(slope=steep) == "does not hold"
    assert calibration(slope=steep, few=True) == "not known"
    assert calibration(slope=None) == "not known"


@pytest.mark.parametrize(
    ("standing", "state"),
    [("lower", "does not hold"), ("may be lower", "with care"), ("higher", "with care")],
)
def test_a_group_that_does_worse_decides(good: tuple[Judgement, Result], standing: Any, state: str) -> None:
    one = dataclasses.replace(good[0], subgroups=(group(standing),))
    assert lit(one, good[1])["subgroups"].state == state


def test_groups_that_are_all_too_few_are_not_known(good: tuple[Judgement, Result]) -> None:
    few = dataclasses.replace(good[0], subgroups=(group("too few to say", few=True),))
    assert lit(few, good[1])["subgroups"].state == "not known"


@pytest.mark.parametrize(
    ("fall", "state"),
    [
        ((0.2, 0.1, 0.3, "falls"), "does not hold"),
        ((0.05, 0.01, 0.09, "falls"), "with care"),
        ((0.05, -0.1, 0.2, "no fall shown"), "with care"),
        ((0.05, -0.1, 0.2, "too few"), "not known"),
    ],
)
def test_a_fall_that_cannot_be_ruled_out_is_not_robust(
    good: tuple[Judgement, Result], fall: tuple[float, float, float, str], state: str
) -> None:
    given = dataclasses.replace(good[1], robustness=changed(*fall))
    assert lit(good[0], given)["robustness"].state == state


def test_a_fall_that_chance_among_many_can_bring_is_care(good: tuple[Judgement, Result]) -> None:
    likely = dataclasses.replace(good[1], robustness=changed(0.03, 0.01, 0.05, "no fall shown"))
    found = lit(good[0], likely)["robustness"]
    assert found.state == "with care" and "can be chance" in found.reason
    slight = dataclasses.replace(good[1], robustness=changed(0.006, 0.002, 0.01, "no fall shown"))
    assert lit(good[0], slight)["robustness"].state == "holds"


def test_maps_that_do_not_depend_on_the_model_explain_nothing(good: tuple[Judgement, Result]) -> None:
    def explained(*checks: MapCheck, alarm: bool = False) -> str:
        return lit(*good, looked=looked(*checks, alarm=alarm))["explanation"].state

    assert explained(check("shuffled", False)) == "does not hold"
    assert explained(check("shuffled", True), check("steady", False)) == "with care"
    assert explained(check("shuffled", None), check("steady", True)) == "not known"
    assert explained(check("shuffled", True), alarm=True) == "with care"
    assert explained() == "not known"


def test_the_verdict_names_the_worst_first_and_claims_nothing(good: tuple[Judgement, Result]) -> None:
    weak = dataclasses.replace(good[1], estimates=(number(0.6, 0.48, 0.68),), robustness=None)
    said = lights.verdict(tuple(lit(good[0], weak).values()), weak)
    assert said.startswith("Not to be relied on: discrimination did not hold in this test part")
    for result in (weak, good[1], dataclasses.replace(good[1], robustness=None)):
        told = " ".join([said, *(f"{one.reason} {one.advice}" for one in lit(good[0], result).values())]).lower()
        assert not any(word in told for word in ("safe", "accurate", "validated", "confidence", "unbiased"))
    unknown = dataclasses.replace(good[1], robustness=None)
    assert "not known yet: robustness" in lights.verdict(tuple(lit(good[0], unknown).values()), unknown)


def test_of_several_classes_the_worst_decides(finished: Made) -> None:
    folder = finished("single-label", ("a", "b", "c"))
    found = lit(judge.judge(folder), results.load(folder))
    assert found["calibration"].state != "holds" and found["calibration"].reason[:2] in ("a:", "b:", "c:")


def test_a_departure_that_is_shown_is_never_said_not_to_be(good: tuple[Judgement, Result]) -> None:
    view = good[0].views[0]

    def calibration(**changes: Any) -> Light:
        after = dataclasses.replace(view.mended.after, **changes)
        mended = dataclasses.replace(view.mended, after=after)
        return lit(dataclasses.replace(good[0], views=(dataclasses.replace(view, mended=mended),)), good[1])[
            "calibration"
        ]

    little = calibration(slope=number(0.88, 0.82, 0.95))
    assert little.state == "with care" and "too extreme" in little.reason
    unknown = calibration(slope=None, notes=("The calibration slope cannot be computed: all errors are gone.",))
    assert unknown.state == "not known" and "No departure" not in unknown.reason


def test_many_images_of_few_patients_are_few(good: tuple[Judgement, Result]) -> None:
    view = good[0].views[0]
    point = dataclasses.replace(view.point, sensitive=dataclasses.replace(view.point.sensitive, patients=5))
    few = dataclasses.replace(good[0], views=(dataclasses.replace(view, point=point),))
    found = lit(few, good[1])["data"]
    assert found.state == "with care" and "5 of its test patients" in found.reason


def test_a_ranking_the_wrong_way_round_and_a_source_that_hurts_are_called_so(good: tuple[Judgement, Result]) -> None:
    wrong = dataclasses.replace(good[1], estimates=(number(0.2, 0.1, 0.3),))
    assert "wrong way round" in lit(good[0], wrong)["discrimination"].reason
    hurt = dataclasses.replace(good[1], guards=(guard(), guard("from-scratch", "hurts")))
    found = lit(good[0], hurt)["discrimination"]
    assert found.state == "does not hold" and "costs less" not in found.short


def test_what_was_too_few_never_denies_what_was_shown(good: tuple[Judgement, Result]) -> None:
    lower, few = group("lower"), group("too few to say", few=True)
    both = dataclasses.replace(lower, rows=(*lower.rows, *few.rows))
    found = lit(dataclasses.replace(good[0], subgroups=(both,)), good[1])["subgroups"]
    assert found.state == "does not hold" and not any("no difference" in text for text in found.also)
    several = dataclasses.replace(good[0], subgroups=(group("no difference shown"),) * 3)
    assert "any of 2 groups" in lit(several, good[1])["subgroups"].reason
