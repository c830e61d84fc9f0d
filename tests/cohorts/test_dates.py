import datetime

import pytest

from medtl.cohorts.adding import _periods
from medtl.cohorts.labelling.dates import days_of

DAY = datetime.date(2020, 3, 14)


@pytest.mark.parametrize(
    "text",
    [
        *("20200314", "2020.03.14", "20200314101533.250000+0100", "2020-03-14", "2020-3-14", "2020/03/14"),
        *("2020-03-14T10:15:33Z", "2020-03-14 10:15", "2020-03-14 10:15:33.25+01:00", "14.03.2020", "14. 3. 2020"),
        *("14.3.2020 10:15", "14/03/2020", "3/14/2020", "03/14/2020 10:15:33 PM", "14-03-2020", " 14.03.2020 "),
    ],
)
def test_one_day_in_many_forms(text):
    assert days_of([text]) == [DAY]


def test_years_and_months_count_as_their_middle():
    assert days_of(["2020", "2020-02"]) == [datetime.date(2020, 7, 1), datetime.date(2020, 2, 15)]


@pytest.mark.parametrize(
    "text", ["", "43904", "1234567", "20201399", "31.02.2020", "14.03.20", "spring", "2020-13", "9999", "²020", "1/2"]
)
def test_what_is_no_date_or_could_be_anything_is_none(text):
    assert days_of([text]) == [None]


def test_the_column_tells_whether_the_day_or_the_month_comes_first():
    assert days_of(["04/03/2020", "14/03/2020"])[0] == datetime.date(2020, 3, 4)
    assert days_of(["04/03/2020", "03/14/2020"])[0] == datetime.date(2020, 4, 3)


@pytest.mark.parametrize("other", ["05/03/2020", "2020-03-14"])
def test_where_nothing_tells_no_date_with_slashes_is_taken(other):
    assert days_of(["04/03/2020", other])[0] is None
    assert days_of(["14/03/2020", "03/14/2020"]) == [None, None]


def test_periods_follow_time_and_not_spelling():
    months = range(1, 11)
    told = ["1 of 5", "1 of 5", "2 of 5", "2 of 5", "3 of 5", "3 of 5", "4 of 5", "4 of 5", "5 of 5", "5 of 5"]
    assert _periods([f"{28 - month}.{month:02d}.2020" for month in months]) == told  # as text the days would come first
    forms = ("2020{:02d}05", "2020-{:02d}-05", "05.{:02d}.2020")  # DICOM and two tables
    assert _periods([forms[month % 3].format(month) for month in months]) == told


def test_dates_that_nobody_understands_give_no_period():
    assert set(_periods([f"0{n}/0{10 - n}/2020" for n in range(1, 10)])) == {""}
    assert set(_periods([str(43_000 + n) for n in range(9)])) == {""}
    assert _periods(["unknown", *(f"201{n}" for n in range(6))])[0] == ""
