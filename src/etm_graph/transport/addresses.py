"""Where a request comes from, for whoever must know it deeper inside: failed sign-ins are counted by address."""

from contextvars import ContextVar

from starlette.types import ASGIApp, Receive, Scope, Send

_address: ContextVar[str] = ContextVar("address", default="")


def client_address() -> str:
    """The address of the client of this request or socket; empty outside of one."""
    return _address.get()


class NoteAddress:
    """Notes the client's address; behind a proxy that the server trusts (uvicorn), the one that the proxy names."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request or socket."""
        client = scope.get("client")
        _address.set(str(client[0]) if client else "")
        await self._app(scope, receive, send)
