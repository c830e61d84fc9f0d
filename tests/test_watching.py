"""The diary over time: agreement with its interval, and an alarm that keeps to the rate of false ones it states."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from medtl import watching
from medtl.gate.gate import Baseline
from medtl.runs.diary import Entry

START = datetime(2026, 3, 2, 9, tzinfo=UTC)  # a Monday
BEFORE = Baseline(np.sort(np.random.default_rng(0).normal(0, 2, 200)), np.linspace(0.3, 0.6, 300), 0.96)


def entry(n: int, day: int = 0, **facts: object) -> Entry:
    known = {"predicted": "benign", "far": 0.0, "brightness": 0.45} | facts
    return Entry(at=START + timedelta(days=day, minutes=n), sha256=f"{day}-{n}", **known)  # type: ignore[arg-type]


def quiet(random: np.random.Generator, n: int, day: int = 0) -> list[Entry]:
    far, bright = random.choice(BEFORE.sample, n), random.choice(BEFORE.brightness, n)
    return [
        entry(i, day, far=float(far[i]), brightness=float(bright[i]), accepted=bool(random.random() < 0.975))
        for i in range(n)
    ]


def test_only_new_single_images_count_and_each_once() -> None:
    twice = [entry(0), entry(0, predicted="malignant"), entry(1, known=True), entry(2, kind="patient")]
    found = watching.latest([*twice, entry(3, readable=False, predicted=None), entry(4)])
    assert [(one.sha256, one.predicted) for one in found] == [("0-0", "malignant"), ("0-4", "benign")]


def test_agreement_comes_by_month_and_in_all() -> None:
    classes = ("benign", "malignant")
    some = [entry(n, 0, reading=classes[n % 2], predicted=classes[n % 2 if n else 1]) for n in range(20)]
    later = [entry(n, 40, reading="benign") for n in range(5)]
    refused = [entry(90, reading="benign", accepted=False), entry(91, reading="other"), entry(92)]
    whole, march, april = watching.agreed([*some, *later, *refused], classes)
    assert (whole.period, whole.n, march.period, march.n, april.period) == ("all", 25, "2026-03", 20, "2026-04")
    assert march.agreed.value == pytest.approx(19 / 20) and march.kappa is not None and march.kappa.value > 0.85
    assert april.kappa is None and "not defined" in april.says  # both always said one class
    (few, _) = watching.agreed(some[:3], classes)
    assert few.says.endswith("too few to say more (5 are needed).") and "kappa" not in few.says
    assert watching.agreed([entry(1)], classes) == ()


def test_quiet_weeks_alarm_as_seldom_as_is_said() -> None:
    random = np.random.default_rng(1)
    weeks = [watching.weeks(quiet(random, 40), BEFORE)[0] for _ in range(400)]
    assert all(week.tested for week in weeks)
    assert sum(bool(week.alarms) for week in weeks) <= 12  # 1 % of 400 are 4; beyond 12 by chance once in 1,000


def test_what_has_changed_is_said() -> None:
    random = np.random.default_rng(2)
    as_before = quiet(random, 40)
    refused = [entry(n, 7, accepted=n % 3 > 0, far=float(random.choice(BEFORE.sample))) for n in range(40)]
    bright = [entry(n, 14, brightness=0.8, far=float(random.choice(BEFORE.sample))) for n in range(40)]
    far = [entry(n, 21, far=8.0, brightness=float(random.choice(BEFORE.brightness))) for n in range(40)]
    first, second, third, fourth, few = watching.weeks([*far, *as_before, *refused, *bright, entry(0, 28)], BEFORE)
    assert first.alarms == () and "No change seen" in first.says
    assert "more images are refused" in second.says and second.refused.low > 0.15
    assert "brighter" in " ".join(third.alarms) and "farther" in " ".join(fourth.alarms)
    assert not few.tested and "Too few" in few.says
    assert watching.weeks(as_before, None)[0].tested is False
