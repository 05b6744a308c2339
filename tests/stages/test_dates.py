"""Dates as sources write them, in seconds."""

import datetime
import math

import pyarrow as pa
import pytest

from stages.core.dates import seconds_of

DAY = 86400


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("1970", 0),
        ("1970-02", 31 * DAY),
        ("1970-01-02", DAY),
        ("1969-12-31T23:59:59Z", -1),
        ("1970-01-01T00:00:00.5", 0.5),
        ("1970-01-01 01:30", 5400),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1969-12-31T21:30:00-0230", 0),
        ("19700102000001", DAY + 1),
        ("2024-02-29", 1709164800),
    ],
)
def test_a_date_is_its_first_second(date, seconds):
    assert seconds_of(pa.chunked_array([[date]])).tolist() == [seconds]


@pytest.mark.parametrize("date", [None, "", "yesterday", "2023-02-29", "2024-13-01", "2024-00-10", "12", "2024-05-01x"])
def test_what_is_no_date_is_no_number(date):
    assert math.isnan(seconds_of(pa.array([date], pa.string()))[0])


def test_arrow_dates_are_read_as_such():
    assert seconds_of(pa.array([datetime.date(1970, 1, 2)])).tolist() == [DAY]
    assert seconds_of(pa.array([datetime.datetime(1970, 1, 1, 0, 0, 1)])).tolist() == [1]


def test_there_may_be_no_date():
    assert seconds_of(pa.array([], pa.string())).tolist() == []
