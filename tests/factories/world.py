"""Things to test with: async functions with keyword defaults, each writing through the database directly."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from etm_graph.access.decisions import Access
from etm_graph.access.snapshot import default_policy_folder
from etm_graph.access.tables import role_grant
from etm_graph.access.viewer import Viewer
from etm_graph.core.access import Grant, Role
from etm_graph.db.sessions import Database
from etm_graph.events.unit_of_work import Writer
from etm_graph.features.alignment.service import Engine
from etm_graph.features.crm.tables import account, app_user, opportunity
from etm_graph.features.forecasts.service import ForecastCube
from etm_graph.features.models import service as models
from etm_graph.features.territories import service as territories
from etm_graph.identity.principal import AuthMethod, Principal
from etm_graph.wiring import make_cube, make_engines

POLICY: Path = default_policy_folder()
ACCESS = Access(POLICY)


@dataclass
class World:
    """A database with a writer, whose commits are noted."""

    database: Database
    writer: Writer
    engine: Engine
    moved: list[dict[int, int]]
    cube: ForecastCube


def make_world(database: Database) -> World:
    moved: list[dict[int, int]] = []
    engines = make_engines()
    writer = Writer(database, ACCESS, engines.reactions, lambda heads: moved.append(dict(heads)))
    return World(database, writer, engines.engine, moved, make_cube(engines.engine))


async def make_user(
    database: Database, user_name: str, *roles: Role, grants: tuple[Grant, ...] = (), suspended: bool = False
) -> Principal:
    """A user with roles on the organisation and further grants, as a principal."""
    given = (*(Grant(role) for role in roles), *grants)
    async with database.write() as session:
        user_id = await session.scalar(
            insert(app_user)
            .values(
                user_name=user_name,
                name=user_name.title(),
                email=f"{user_name}@example.com",
                time_zone="UTC",
                locale="en-GB",
                active=True,
                suspended=suspended,
                version=0,
            )
            .returning(app_user.c.id)
        )
        for grant in given:
            await session.execute(
                insert(role_grant).values(
                    user_id=user_id,
                    role=grant.role.value,
                    model_id=grant.model_id,
                    path=grant.path,
                    granted_at=datetime.now(UTC),
                    expires_at=grant.expires_at,
                )
            )
    return Principal(user_id, user_name, given, suspended, AuthMethod.JWT)


async def make_type(world: World, admin: Principal, developer_name: str = "Geography", priority: int = 10) -> int:
    async with world.writer.unit_of_work(admin) as work:
        return await models.create_type(work, developer_name, developer_name.title(), priority)


async def make_model(world: World, planner: Principal, developer_name: str = "Draft") -> int:
    async with world.writer.unit_of_work(planner) as work:
        return await models.create_model(work, developer_name, developer_name.title())


async def make_territory(
    world: World, planner: Principal, model_id: int, type_id: int, developer_name: str, parent_id: int | None = None
) -> int:
    async with world.writer.unit_of_work(planner) as work:
        return await territories.create_territory(
            work, model_id, parent_id, developer_name, developer_name.title(), type_id
        )


async def make_account(database: Database, name: str, **values: Any) -> int:
    given = {"currency": "USD", "custom": {}, "excluded_from_realignment": False, "version": 0, **values}
    async with database.write() as session:
        return int(await session.scalar(insert(account).values(name=name, **given).returning(account.c.id)))


async def make_opportunity(database: Database, account_id: int, name: str = "Deal", **values: Any) -> int:
    given = {
        "stage": "Proposal",
        "amount": 1000,
        "currency": "USD",
        "close_date": datetime(2026, 9, 1, tzinfo=UTC).date(),
        "probability": 50,
        "forecast_category": "PIPELINE",
        "excluded_from_territory_assignment": False,
        "version": 0,
        **values,
    }
    async with database.write() as session:
        return int(
            await session.scalar(
                insert(opportunity).values(account_id=account_id, name=name, **given).returning(opportunity.c.id)
            )
        )


def viewer(principal: Principal) -> Viewer:
    return Viewer(ACCESS, principal, datetime.now(UTC))
