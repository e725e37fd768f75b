<<<<<<< HEAD
"""GraphQL on a database of the test's own, for whoever asks."""
=======
"""GraphQL without a socket: whoever asks, on a real database, by the process's own executor."""
>>>>>>> 8a1ed02 (A subtree can be deleted with the number the caller saw; what may not be read answers as what is unknown)

from dataclasses import dataclass
from typing import Any

<<<<<<< HEAD
from tests.factories.world import ACCESS, World, make_world

from etm_graph import wiring
from etm_graph.api import make_schema
=======
from tests.factories.world import ACCESS, World, make_user, make_world

from etm_graph.api import make_schema
from etm_graph.core.access import Role
>>>>>>> 8a1ed02 (A subtree can be deleted with the number the caller saw; what may not be read answers as what is unknown)
from etm_graph.db.sessions import Database
from etm_graph.events.feed import Feed
from etm_graph.graphql.context import Context, Services
from etm_graph.graphql.execution import Executor, Operation
from etm_graph.identity.principal import Principal
from etm_graph.settings import Settings
<<<<<<< HEAD
=======
from etm_graph.wiring import extras, make_worker
>>>>>>> 8a1ed02 (A subtree can be deleted with the number the caller saw; what may not be read answers as what is unknown)

SETTINGS = Settings()
EXECUTOR = Executor(make_schema(SETTINGS), SETTINGS)


@dataclass(frozen=True)
<<<<<<< HEAD
class Asking:
    """A database, its writer, and GraphQL."""

    world: World
    services: Services

    @property
    def database(self) -> Database:
        return self.world.database

    def context(self, who: Principal) -> Context:
        return Context(self.services, who, "test")

    async def ask(self, who: Principal, query: str, **variables: Any) -> dict[str, Any]:
        """The whole answer."""
        return (await EXECUTOR.run(Operation(query, variables), self.context(who))).body()

    async def get(self, who: Principal, query: str, **variables: Any) -> Any:
        """The one root field of an answer without errors."""
=======
class Office:
    """A company's people, and GraphQL for each of them."""

    world: World
    services: Services
    admin: Principal
    planner: Principal
    viewer: Principal

    async def ask(self, who: Principal, query: str, **variables: Any) -> dict[str, Any]:
        """The whole response."""
        return (await EXECUTOR.run(Operation(query, variables), Context(self.services, who, "test"))).body()

    async def get(self, who: Principal, query: str, **variables: Any) -> Any:
        """The only root field's answer of an operation without errors."""
>>>>>>> 8a1ed02 (A subtree can be deleted with the number the caller saw; what may not be read answers as what is unknown)
        body = await self.ask(who, query, **variables)
        assert "errors" not in body, body
        (value,) = body["data"].values()
        return value

<<<<<<< HEAD
    async def code(self, who: Principal, query: str, **variables: Any) -> str | None:
        """The code of the one error, at the top or in `userErrors`; None when there is none."""
        body = await self.ask(who, query, **variables)
        if body.get("errors"):
            return str(body["errors"][0]["extensions"]["code"])
        (value,) = body["data"].values()
        errors = value.get("userErrors", ()) if isinstance(value, dict) else ()
        return errors[0]["code"] if errors else None


def make_asking(database: Database) -> Asking:
    async def same(principal: Principal) -> Principal:
        return principal

    world = make_world(database)
    worker = wiring.make_worker(database, world.writer, world.engine, lease_s=10)
    extras = dict(wiring.extras(world.engine, worker))
    services = Services(SETTINGS, database, ACCESS, world.writer, Feed(database, poll_s=1), same, extras)
    return Asking(world, services)
=======
    async def do(self, who: Principal, mutation: str, **variables: Any) -> Any:
        """The payload of a mutation that succeeds."""
        payload = await self.get(who, mutation, **variables)
        assert payload["userErrors"] == [], payload
        return payload

    async def refused(self, who: Principal, mutation: str, **variables: Any) -> str:
        """The only code with which a mutation is refused, in `userErrors` or at the top."""
        body = await self.ask(who, mutation, **variables)
        if "errors" in body:
            (error,) = body["errors"]
            return str(error["extensions"]["code"])
        (payload,) = body["data"].values()
        (error,) = payload["userErrors"]
        return str(error["code"])


async def open_office(database: Database) -> Office:
    """An administrator, a planner and a viewer; engines and worker as in a process, the worker not started."""
    world = make_world(database)
    people = [await make_user(database, role.value, role) for role in (Role.ADMIN, Role.PLANNER, Role.VIEWER)]

    async def same(principal: Principal) -> Principal:
        return principal

    worker = make_worker(database, world.writer, world.engine, lease_s=10)
    services = Services(
        SETTINGS,
        database,
        ACCESS,
        world.writer,
        Feed(database, poll_s=1),
        same,
        dict(extras(world.engine, worker)),
    )
    return Office(world, services, *people)
>>>>>>> 8a1ed02 (A subtree can be deleted with the number the caller saw; what may not be read answers as what is unknown)
