"""What becomes of quotas and adjustments when another model comes into force."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from etm_graph.core.carrying import Said, carry

TODAY = date(2026, 8, 15)
EARLY = datetime(2026, 1, 1, tzinfo=UTC)
LATE = EARLY + timedelta(days=30)
OPEN, CLOSED = date(2026, 9, 30), date(2026, 6, 30)


def said(row: int, territory: str = "DE", key: str = "Q3", end: date = OPEN, at: datetime = EARLY) -> Said:
    return Said(territory, key, end, at, row)


def test_a_territory_without_its_own_gets_a_copy_and_its_own_counts() -> None:
    found = carry([said(0), said(1, "FR")], [said(0, "FR")], {"DE", "FR"}, TODAY, latest_wins=False)
    assert (found.copies, found.beaten, found.lost, found.overruled) == ((said(0),), (said(1, "FR"),), (), ())


def test_periods_that_are_closed_stay_where_they_are_and_one_that_ends_today_is_open() -> None:
    former = [said(0, end=CLOSED), said(1, key="Q2", end=TODAY)]
    found = carry(former, [], {"DE"}, TODAY, latest_wins=False)
    assert (found.copies, found.lost) == ((former[1],), ())


def test_what_finds_no_successor_is_listed() -> None:
    assert carry([said(0, "Gone")], [], {"DE"}, TODAY, latest_wins=False).lost == (said(0, "Gone"),)


def test_after_a_restore_the_latest_written_counts_and_the_other_is_listed() -> None:
    former = [said(0, at=LATE), said(1, "FR")]
    own = [said(0), said(1, "FR", at=LATE)]
    found = carry(former, own, {"DE", "FR"}, TODAY, latest_wins=True)
    assert (found.copies, found.overruled, found.beaten) == ((former[0],), (own[0],), (former[1],))


words = st.lists(
    st.builds(
        Said,
        st.sampled_from(["A", "B", "C"]),
        st.integers(0, 2),
        st.sampled_from([OPEN, CLOSED]),
        st.sampled_from([EARLY, LATE]),
        st.just(0),
    ),
    unique_by=lambda word: (word.territory, word.key),
)


@given(words, words, st.booleans())
def test_nothing_that_is_open_is_lost_unseen(former: list[Said], own: list[Said], latest: bool) -> None:
    found = carry(former, own, {"A", "B"}, TODAY, latest_wins=latest)
    told = [*found.copies, *found.beaten, *found.lost]
    assert sorted(map(repr, told)) == sorted(repr(word) for word in former if word.period_end >= TODAY)
