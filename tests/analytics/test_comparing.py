"""Two standings compared column-wise, against a reference that looks at one thing after the other."""

from collections.abc import Iterable

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from etm_graph.analytics.comparing import DEALS, HANDS, MEMBERS, PAIRS, Effect, Standing, changed

QUICK = settings(max_examples=60, deadline=None)
Pairs = set[tuple[int, int]]
PLACES, ACCOUNTS, DEALS_OF = range(4), range(5), range(8)

some_pairs = st.sets(st.tuples(st.sampled_from(ACCOUNTS), st.sampled_from(PLACES)), max_size=10)
some_hands = st.dictionaries(st.sampled_from(DEALS_OF), st.sampled_from(PLACES), max_size=8)
some_members = st.sets(st.tuples(st.sampled_from("ab"), st.sampled_from(PLACES)), max_size=5)
sides = st.tuples(some_pairs, some_hands, some_members)

REVENUE = {account: 10.0**account for account in ACCOUNTS}
AMOUNT = {deal: 2.0**deal for deal in DEALS_OF}
DEAL_FRAME = pl.DataFrame(
    [(deal, deal % 5, AMOUNT[deal], deal % 3 > 0) for deal in DEALS_OF], schema=DEALS, orient="row"
)
REVENUE_FRAME = pl.DataFrame({"object_id": list(REVENUE), "revenue": list(REVENUE.values())})
Side = tuple[Pairs, dict[int, int], set[tuple[str, int]]]


def frame(rows: Iterable[tuple[object, ...]], schema: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=schema, orient="row")


def standing(side: Side) -> Standing:
    pairs, hands, members = side
    return Standing(frame(pairs, PAIRS), frame(hands.items(), HANDS), frame(members, MEMBERS))


def effect(base: Side, other: Side) -> Effect:
    return Effect(standing(base), standing(other), REVENUE_FRAME, DEAL_FRAME)


def of_account(side: Side, account: int) -> list[int]:
    return sorted(place for found, place in side[0] if found == account)


def sums(accounts: set[int], deals: set[int]) -> tuple[float, ...]:
    open_amount = sum(AMOUNT[deal] for deal in deals if deal % 3)
    return len(accounts), sum(REVENUE[account] for account in accounts), len(deals), open_amount


def measures(
    accounts: tuple[set[int], set[int]], deals: tuple[set[int], set[int]], moved: tuple[set[int], set[int]]
) -> dict[str, float]:
    """moved: deals that come and go."""
    found: dict[str, float] = {}
    ways = {
        "before": (accounts[0], deals[0]),
        "after": (accounts[1], deals[1]),
        "gained": (accounts[1] - accounts[0], moved[0]),
        "lost": (accounts[0] - accounts[1], moved[1]),
    }
    for way, (some, others) in ways.items():
        for name, value in zip(("accounts", "revenue", "opportunities", "pipeline"), sums(some, others), strict=True):
            found[f"{name}_{way}"] = value
    return found


@QUICK
@given(sides, sides)
def test_every_territory_gets_and_loses_what_it_does(base: Side, other: Side) -> None:
    expected = {}
    for place in PLACES:
        accounts = tuple({account for account, found in side[0] if found == place} for side in (base, other))
        deals = tuple({deal for deal, found in side[1].items() if found == place} for side in (base, other))
        if any((*accounts, *deals)):
            moved = (deals[1] - deals[0], deals[0] - deals[1])
            expected[place] = measures((accounts[0], accounts[1]), (deals[0], deals[1]), moved)
    found = {row.pop("place"): row for row in effect(base, other).territories.to_dicts()}
    assert found == expected


@QUICK
@given(sides, sides)
def test_every_user_reaches_what_the_places_of_the_user_have_once(base: Side, other: Side) -> None:
    expected = {}
    for user in "ab":
        places = tuple({place for name, place in side[2] if name == user} for side in (base, other))
        both = tuple(zip((base, other), places, strict=True))
        accounts = tuple({account for account, found in side[0] if found in own} for side, own in both)
        deals = tuple({deal for deal, found in side[1].items() if found in own} for side, own in both)
        if any((*accounts, *deals)):
            moved = (deals[1] - deals[0], deals[0] - deals[1])
            expected[user] = measures((accounts[0], accounts[1]), (deals[0], deals[1]), moved)
    found = {row.pop("user_name"): row for row in effect(base, other).users.to_dicts()}
    assert found == expected


@QUICK
@given(sides, sides)
def test_accounts_are_gained_lost_or_moved(base: Side, other: Side) -> None:
    expected = []
    for account in ACCOUNTS:
        before, after = of_account(base, account), of_account(other, account)
        if before != after:
            kind = "GAINED" if not before else "LOST" if not after else "MOVED"
            expected.append((account, kind, before, after, REVENUE[account]))
    found = effect(base, other).accounts.select("object_id", "kind", "before", "after", "revenue")
    assert list(found.iter_rows()) == expected


@QUICK
@given(sides, sides)
def test_opportunities_change_hands_where_their_place_differs(base: Side, other: Side) -> None:
    expected = [
        (deal, base[1].get(deal), other[1].get(deal)) for deal in DEALS_OF if base[1].get(deal) != other[1].get(deal)
    ]
    found = effect(base, other).opportunities.select("opportunity_id", "before", "after")
    assert list(found.iter_rows()) == expected


@QUICK
@given(sides, sides)
def test_totals_add_up(base: Side, other: Side) -> None:
    found = effect(base, other)
    totals = found.totals
    assert totals.accounts_after == totals.accounts_before + totals.accounts_gained - totals.accounts_lost
    assert totals.assignments_after == totals.assignments_before + found.gained.height - found.lost.height
    assert totals.accounts_gained + totals.accounts_lost + totals.accounts_moved == found.accounts.height
    assert totals.pipeline_before == sum(AMOUNT[deal] for deal in base[1] if deal % 3)
    assert totals.pipeline_after == sum(AMOUNT[deal] for deal in other[1] if deal % 3)
    assert totals.opportunities_moved == found.opportunities.height
    assert totals.territories_changed == changed(found.territories).height
    assert totals.revenue_moved == sum(row["revenue"] for row in found.accounts.to_dicts() if row["kind"] == "MOVED")


@QUICK
@given(sides)
def test_a_standing_does_not_differ_from_itself(side: Side) -> None:
    found = effect(side, side)
    assert (found.accounts.height, found.opportunities.height, changed(found.users).height) == (0, 0, 0)


@QUICK
@given(sides, st.sets(st.sampled_from(PLACES)))
def test_parts_of_a_standing_are_by_place_user_and_account(side: Side, places: set[int]) -> None:
    whole = standing(side)
    part = whole.within(places)
    assert set(part.pairs.iter_rows()) == {(account, place) for account, place in side[0] if place in places}
    assert dict(part.hands.iter_rows()) == {deal: place for deal, place in side[1].items() if place in places}
    own = {place for name, place in side[2] if name == "a"}
    assert set(whole.of_user("a").pairs.iter_rows()) == {pair for pair in side[0] if pair[1] in own}
    single = whole.of_account(1, DEAL_FRAME)
    assert set(single.pairs.iter_rows()) == {pair for pair in side[0] if pair[0] == 1}
    assert dict(single.hands.iter_rows()) == {deal: place for deal, place in side[1].items() if deal % 5 == 1}
