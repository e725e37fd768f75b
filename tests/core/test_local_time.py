"""Moments by the clock on the wall."""

from datetime import UTC, datetime

import pytest

from etm_graph.core.errors import Invalid
from etm_graph.core.local_time import moment_of


@pytest.mark.parametrize(
    ("local", "zone", "moment"),
    [
        ("2027-01-01T00:00", "America/Denver", datetime(2027, 1, 1, 7, tzinfo=UTC)),
        ("2027-07-01T00:00", "Europe/Paris", datetime(2027, 6, 30, 22, tzinfo=UTC)),
        ("2026-10-25T02:30", "Europe/Paris", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("2027-01-01", "UTC", datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_local_time_is_one_moment_the_first_when_clocks_show_it_twice(
    local: str, zone: str, moment: datetime
) -> None:
    assert moment_of(local, zone) == moment


@pytest.mark.parametrize("local", ["2026-03-29T02:30", "tomorrow", "2027-01-01T00:00+01:00"])
def test_what_no_clock_shows_is_refused(local: str) -> None:
    with pytest.raises(Invalid):
        moment_of(local, "Europe/Paris")
