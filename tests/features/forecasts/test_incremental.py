"""A grid that follows the streams is the grid that is summed up anew, whatever happens."""

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from decimal import Decimal
from random import Random

import pytest
from sqlalchemy import update
from tests.factories.world import World, make_account, make_model, make_territory, make_type, make_user, make_world

from etm_graph.analytics.copies import Copy
from etm_graph.core.access import Role
from etm_graph.core.calendar import Period, parse_period
from etm_graph.core.changes import EntityType
from etm_graph.core.lifecycle import ModelState
from etm_graph.core.rollup import ForecastCategory
from etm_graph.db.sessions import Database
from etm_graph.features.alignment.service import assign_account, run_model, unassign_account
from etm_graph.features.crm.queries import opportunities_by_id
from etm_graph.features.crm.service import (
    create_opportunity,
    create_rate,
    delete_record,
    update_opportunity,
)
from etm_graph.features.forecasts.service import ForecastCube, Grid
from etm_graph.features.forecasts.service.grid import CATEGORIES
from etm_graph.features.models.tables import territory_model
from etm_graph.identity.principal import Principal
from etm_graph.wiring import DEALS

PERIODS = tuple(parse_period(f"FY2026-Q{quarter}", 1) for quarter in range(1, 5))


class Stage:
    """An active model whose assignments are made by hand, and random acts."""

    def __init__(
        self, world: World, admin: Principal, model_id: int, territories: list[int], accounts: list[int]
    ) -> None:
        self.world, self.admin, self.model_id = world, admin, model_id
        self.territories, self.accounts = territories, accounts
        self.deals: list[int] = []
        self.assigned: set[tuple[int, int]] = set()

    async def write(self, act: Callable[..., Awaitable[int]], *arguments: object) -> int:
        async with self.world.writer.unit_of_work(self.admin) as work:
            return await act(work, *arguments)

    def values(self, random: Random) -> dict[str, object]:
        return {
            "name": "Deal",
            "stage": "Open",
            "amount": Decimal(random.randrange(10**7)).scaleb(-2),
            "quantity": Decimal(random.randrange(10**4)).scaleb(-2),
            "currency": random.choice(["USD", "EUR"]),
            "close_date": date(2026, 1, 1) + timedelta(days=random.randrange(400)),
            "forecast_category": random.choice(list(ForecastCategory)).value,
            "probability": 10,
            "excluded_from_territory_assignment": random.random() < 0.1,
        }

    async def act(self, random: Random) -> None:
        kind = random.randrange(6)
        if kind <= 1 or not self.deals:
            self.deals.append(await self.write(create_opportunity, random.choice(self.accounts), self.values(random)))
        elif kind == 2:
            await self.change(random.choice(self.deals), random)
        elif kind == 3:
            gone = self.deals.pop(random.randrange(len(self.deals)))
            await self.write(delete_record, EntityType.OPPORTUNITY, gone)
        else:
            await self.reassign(random)

    async def change(self, number: int, random: Random) -> None:
        async with self.world.writer.unit_of_work(self.admin) as work:
            row = (await opportunities_by_id(work.session, work.viewer, [number]))[number]
            await update_opportunity(work, number, row.version, self.values(random))

    async def reassign(self, random: Random) -> None:
        pair = random.choice(self.territories), random.choice(self.accounts)
        act = unassign_account if pair in self.assigned else assign_account
        await self.write(act, self.world.engine, *pair)
        self.assigned ^= {pair}

    async def run(self) -> None:
        async with self.world.writer.unit_of_work(self.admin) as work:
            await run_model(work, self.world.engine, self.model_id)

    async def grid(self, cube: ForecastCube, periods: tuple[Period, ...] = PERIODS) -> Grid:
        async with self.world.database.read() as session:
            book = await cube.book(session, self.model_id, ModelState.ACTIVE)
            return await cube.grid(book, periods)


def everything(grid: Grid) -> list[object]:
    return [
        (lists.own, lists.total)
        for period in range(len(grid.periods))
        for lists in (grid.block(period, category) for category in CATEGORIES)
    ]


@pytest.fixture
async def stage(database: Database) -> Stage:
    world = make_world(database)
    admin = await make_user(database, "admin", Role.ADMIN)
    planner = await make_user(database, "planner", Role.PLANNER)
    type_id = await make_type(world, admin)
    model_id = await make_model(world, planner)
    keys: dict[str, int] = {}
    for name, parent in (("World", ""), ("Europe", "World"), ("DE", "Europe"), ("Asia", "World"), ("Partners", "")):
        keys[name] = await make_territory(world, planner, model_id, type_id, name, keys.get(parent))
    accounts = [await make_account(database, f"Account {number}") for number in range(5)]
    async with database.write() as session:
        await session.execute(update(territory_model).values(state="ACTIVE"))
    async with world.writer.unit_of_work(admin) as work:
        await create_rate(work, "EUR", date(2026, 1, 1), Decimal("1.125"))
    return Stage(world, admin, model_id, list(keys.values()), accounts)


@pytest.mark.parametrize("seed", range(2))
async def test_following_the_streams_is_summing_up_anew(stage: Stage, seed: int) -> None:
    random = Random(seed)
    cube = stage.world.cube
    await stage.grid(cube)
    for step in range(21):
        await stage.act(random)
        if step % 3 == 2:
            followed = await stage.grid(cube)
            fresh = await stage.grid(ForecastCube(Copy(DEALS), stage.world.engine))
            assert everything(followed) == everything(fresh)


async def test_a_full_run_and_a_new_rate_load_everything_anew(stage: Stage) -> None:
    random = Random(7)
    cube = stage.world.cube
    euros = {**stage.values(random), "currency": "EUR", "close_date": date(2026, 8, 1), "amount": Decimal(9)}
    await stage.write(create_opportunity, stage.accounts[0], euros)
    before = await stage.grid(cube)
    await stage.run()
    async with stage.world.writer.unit_of_work(stage.admin) as work:
        await create_rate(work, "EUR", date(2026, 7, 1), Decimal(2))
    followed = await stage.grid(cube)
    fresh = await stage.grid(ForecastCube(Copy(DEALS), stage.world.engine))
    assert everything(followed) == everything(fresh)
    assert everything(followed) != everything(before)


async def test_only_the_blocks_of_what_changed_are_made_anew(stage: Stage) -> None:
    random = Random(3)
    cube = stage.world.cube
    number = await stage.write(
        create_opportunity,
        stage.accounts[0],
        {**stage.values(random), "close_date": date(2026, 5, 1), "forecast_category": "COMMIT"},
    )
    before = await stage.grid(cube)
    everything(before)
    async with stage.world.writer.unit_of_work(stage.admin) as work:
        row = (await opportunities_by_id(work.session, work.viewer, [number]))[number]
        await update_opportunity(work, number, row.version, {"amount": Decimal("1.23")})
    after = await stage.grid(cube)
    touched = {key for key, block in after.blocks.items() if before.blocks[key] is not block}
    assert touched == {1 * len(CATEGORIES) + CATEGORIES.index(ForecastCategory.COMMIT)}
