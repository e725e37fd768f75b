"""What the protocols hand requests to: who is calling, and the executor."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from etm_graph.graphql.context import Context, Services
from etm_graph.graphql.execution import Executor
from etm_graph.identity.principal import Principal
from etm_graph.settings import Settings


@dataclass(frozen=True, slots=True)
class Gateway:
    """The one thing that a protocol knows of the rest.

    authenticate: the principal of an Authorization header's value; raises `Unauthenticated`.
    ide: whether a browser that opens the endpoint gets GraphiQL.
    """

    services: Services
    executor: Executor
    authenticate: Callable[[str | None], Awaitable[Principal]]
    ide: bool

    @property
    def settings(self) -> Settings:
        """The process's configuration."""
        return self.services.settings

    def context(self, principal: Principal, request_id: str) -> Context:
        """A context for one operation."""
        return Context(self.services, principal, request_id)
