"""Forecasts against a slow, obvious reference: each opportunity converted by itself and added up in Python."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from random import Random
from typing import Any

import pytest
from sqlalchemy import Numeric, column, insert, literal_column, select, update, values
from tests.factories.world import (
    World,
    make_account,
    make_model,
    make_opportunity,
    make_territory,
    make_type,
    make_user,
    make_world,
)

from etm_graph.core.access import Role
from etm_graph.core.calendar import Period, parse_period
from etm_graph.core.lifecycle import ModelState
from etm_graph.core.money import from_cents
from etm_graph.core.rollup import ForecastCategory, Measure
from etm_graph.db.sessions import Database
from etm_graph.features.alignment.tables import opportunity_alignment
from etm_graph.features.crm.queries import currencies_without_rate, organisation_of
from etm_graph.features.crm.queries.pricing import half_even
from etm_graph.features.crm.tables import exchange_rate, opportunity, organisation
from etm_graph.features.forecasts.service import View, make_view

CENT = Decimal("0.01")
UNASSIGNED = ""
RATES = {
    "EUR": [(date(2026, 2, 1), Decimal("1.0750000000")), (date(2026, 7, 1), Decimal("1.1250000000"))],
    "JPY": [(date(2025, 1, 1), Decimal("0.0065000000"))],
}
PATHS = ("/World/", "/World/Europe/", "/World/Europe/DE/", "/World/Europe/FR/", "/World/Asia/", "/Partners/")


Amounts = dict[ForecastCategory, Decimal]


@dataclass
class Forecast:
    """One period of a view as maps from path to amounts that are not zero."""

    period: Period
    own: dict[str, Amounts]
    total: dict[str, Amounts]
    counts: dict[str, int]

    @staticmethod
    def of(view: View, period: int) -> "Forecast":
        grid = view.grid
        paths = [*grid.tree.paths, UNASSIGNED]

        def amounts(place: int, own: bool) -> Amounts:
            found = {c: grid.sums(Measure(c.value), period, place, own=own) for c in ForecastCategory}
            return {c: from_cents(sums[0]) for c, sums in found.items() if sums[2]}

        own = {path: amounts(place, True) for place, path in enumerate(paths)}
        total = {path: amounts(place, False) for place, path in enumerate(paths)}
        counts = {path: grid.count(period, place) for place, path in enumerate(paths)}
        return Forecast(grid.periods[period], own, total, counts)


@dataclass
class Book:
    """A model with territories and aligned opportunities, and what was written."""

    world: World
    model_id: int
    ids: Mapping[str, int]
    account_id: int
    written: list[tuple[str | None, dict[str, Any]]] = field(default_factory=list)

    async def add(self, rows: Sequence[tuple[str | None, dict[str, Any]]]) -> None:
        """Opportunities with the path that each is aligned to."""
        common = {
            "account_id": self.account_id,
            "name": "Deal",
            "stage": "Open",
            "probability": 50,
            "excluded_from_territory_assignment": False,
            "version": 0,
        }
        async with self.world.database.write() as session:
            for path, given in rows:
                number = await session.scalar(insert(opportunity).values(**common, **given).returning(opportunity.c.id))
                where = None if path is None else self.ids[path]
                await session.execute(
                    insert(opportunity_alignment).values(
                        model_id=self.model_id, opportunity_id=number, territory_id=where, cause="POLICY", reason="X"
                    )
                )
        self.written += rows

    async def view(self, *keys: str, family: str | None = None) -> View:
        async with self.world.database.read() as session:
            month = (await organisation_of(session)).fiscal_year_start_month
            periods = [parse_period(key, month) for key in keys]
            return await make_view(session, self.world.cube, self.model_id, ModelState.ACTIVE, periods, family=family)

    async def read(self, *keys: str) -> list["Forecast"]:
        view = await self.view(*keys)
        return [Forecast.of(view, place) for place in range(len(keys))]

    def expected(self, period: Period, below: str) -> tuple[dict[ForecastCategory, Decimal], int]:
        """Amounts by category and count of what is aligned at or below a path."""
        amounts: dict[ForecastCategory, Decimal] = {}
        count = 0
        for path, given in self.written:
            inside = (path or UNASSIGNED).startswith(below) if below else path is None
            if inside and period.start <= given["close_date"] <= period.end:
                category = ForecastCategory(given["forecast_category"])
                amounts[category] = amounts.get(category, Decimal(0)) + convert(given)
                count += 1
        return amounts, count


def convert(given: Mapping[str, Any]) -> Decimal:
    dated = RATES.get(given["currency"], [(date(1900, 1, 1), Decimal(1))])
    rate = next((r for start, r in reversed(dated) if start <= given["close_date"]), dated[0][1])
    amount: Decimal = given["amount"]
    return (amount * rate).quantize(CENT, ROUND_HALF_EVEN)


@pytest.fixture
async def book(database: Database) -> Book:
    world = make_world(database)
    admin = await make_user(database, "admin", Role.ADMIN)
    type_id = await make_type(world, admin)
    planner = await make_user(database, "planner", Role.PLANNER)
    model_id = await make_model(world, planner)
    ids: dict[str, int] = {}
    for path in PATHS:
        parent, name = path.rstrip("/").rsplit("/", 1)
        ids[path] = await make_territory(world, planner, model_id, type_id, name, ids.get(f"{parent}/"))
    account_id = await make_account(database, "Acme")
    async with database.write() as session:
        for currency, dated in RATES.items():
            for start, rate in dated:
                await session.execute(insert(exchange_rate).values(currency=currency, effective_from=start, rate=rate))
    return Book(world, model_id, ids, account_id)


def deal(amount: str, day: date, currency: str = "USD", category: str = "PIPELINE") -> dict[str, Any]:
    return {"amount": Decimal(amount), "close_date": day, "currency": currency, "forecast_category": category}


async def test_halves_of_a_cent_go_to_the_even_one_in_sql_too(database: Database) -> None:
    random = Random(7)
    halves = [Decimal(n) / 1000 for n in range(-1995, 2000, 10)]
    others = [Decimal(random.randrange(-(10**15), 10**15)).scaleb(-random.randrange(13)) for _ in range(2000)]
    found = values(column("x", Numeric), name="given").data([(value,) for value in [*halves, *others]])
    async with database.read() as session:
        rows = await session.rows(select(found.c.x, literal_column(half_even("given.x")).label("rounded")))
    assert len(rows) == 2400
    assert [row.rounded for row in rows] == [row.x.quantize(CENT, ROUND_HALF_EVEN) for row in rows]


async def test_amounts_are_converted_one_by_one_and_then_added(book: Book) -> None:
    day = date(2026, 8, 1)
    await book.add([("/World/Europe/DE/", deal("0.20", day, "EUR"))] * 3)
    (found,) = await book.read("FY2026-Q3")
    assert found.own["/World/Europe/DE/"] == {ForecastCategory.PIPELINE: Decimal("0.66")}
    assert convert(deal("0.20", day, "EUR")) == Decimal("0.22")
    assert (Decimal("0.60") * Decimal("1.125")).quantize(CENT, ROUND_HALF_EVEN) == Decimal("0.68")


@pytest.mark.parametrize(
    ("day", "currency", "amount"),
    [
        (date(2026, 1, 15), "EUR", "107.50"),
        (date(2026, 2, 1), "EUR", "107.50"),
        (date(2026, 6, 30), "EUR", "107.50"),
        (date(2026, 7, 1), "EUR", "112.50"),
        (date(2026, 12, 31), "EUR", "112.50"),
        (date(2026, 12, 31), "USD", "100.00"),
        (date(2026, 3, 3), "JPY", "0.65"),
    ],
)
async def test_the_rate_is_the_last_dated_one_and_the_earliest_before_all(
    book: Book, day: date, currency: str, amount: str
) -> None:
    await book.add([("/Partners/", deal("100", day, currency))])
    (found,) = await book.read("FY2026")
    assert found.own["/Partners/"] == {ForecastCategory.PIPELINE: Decimal(amount)}


async def test_a_period_has_its_first_and_last_day_and_no_other(book: Book) -> None:
    days = [date(2026, 6, 30), date(2026, 7, 1), date(2026, 9, 30), date(2026, 10, 1)]
    await book.add([("/World/", deal(str(10**place), day)) for place, day in enumerate(days)])
    second, third, fourth = await book.read("FY2026-Q2", "FY2026-Q3", "FY2026-Q4")
    assert [f.own["/World/"][ForecastCategory.PIPELINE] for f in (second, third, fourth)] == [1, 110, 1000]
    assert [f.counts["/World/"] for f in (second, third, fourth)] == [1, 2, 1]


async def test_periods_follow_the_organisations_fiscal_year(book: Book) -> None:
    async with book.world.database.write() as session:
        await session.execute(update(organisation).values(fiscal_year_start_month=4))
    await book.add([("/World/", deal("5", date(2026, 4, 1))), ("/World/", deal("7", date(2026, 3, 31)))])
    before, after = await book.read("FY2026-Q4", "FY2027-Q1")
    assert before.own["/World/"] == {ForecastCategory.PIPELINE: Decimal(7)}
    assert after.own["/World/"] == {ForecastCategory.PIPELINE: Decimal(5)}


def _random_rows(seed: int, count: int) -> list[tuple[str | None, dict[str, Any]]]:
    random = Random(seed)
    return [
        (
            random.choice([*PATHS, None]),
            {
                "amount": Decimal(random.randrange(1, 10_000_000)).scaleb(-2),
                "close_date": date(2026, 1, 1) + timedelta(days=random.randrange(730)),
                "currency": random.choice(["USD", "EUR", "JPY"]),
                "forecast_category": random.choice(list(ForecastCategory)).value,
            },
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_total_is_what_adding_up_by_hand_gives(book: Book, seed: int) -> None:
    await book.add(_random_rows(seed, 300))
    keys = ["FY2026-Q1", "FY2026-Q2", "FY2026-M07", "FY2027"]
    for found, key in zip(await book.read(*keys), keys, strict=True):
        period = parse_period(key, 1)
        assert found.period == period
        for path in PATHS:
            amounts, count = book.expected(period, path)
            assert dict(found.total[path]) == amounts
            assert found.counts.get(path, 0) == count
        amounts, count = book.expected(period, UNASSIGNED)
        assert found.own[UNASSIGNED] == amounts
        assert found.counts[UNASSIGNED] == count


@pytest.mark.parametrize("seed", [4, 5])
async def test_a_parent_is_its_own_and_its_children_and_roots_with_unassigned_are_all(book: Book, seed: int) -> None:
    rows = _random_rows(seed, 250)
    await book.add(rows)
    (found,) = await book.read("FY2026")
    for parent in PATHS:
        children = [path for path in PATHS if path.startswith(parent) and path.count("/") == parent.count("/") + 1]
        for category in ForecastCategory:
            own = found.own.get(parent, {}).get(category, 0)
            below = sum(found.total[child].get(category, 0) for child in children)
            assert found.total[parent].get(category, 0) == own + below
    inside = [given for _, given in rows if given["close_date"].year == 2026]
    roots = ["/World/", "/Partners/"]
    for category in ForecastCategory:
        everything = sum((convert(given) for given in inside if given["forecast_category"] == category), Decimal(0))
        rolled = sum(found.total[root].get(category, 0) for root in roots)
        assert rolled + found.own[UNASSIGNED].get(category, 0) == everything
    assert sum(found.counts[path] for path in (*roots, UNASSIGNED)) == len(inside)


async def test_what_another_model_aligns_is_unassigned_here(book: Book) -> None:
    planner = await make_user(book.world.database, "second", Role.PLANNER)
    other = await make_model(book.world, planner, "Other")
    await book.add([("/World/", deal("5", date(2026, 4, 1)))])
    async with book.world.database.read() as session:
        periods = [parse_period("FY2026", 1)]
        view = await make_view(session, book.world.cube, other, ModelState.ACTIVE, periods)
    assert Forecast.of(view, 0).own == {UNASSIGNED: {ForecastCategory.PIPELINE: Decimal(5)}}


async def test_an_opportunity_that_no_run_has_seen_is_unassigned(book: Book) -> None:
    await book.add([("/World/", deal("5", date(2026, 4, 1)))])
    await make_opportunity(book.world.database, book.account_id, amount=7, close_date=date(2026, 4, 1))
    (found,) = await book.read("FY2026")
    assert found.own[UNASSIGNED] == {ForecastCategory.PIPELINE: Decimal(7)}
    assert found.counts[UNASSIGNED] == 1


async def test_a_currency_without_a_rate_counts_and_adds_nothing_and_can_be_found(book: Book) -> None:
    await book.add([("/World/", deal("5", date(2026, 4, 1), "XAU")), ("/World/", deal("6", date(2026, 4, 1)))])
    (found,) = await book.read("FY2026")
    assert (found.own["/World/"], found.counts["/World/"]) == ({ForecastCategory.PIPELINE: Decimal(6)}, 2)
    async with book.world.database.read() as session:
        rows = await currencies_without_rate(session)
    assert [(row.currency, row.accounts, row.opportunities) for row in rows] == [("XAU", 0, 1)]


async def test_a_product_family_is_a_forecast_of_its_own_and_families_add_up(book: Book) -> None:
    day = date(2026, 4, 1)
    given = [
        ("/World/", {**deal(str(n), day), "product_family": family}) for n, family in ((1, "A"), (2, "B"), (4, "A"))
    ]
    await book.add([*given, ("/World/Asia/", deal("8", day))])
    totals = []
    for family in ("A", "B", None):
        view = await book.view("FY2026", family=family)
        totals.append(view.grid.sums(Measure.PIPELINE, 0, view.grid.tree.paths.index("/World/"), own=False))
    assert [(cents, count) for cents, _, count in totals] == [(500, 2), (200, 1), (1500, 4)]


async def test_quantities_are_added_up_as_amounts_are(book: Book) -> None:
    day = date(2026, 4, 1)
    await book.add(
        [
            ("/World/Asia/", {**deal("1", day), "quantity": Decimal("2.50")}),
            ("/World/", {**deal("1", day), "quantity": Decimal("0.25")}),
            ("/World/", deal("1", day)),
        ]
    )
    view = await book.view("FY2026")
    place = view.grid.tree.paths.index("/World/")
    assert [view.grid.sums(Measure.OPEN_PIPELINE, 0, place, own=own)[1] for own in (True, False)] == [25, 275]


async def test_a_view_costs_a_fixed_number_of_statements(book: Book) -> None:
    await book.add(_random_rows(6, 20))
    counted: list[str] = []

    def count(statement: str) -> None:
        counted.append(statement)

    await book.view("FY2026")
    book.world.database.on_statement(count)
    needed = []
    for keys in (["FY2026"], [f"FY2026-M{month:02d}" for month in range(1, 13)]):
        counted.clear()
        await book.view(*keys)
        needed.append(len(counted))
    assert needed == [8, 8]
