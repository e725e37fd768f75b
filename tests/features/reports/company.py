"""An active model World > (East > (E1, E2), West) whose accounts are assigned by hand, with what was written."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any

from sqlalchemy import update
from tests.factories.asking import Asking, make_asking
from tests.factories.world import make_account, make_model, make_opportunity, make_territory, make_type, make_user

from etm_graph.core.access import Grant, Role
from etm_graph.db.sessions import Database
from etm_graph.features.alignment.service import assign_account, run_model
from etm_graph.features.models.tables import territory_model
from etm_graph.features.territories.service import add_member
from etm_graph.graphql.ids import encode_id
from etm_graph.identity.principal import Principal

PATHS = {
    "World": "/World/",
    "East": "/World/East/",
    "E1": "/World/East/E1/",
    "E2": "/World/East/E2/",
    "West": "/World/West/",
}


@dataclass
class Account:
    id: int
    industry: str
    revenue: Decimal
    places: set[str] = field(default_factory=set)


@dataclass
class Deal:
    account: Account
    amount: Decimal
    category: str
    day: date
    owner: str


@dataclass
class Company:
    asking: Asking
    admin: Principal
    boss: Principal
    model_key: int
    keys: dict[str, int]
    accounts: list[Account]
    deals: list[Deal]

    @property
    def model(self) -> str:
        return encode_id("TerritoryModel", self.model_key)

    def territory(self, deal: Deal) -> str | None:
        """An opportunity is aligned to its account's one territory; of two, the deeper; of two as deep, none."""
        deepest = max((PATHS[name].count("/") for name in deal.account.places), default=0)
        found = [name for name in deal.account.places if PATHS[name].count("/") == deepest]
        return found[0] if len(found) == 1 else None

    def sees(self, who: Principal, name: str | None) -> bool:
        return who is self.admin or (name is not None and PATHS[name].startswith("/World/East/"))


async def make_company(database: Database, seed: int = 5, *, state: str = "ACTIVE") -> Company:
    random = Random(seed)
    asking = make_asking(database)
    world = asking.world
    admin = await make_user(database, "admin", Role.ADMIN)
    planner = await make_user(database, "planner", Role.PLANNER)
    type_id = await make_type(world, admin)
    model_id = await make_model(world, planner)
    keys: dict[str, int] = {}
    for name in PATHS:
        parent = PATHS[name].split("/")[-3] or None
        keys[name] = await make_territory(
            world, planner, model_id, type_id, name, None if parent is None else keys[parent]
        )
    boss = await make_user(database, "boss", grants=(Grant(Role.MANAGER, model_id, "/World/East/"),))
    reps = {name: await make_user(database, name) for name in ("ann", "bob")}
    for name, who in (("E1", "ann"), ("E2", "ann"), ("E2", "bob"), ("West", "bob")):
        async with world.writer.unit_of_work(admin) as work:
            await add_member(work, keys[name], reps[who].user_id, {})
    accounts = []
    for number in range(14):
        industry, revenue = random.choice(["31", "44"]), Decimal(random.randrange(10**7)).scaleb(-2)
        made = await make_account(database, f"Account {number}", industry=industry, annual_revenue=revenue)
        accounts.append(Account(made, industry, revenue))
    for account in accounts:
        for name in random.sample(["E1", "E2", "West", "East"], random.choice([0, 1, 1, 1, 2])):
            async with world.writer.unit_of_work(planner) as work:
                await assign_account(work, world.engine, keys[name], account.id)
            account.places.add(name)
    deals = []
    for _ in range(25):
        deal = Deal(
            random.choice(accounts),
            Decimal(random.randrange(10**6)).scaleb(-2),
            random.choice(["PIPELINE", "COMMIT", "CLOSED", "OMITTED"]),
            date(2026, random.randrange(1, 13), 5),
            random.choice(["ann", "bob"]),
        )
        given: dict[str, Any] = {"owner_id": reps[deal.owner].user_id, "amount": deal.amount, "close_date": deal.day}
        await make_opportunity(database, deal.account.id, forecast_category=deal.category, **given)
        deals.append(deal)
    if state == "ACTIVE":
        async with database.write() as session:
            await session.execute(update(territory_model).values(state="ACTIVE"))
        async with world.writer.unit_of_work(admin) as work:
            await run_model(work, world.engine, model_id)
    return Company(asking, admin, boss, model_id, keys, accounts, deals)
