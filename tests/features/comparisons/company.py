"""An active model World > (West, East) and a draft in which accounts go both ways, for tests of impacts."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import update
from tests.factories.world import (
    ACCESS,
    World,
    make_account,
    make_model,
    make_opportunity,
    make_territory,
    make_type,
    make_user,
    make_world,
)

from etm_graph.api import make_schema
from etm_graph.core.access import Role
from etm_graph.core.criteria import Criterion, Operator
from etm_graph.db.sessions import Database
from etm_graph.events.feed import Feed
from etm_graph.features.alignment import service as alignment
from etm_graph.features.models.tables import territory_model
from etm_graph.features.rules import service as rules
from etm_graph.features.rules.queries import whole_rules
from etm_graph.features.scenarios.service import clone_model
from etm_graph.features.territories import service as territories
from etm_graph.features.territories.queries import ids_by_name
from etm_graph.graphql.context import Context, Services
from etm_graph.graphql.execution import Executor, Operation
from etm_graph.graphql.ids import encode_id
from etm_graph.identity.principal import SYSTEM, Principal
from etm_graph.settings import Settings
from etm_graph.wiring import extras, make_worker

SETTINGS = Settings()
EXECUTOR = Executor(make_schema(SETTINGS), SETTINGS)


def states(*values: str) -> tuple[Criterion, ...]:
    return (Criterion(1, "billing_state", Operator.EQUALS, values),)


@dataclass
class Company:
    """Accounts in CA, NY and TX with an opportunity each; ann is a member of West, bob of East.

    In force: CA is West's, NY is East's. In the draft: West takes TX, East takes NY and CA, but NY's account is excluded.
    """

    world: World
    planner: Principal
    ann: Principal
    bob: Principal
    services: Services
    active: int
    draft: int
    accounts: dict[str, int]
    deals: dict[str, int]
    rules: dict[tuple[int, str], int]
    keys: dict[tuple[int, str], int]

    @property
    def sides(self) -> dict[str, Any]:
        ids = {"b": self.active, "o": self.draft}
        return {name: {"modelId": encode_id("TerritoryModel", key)} for name, key in ids.items()}

    async def ask(self, query: str, who: Principal | None = None, **variables: Any) -> dict[str, Any]:
        context = Context(self.services, who or self.planner, "test")
        return (await EXECUTOR.run(Operation(query, {**self.sides, **variables}), context)).body()

    async def get(self, query: str, who: Principal | None = None, **variables: Any) -> Any:
        body = await self.ask(query, who, **variables)
        assert "errors" not in body, body
        (value,) = body["data"].values()
        return value

    async def set_rule(self, name: str, *values: str) -> None:
        async with self.world.writer.unit_of_work(self.planner) as work:
            (row,) = [row for row in await whole_rules(work.session, [self.draft]) if row.developer_name == name]
            await rules.update_rule(work, row.id, row.version, {}, states(*values))


async def make_company(database: Database) -> Company:
    world = make_world(database)
    admin = await make_user(database, "admin", Role.ADMIN)
    planner = await make_user(database, "planner", Role.PLANNER)
    ann, bob = await make_user(database, "ann"), await make_user(database, "bob")
    type_id = await make_type(world, admin)
    active = await make_model(world, planner, "Active")
    root = await make_territory(world, planner, active, type_id, "World")
    places = {name: await make_territory(world, planner, active, type_id, name, root) for name in ("West", "East")}
    async with world.writer.unit_of_work(planner) as work:
        for name, state, who in (("West", "CA", ann), ("East", "NY", bob)):
            rule = await rules.create_rule(work, active, name, name, states(state))
            await rules.link_rule(work, rule, places[name], applies_to_descendants=False)
            await territories.add_member(work, places[name], who.user_id, {})
    accounts, deals = {}, {}
    for place, (name, revenue, amount) in enumerate((("CA", 100, 10), ("NY", 200, 20), ("TX", 400, 40))):
        accounts[name] = await make_account(database, name, billing_state=name, annual_revenue=revenue)
        deals[name] = await make_opportunity(
            database, accounts[name], amount=amount, close_date=date(2026, 9, 1 + place)
        )
    async with database.write() as session:
        await session.execute(update(territory_model).where(territory_model.c.id == active).values(state="ACTIVE"))
    async with world.writer.unit_of_work(SYSTEM) as work:
        await alignment.run_model(work, world.engine, active)
    async with world.writer.unit_of_work(planner) as work:
        draft = await clone_model(work, active, "Draft", "Draft")
    async with database.read() as session:
        wanted = {(model, name) for model in (active, draft) for name in ("World", "West", "East")}
        keys = dict(await ids_by_name(session, wanted))
        found = {(row.model_id, row.developer_name): row.id for row in await whole_rules(session, [active, draft])}

    async def same(principal: Principal) -> Principal:
        return principal

    worker = make_worker(database, world.writer, world.engine, lease_s=10)
    feed = Feed(database, poll_s=0.1)
    services = Services(SETTINGS, database, ACCESS, world.writer, feed, same, dict(extras(world.engine, worker)))
    company = Company(world, planner, ann, bob, services, active, draft, accounts, deals, found, keys)
    await company.set_rule("West", "TX")
    await company.set_rule("East", "NY", "CA")
    async with world.writer.unit_of_work(planner) as work:
        await alignment.exclude_account(work, world.engine, keys[draft, "East"], accounts["NY"])
    return company
