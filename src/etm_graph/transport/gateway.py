"""What the protocols hand requests to: who is calling, and the executor."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from etm_graph.graphql.context import Context, Services
from etm_graph.graphql.documents import TrustedDocuments
from etm_graph.graphql.execution import Executor
from etm_graph.identity.principal import Principal
from etm_graph.settings import Settings
from etm_graph.transport.tracing import Operations


@dataclass(frozen=True, slots=True)
class Gateway:
    """The one thing that a protocol knows of the rest.

    authenticate: the principal of an Authorization header's value; raises `Unauthenticated`.
    documents: which documents are trusted, and whether others run. operations: watches what runs.
    ide: whether a browser that opens the endpoint gets GraphiQL. get_queries: whether GET runs any query.
    """

    services: Services
    executor: Executor
    authenticate: Callable[[str | None], Awaitable[Principal]]
    documents: TrustedDocuments
    operations: Operations
    ide: bool
    get_queries: bool

    @property
    def settings(self) -> Settings:
        """The process's configuration."""
        return self.services.settings

    def context(self, principal: Principal, request_id: str) -> Context:
        """A context for one operation."""
        return Context(self.services, principal, request_id)


def fault(request_id: str) -> dict[str, Any]:
    """The error that a client gets for a fault of ours."""
    text = f"Something went wrong on our side; name the request id {request_id} when you report it."
    return {"message": text, "extensions": {"code": "INTERNAL", "requestId": request_id}}
