"""The organisation's calendar, exchange rates, kinds of quota and weights: managed, checked, refused when in use."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import insert, select, update
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
from etm_graph.core.errors import Conflict, Forbidden, InUse, Invalid, NotFound, Taken, WrongState
from etm_graph.db.sessions import Database
from etm_graph.features.crm import service as crm
from etm_graph.features.crm.queries import list_exchange_rates, organisation_of
from etm_graph.features.forecasts import service as forecasts
from etm_graph.features.forecasts.queries import people
from etm_graph.features.forecasts.tables import quota
from etm_graph.features.models.tables import territory_model
from etm_graph.features.reports import service as reports
from etm_graph.features.reports.queries.kept import list_weights, weights_of
from etm_graph.identity.principal import Principal
from etm_graph.jobs.tables import job

DAY = date(2026, 1, 1)


@pytest.fixture
async def world(database: Database) -> World:
    return make_world(database)


@pytest.fixture
async def admin(database: Database) -> Principal:
    return await make_user(database, "admin", Role.ADMIN)


async def write(world: World, who: Principal, act: Any, *arguments: Any) -> Any:
    async with world.writer.unit_of_work(who) as work:
        return await act(work, *arguments)


async def read(world: World, query: Any, *arguments: Any) -> Any:
    async with world.database.read() as session:
        return await query(session, *arguments)


async def make_quota(world: World, planner: Principal, admin: Principal) -> None:
    type_id = await make_type(world, admin)
    model_id = await make_model(world, planner)
    territory_id = await make_territory(world, planner, model_id, type_id, "World")
    kind = (await read(world, people.list_quota_kinds))[0]
    values = {"model_id": model_id, "territory_id": territory_id, "kind_id": kind.id, "amount": 5, "version": 0}
    period = {"period": "FY2026", "period_start": DAY, "period_end": date(2026, 12, 31)}
    async with world.database.write() as session:
        await session.execute(insert(quota).values(**values, **period, written_at=planner_time()))


def planner_time() -> Any:
    from datetime import UTC, datetime

    return datetime(2026, 1, 1, tzinfo=UTC)


async def test_the_calendar_can_be_changed_until_something_is_kept_by_its_periods(
    world: World, admin: Principal
) -> None:
    await write(world, admin, crm.update_organisation, 1, {"fiscal_year_start_month": 4, "time_zone": "Europe/Berlin"})
    found = await read(world, organisation_of)
    assert (found.fiscal_year_start_month, found.time_zone, found.version) == (4, "Europe/Berlin", 2)
    planner = await make_user(world.database, "planner", Role.PLANNER)
    await make_quota(world, planner, admin)
    with pytest.raises(InUse, match="1 quotas"):
        await write(world, admin, crm.update_organisation, 2, {"fiscal_year_start_month": 1})
    await write(world, admin, crm.update_organisation, 2, {"adjustment_period": "MONTH"})
    found = await read(world, organisation_of)
    assert (found.fiscal_year_start_month, found.adjustment_period) == (4, "MONTH")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"fiscal_year_start_month": 13}, "fiscalYearStartMonth"),
        ({"time_zone": "Mars/Olympus"}, "timeZone"),
        ({"adjustment_period": "YEAR"}, "adjustmentPeriod"),
    ],
)
async def test_settings_that_mean_nothing_are_refused(
    world: World, admin: Principal, values: dict[str, object], field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await write(world, admin, crm.update_organisation, 1, values)
    assert caught.value.field == (field,)


async def test_settings_are_for_administrators_and_an_old_version_is_a_conflict(world: World, admin: Principal) -> None:
    planner = await make_user(world.database, "planner", Role.PLANNER)
    with pytest.raises(Forbidden):
        await write(world, planner, crm.update_organisation, 1, {"name": "X"})
    with pytest.raises(Forbidden):
        await write(world, planner, crm.create_rate, "EUR", DAY, Decimal(1))
    with pytest.raises(Conflict):
        await write(world, admin, crm.update_organisation, 0, {"name": "X"})


async def test_a_rate_is_created_changed_and_deleted_and_the_active_model_runs_anew(
    world: World, admin: Principal
) -> None:
    planner = await make_user(world.database, "planner", Role.PLANNER)
    model_id = await make_model(world, planner)
    async with world.database.write() as session:
        await session.execute(update(territory_model).values(state="ACTIVE"))
    await write(world, admin, crm.create_rate, "EUR", DAY, Decimal("1.1"))
    await write(world, admin, crm.update_rate, "EUR", DAY, 1, Decimal("1.2"))
    rows = await read(world, list_exchange_rates)
    assert [(row.currency, row.rate, row.version) for row in rows] == [("EUR", Decimal("1.2"), 2)]
    with pytest.raises(Taken):
        await write(world, admin, crm.create_rate, "EUR", DAY, Decimal(1))
    with pytest.raises(Conflict):
        await write(world, admin, crm.update_rate, "EUR", DAY, 1, Decimal(2))
    await write(world, admin, crm.delete_rate, "EUR", DAY, 2)
    with pytest.raises(NotFound):
        await write(world, admin, crm.delete_rate, "EUR", DAY, 2)
    async with world.database.read() as session:
        jobs = await session.rows(select(job.c.kind, job.c.model_id))
    assert [tuple(row) for row in jobs] == [("run", model_id)] * 3


@pytest.mark.parametrize(
    ("currency", "rate", "field"),
    [
        ("eur", "1", "currency"),
        ("EURO", "1", "currency"),
        ("USD", "1", "currency"),
        ("EUR", "0", "rate"),
        ("EUR", "-1", "rate"),
        ("EUR", "NaN", "rate"),
        ("EUR", "10000000000", "rate"),
    ],
)
async def test_a_rate_that_cannot_be_is_refused(
    world: World, admin: Principal, currency: str, rate: str, field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await write(world, admin, crm.create_rate, currency, DAY, Decimal(rate))
    assert caught.value.field == (field,)


async def test_the_last_rate_of_a_currency_in_use_stays(world: World, admin: Principal) -> None:
    await write(world, admin, crm.create_rate, "EUR", DAY, Decimal(1))
    await write(world, admin, crm.create_rate, "EUR", date(2026, 7, 1), Decimal(2))
    account = await make_account(world.database, "Acme", currency="EUR")
    await make_opportunity(world.database, account, currency="EUR")
    await write(world, admin, crm.delete_rate, "EUR", DAY, 1)
    with pytest.raises(InUse, match="2 accounts and opportunities"):
        await write(world, admin, crm.delete_rate, "EUR", date(2026, 7, 1), 1)


async def test_an_amount_in_a_currency_without_a_rate_is_refused_when_it_is_written(
    world: World, admin: Principal
) -> None:
    account = await make_account(world.database, "Acme")
    given = {"name": "Deal", "stage": "Open", "amount": Decimal(1), "currency": "XAU", "close_date": DAY}
    with pytest.raises(Invalid) as caught:
        await write(
            world,
            admin,
            crm.create_opportunity,
            account,
            {**given, "forecast_category": "PIPELINE", "probability": 1},
        )
    assert caught.value.field == ("currency",)


async def test_many_rates_are_loaded_and_loading_them_again_changes_nothing(world: World, admin: Principal) -> None:
    rows = [("EUR", DAY, Decimal("1.1")), ("JPY", DAY, Decimal("0.006"))]
    assert await write(world, admin, crm.load_rates, rows) == (2, 0)
    assert await write(world, admin, crm.load_rates, rows) == (0, 0)
    assert await write(world, admin, crm.load_rates, [("EUR", DAY, Decimal("1.2"))]) == (0, 1)


async def test_kinds_of_quota_are_managed_and_one_in_use_stays(world: World, admin: Principal) -> None:
    made = await write(world, admin, forecasts.create_quota_kind, "Units", "Units", "QUANTITY")
    with pytest.raises(Taken):
        await write(world, admin, forecasts.create_quota_kind, "Units", "Units", "QUANTITY")
    with pytest.raises(Invalid):
        await write(world, admin, forecasts.create_quota_kind, "Other", "Other", "HOURS")
    await write(world, admin, forecasts.update_quota_kind, made, 1, {"name": "Pieces"})
    with pytest.raises(Conflict):
        await write(world, admin, forecasts.update_quota_kind, made, 1, {"name": "Boxes"})
    kinds = await read(world, people.list_quota_kinds)
    assert [(row.developer_name, row.name, row.version) for row in kinds] == [
        ("Revenue", "Revenue", 1),
        ("Units", "Pieces", 2),
    ]
    planner = await make_user(world.database, "planner", Role.PLANNER)
    with pytest.raises(InUse, match="stays"):
        await write(world, admin, forecasts.delete_quota_kind, kinds[0].id)
    await make_quota(world, planner, admin)
    with pytest.raises(InUse, match="1 quotas"):
        await write(world, admin, forecasts.delete_quota_kind, kinds[0].id)
    await write(world, admin, forecasts.delete_quota_kind, made, 2)
    with pytest.raises(Forbidden):
        await write(world, planner, forecasts.create_quota_kind, "Mine", "Mine", "AMOUNT")


WEIGHTS = {"accounts": Decimal(1), "revenue": Decimal(2), "pipeline": Decimal(0), "effort": Decimal(0)}


async def test_weights_are_managed_and_chosen_by_models_and_those_in_use_stay(world: World, admin: Principal) -> None:
    planner = await make_user(world.database, "planner", Role.PLANNER)
    model_id = await make_model(world, planner)
    assert (await read(world, weights_of, model_id)).developer_name == "Even"
    made = await write(world, admin, reports.create_weights, "Money", {**WEIGHTS, "name": "Money"})
    await write(world, planner, reports.choose_weights, model_id, made)
    found = await read(world, weights_of, model_id)
    assert (found.developer_name, found.revenue) == ("Money", Decimal(2))
    await write(world, admin, reports.update_weights, made, 1, {"revenue": Decimal(3)})
    with pytest.raises(InUse, match="1 models"):
        await write(world, admin, reports.delete_weights, made)
    even = next(row for row in await read(world, list_weights) if row.developer_name == "Even")
    await write(world, planner, reports.choose_weights, model_id, even.id)
    with pytest.raises(Conflict):
        await write(world, admin, reports.delete_weights, made, 1)
    await write(world, admin, reports.delete_weights, made, 2)
    with pytest.raises(InUse, match="1 models use the weights Even"):
        await write(world, admin, reports.delete_weights, even.id)
    async with world.database.write() as session:
        await session.execute(update(territory_model).values(state="ARCHIVED"))
    with pytest.raises(WrongState):
        await write(world, admin, reports.choose_weights, model_id, even.id)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"accounts": Decimal(0), "revenue": Decimal(0)}, "accounts"),
        ({"accounts": Decimal(-1)}, "accounts"),
        ({"revenue": Decimal(10_001)}, "revenue"),
        ({"effort": Decimal(1)}, "effort"),
        ({"effort": Decimal(1), "effort_field": "hours"}, "effortField"),
    ],
)
async def test_weights_that_weigh_nothing_are_refused(
    world: World, admin: Principal, changed: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await write(world, admin, reports.create_weights, "Bad", {**WEIGHTS, **changed, "name": "Bad"})
    assert caught.value.field == (field,)


async def test_a_field_that_weights_count_effort_by_is_kept(world: World, admin: Principal) -> None:
    from etm_graph.core.criteria import DataType

    field = await write(world, admin, crm.create_custom_field, "ACCOUNT", "hours", "Hours", DataType.NUMBER)
    values = {**WEIGHTS, "effort": Decimal(1), "effort_field": "hours", "name": "Work"}
    await write(world, admin, reports.create_weights, "Work", values)
    with pytest.raises(InUse, match="effort"):
        await write(world, admin, crm.delete_custom_field, field)
