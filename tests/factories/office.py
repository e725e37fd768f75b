"""A company's people, each of whom can ask through GraphQL."""

from dataclasses import dataclass
from typing import Any

from tests.factories.asking import Asking, make_asking
from tests.factories.world import make_user

from etm_graph.core.access import Role
from etm_graph.db.sessions import Database
from etm_graph.identity.principal import Principal


@dataclass(frozen=True)
class Office(Asking):
    """GraphQL with an administrator, a planner and a viewer; the worker is there and not started."""

    admin: Principal
    planner: Principal
    viewer: Principal

    async def do(self, who: Principal, mutation: str, **variables: Any) -> Any:
        """The payload of a mutation that succeeds."""
        payload = await self.get(who, mutation, **variables)
        assert payload["userErrors"] == [], payload
        return payload

    async def refused(self, who: Principal, mutation: str, **variables: Any) -> str:
        """The code with which a mutation is refused."""
        code = await self.code(who, mutation, **variables)
        assert code is not None, mutation
        return code


async def open_office(database: Database) -> Office:
    asking = make_asking(database)
    people = [await make_user(database, role.value, role) for role in (Role.ADMIN, Role.PLANNER, Role.VIEWER)]
    return Office(asking.world, asking.services, *people)
