"""GraphQL on a database of the test's own, for whoever asks."""

from dataclasses import dataclass
from typing import Any

from tests.factories.world import ACCESS, World, make_world

from etm_graph import wiring
from etm_graph.api import make_schema
from etm_graph.db.sessions import Database
from etm_graph.events.feed import Feed
from etm_graph.graphql.context import Context, Services
from etm_graph.graphql.execution import Executor, Operation
from etm_graph.identity.principal import Principal
from etm_graph.settings import Settings

SETTINGS = Settings()
EXECUTOR = Executor(make_schema(SETTINGS), SETTINGS)


@dataclass(frozen=True)
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
        body = await self.ask(who, query, **variables)
        assert "errors" not in body, body
        (value,) = body["data"].values()
        return value

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
