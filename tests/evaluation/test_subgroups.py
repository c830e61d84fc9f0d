"""Groups are counted as if alone, a planted gap is flagged and chance seldom is, few cases are said to be few."""

from time import perf_counter

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from medtl.evaluation.resampling import resample, whose
from medtl.evaluation.subgroups import subgroups, subgroups_of_classes
from medtl.evaluation.views import View, views


def table(n: int = 600, seed: int = 0, worse: float = 0.0, digits: int = 9) -> tuple[View, dict[str, list[str | None]]]:
    """Patients of one case each; men who are ill score lower by `worse`."""
    random = np.random.default_rng(seed)
    has = random.random(n) < 0.4
    sex = np.where(random.random(n) < 0.5, "male", "female")
    raw = 2.2 * has - 1.1 - worse * (has & (sex == "male")) + random.normal(0, 1, n)
    score = np.round(1 / (1 + np.exp(-raw)), digits)
    site = random.choice(["A", "B", "C", "D"], n, p=[0.6, 0.2, 0.18, 0.02])
    facts = {"sex": list(sex), "site": [None if one == "D" else str(one) for one in site]}
    return View("ill", "well", has, score, np.arange(n)), facts


def draws_of(view: View, patients: np.ndarray | None = None, draws: int = 400):
    return resample(view.has.astype(int), patients, 1, 0, draws)


@pytest.mark.parametrize("digits", [9, 1])
def test_every_group_and_all_others_are_as_if_alone(digits: int) -> None:
    view, facts = table(300, digits=digits)
    made = subgroups(view, 0.5, facts, draws_of(view))
    called = view.score >= 0.5
    for row in made.rows:
        inside = np.array([(one or "not recorded") == row.group for one in facts[row.field]])
        values = {one.name: one.value for one in row.estimates}
        assert (row.cases, row.present) == (inside.sum(), view.has[inside].sum())
        if row.few:
            continue
        assert values["sensitivity"] == pytest.approx(called[inside & view.has].mean())
        assert values["specificity"] == pytest.approx(1 - called[inside & ~view.has].mean())
        assert values["ppv"] == pytest.approx(view.has[inside & called].mean())
        assert values["auroc"] == pytest.approx(roc_auc_score(view.has[inside], view.score[inside]))
        for gap in row.gaps:
            if gap.measure == "auroc":
                others = roc_auc_score(view.has[~inside], view.score[~inside])
                assert gap.difference.value == pytest.approx(values["auroc"] - others)


def test_a_planted_gap_is_flagged_in_words_and_points() -> None:
    view, facts = table(worse=1.5)
    made = subgroups(view, 0.5, facts, draws_of(view))
    (male,) = [row for row in made.rows if row.group == "male"]
    assert male.standing == "lower" and male in made.flagged
    assert male.says.startswith("Sensitivity lower in this group by ") and " points (" in male.says
    sensitivity = next(one for one in male.gaps if one.measure == "sensitivity")
    assert sensitivity.widened.low < sensitivity.difference.low < sensitivity.difference.value
    assert any(text.startswith("sex, male: Sensitivity lower") for text in made.says)
    assert "fair" not in " ".join(made.says)


def test_where_nothing_differs_false_flags_are_rare() -> None:
    flagged = soft = 0
    for seed in range(100):
        view, facts = table(400, seed)
        made = subgroups(view, 0.5, facts, whose(400, None))
        flagged += bool(made.flagged)
        soft += any(row.standing.startswith("may be") for row in made.rows)
    assert flagged <= 10 and soft > flagged


def test_two_groups_have_one_difference_between_them() -> None:
    view, facts = table()
    draws = draws_of(view)
    both = subgroups(view, 0.5, {"sex": facts["sex"]}, draws)
    assert (both.looked_at, both.comparisons) == (2, 3)
    assert both.by_chance == pytest.approx(1 - 0.95**3)
    female, male = both.rows
    assert female.gaps[0].difference.value == pytest.approx(-male.gaps[0].difference.value)
    assert subgroups(view, 0.5, facts, draws).comparisons == 3 + 9
    assert subgroups(view, None, {"sex": facts["sex"]}, draws).comparisons == 1


def test_few_patients_say_nothing_and_missing_values_are_a_row() -> None:
    view, facts = table(300)
    made = subgroups(view, 0.5, facts, draws_of(view))
    missing = made.rows[-1]
    assert missing.group == "not recorded" and missing.few and not missing.gaps
    assert missing.standing == "too few to say" and missing.says.startswith(f"Too few to say ({missing.patients} case")
    assert not any("lower" in text for text in made.says if "not recorded" in text)
    assert any(text.startswith("Too few to say: site, not recorded") for text in made.says)


def test_patients_are_counted_not_images() -> None:
    view, facts = table(600)
    who = (np.arange(600) // 60).astype(object)
    made = subgroups(view, 0.5, {"sex": facts["sex"]}, draws_of(view, who))
    assert all(row.few and row.patients == 10 and row.cases > 200 for row in made.rows)


def test_a_group_is_not_compared_with_too_few_others() -> None:
    view, _ = table(300)
    made = subgroups(view, 0.5, {"sex": ["f"] * 290 + ["m"] * 10}, draws_of(view))
    big = made.rows[0]
    assert not big.few and not big.gaps and big.says.startswith("Nothing to compare with")


def test_degenerate_tables_answer_in_words() -> None:
    view, facts = table(50)
    draws = draws_of(view)
    assert "only f recorded" in subgroups(view, 0.5, {"sex": ["f"] * 50}, draws).says[0]
    assert "not recorded" in subgroups(view, 0.5, {"sex": [None] * 50}, draws).says[0]
    assert "Nothing is recorded" in subgroups(view, 0.5, {}, draws).says[0]
    nobody = View("ill", "well", np.zeros(0, bool), np.zeros(0), np.zeros(0, int))
    assert subgroups(nobody, 0.5, {"sex": []}, draws_of(nobody, draws=5)).rows == ()
    one_kind = View("ill", "well", np.ones(50, bool), view.score, np.arange(50))
    assert all(row.few for row in subgroups(one_kind, 0.5, facts, draws_of(one_kind)).rows)
    constant = View("ill", "well", view.has, np.full(50, 0.5), np.arange(50))
    for row in subgroups(constant, 0.5, {"sex": facts["sex"]}, draws).rows:
        assert all(one.low < one.high for one in row.estimates)
        assert all(one.difference.low < one.difference.high for one in row.gaps)


def test_a_finding_keeps_the_rows_it_is_sure_of() -> None:
    view, facts = table(400)
    truth = np.where(view.has, 1, 0)[:, None]
    truth[::4] = -1
    (finding,) = views("multi-label", ("ill",), None, truth, view.score[:, None])
    kept = view.take(truth[:, 0] >= 0)
    draws = draws_of(view)
    made = subgroups(finding, 0.5, facts, draws)
    alone = subgroups(
        View("ill", "well", kept.has, kept.score, np.arange(len(kept))), 0.5,
        {name: [values[i] for i in kept.index] for name, values in facts.items()}, draws.take(kept.index),
    )  # fmt: skip
    assert made.rows == alone.rows and sum(row.cases for row in made.rows[:2]) == 300


def test_more_than_two_classes_are_compared_as_a_whole() -> None:
    random = np.random.default_rng(2)
    y = random.integers(0, 3, 500)
    sex = np.where(random.random(500) < 0.5, "male", "female")
    raw = random.normal(size=(500, 3)) + np.eye(3)[y] * np.where(sex == "male", 0.3, 3.0)[:, None]
    scores = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    calls = scores.argmax(axis=1)
    draws = resample(y, None, None, 0, 300)
    made = subgroups_of_classes(y, calls, views("single-label", ("a", "b", "c"), None, y, scores), {"sex": sex}, draws)
    female, male = made.rows
    assert male.standing == "lower" and male.present is None
    values = {one.name: one.value for one in male.estimates}
    inside = sex == "male"
    assert values["accuracy"] == pytest.approx((calls == y)[inside].mean())
    assert values["auroc"] == pytest.approx(roc_auc_score(y[inside], scores[inside], multi_class="ovr"))
    assert female.gaps[0].difference.value == pytest.approx(-male.gaps[0].difference.value)


def test_twenty_rows_of_ten_thousand_cases_take_a_fraction_of_a_second() -> None:
    view, _ = table(10_000)
    random = np.random.default_rng(0)
    facts = {name: random.choice(list("abcd"), 10_000) for name in ("1", "2", "3", "4", "5")}
    draws = draws_of(view, (np.arange(10_000) // 2).astype(object), draws=2000)
    start = perf_counter()
    made = subgroups(view, 0.5, facts, draws)
    assert len(made.rows) == 20
    assert perf_counter() - start < 3  # 0.2 s on two cores at rest


def test_many_questions_of_the_same_cases_widen_every_interval() -> None:
    """Fourteen findings, each flagged at 5 %, would flag a group of one run in two where nothing differs."""
    view, facts = table(worse=1.5)
    one, many = (subgroups(view, 0.5, facts, draws_of(view), questions) for questions in (1, 14))
    pairs = [(a, b) for x, y in zip(one.rows, many.rows, strict=True) for a, b in zip(x.gaps, y.gaps, strict=True)]
    assert pairs and all(b.widened.low < a.widened.low and b.widened.high > a.widened.high for a, b in pairs)
    assert all(a.difference == b.difference for a, b in pairs)
    assert any("14 questions" in text for text in many.says) and not any("questions" in text for text in one.says)
