"""The context of one GraphQL operation: who asks, one consistent snapshot to read, batches to load."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from etm_graph.access.decisions import Access
from etm_graph.access.viewer import Required, Viewer
from etm_graph.core.errors import Forbidden
from etm_graph.db.sessions import Database, ReadSession
from etm_graph.events.feed import Feed
from etm_graph.events.unit_of_work import Writer
from etm_graph.graphql.admission import Admitted
from etm_graph.identity.principal import Principal
from etm_graph.settings import Settings

Engine = TypeVar("Engine")

BatchFunction = Callable[..., Awaitable[Sequence[Any]]]


@dataclass(frozen=True, slots=True)
class Services:
    """What a process offers to every operation."""

    settings: Settings
    database: Database
    access: Access
    writer: Writer
    feed: Feed
    refresh: Callable[[Principal], Awaitable[Principal]]
    """The principal as of now: raises `Unauthenticated` or returns changed grants."""
    extras: dict[type, Any] = field(default_factory=dict)
    """Engines that features register by their type (wiring.py)."""

    def get(self, kind: type[Engine]) -> Engine:
        """The registered engine of that type."""
        engine: Engine = self.extras[kind]
        return engine


class Context:
    """One operation. `session` gives the same snapshot to all resolvers; `load` groups their calls level by level."""

    def __init__(self, services: Services, principal: Principal, request_id: str) -> None:
        self.services = services
        self.principal = principal
        self.request_id = request_id
        self.admitted: Admitted | None = None
        """What was found of the operation before it ran; None where nothing was to be found out."""
        self.now = datetime.now(UTC)
        self._access = services.access.pinned()
        self._refusals: list[Required] = []
        self._viewer: Viewer | None = None
        self._stack = AsyncExitStack()
        self._session: ReadSession | None = None
        self._opening = asyncio.Lock()
        self._batches: dict[Hashable, _Batch] = {}
        self._running: set[asyncio.Task[None]] = set()

    @property
    def viewer(self) -> Viewer:
        """Who asks, for queries and decisions."""
        known = self._viewer
        if known is None or known.principal is not self.principal or known.now is not self.now:
            known = self._viewer = Viewer(self._access, self.principal, self.now, refused=self._note_refusal)
        return known

    def _note_refusal(self, asked: Required) -> None:
        self._refusals.append(asked)

    async def session(self) -> ReadSession:
        """The operation's snapshot, opened when first asked for."""
        if self.principal.suspended:
            raise Forbidden("Your account is suspended; ask an administrator.")
        async with self._opening:
            if self._session is None:
                self._session = await self._stack.enter_async_context(self.services.database.read())
            return self._session

    async def release(self) -> None:
        """Stop what still reads and give the snapshot back; what is read next sees a new one."""
        self._session = None
        self._batches.clear()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self.now = datetime.now(UTC)
        self._access = self.services.access.pinned()
        await self._stack.aclose()
        if self._refusals:
            refusals, self._refusals = self._refusals, []
            await self.services.writer.note_refusal(self.principal, refusals)

    def load(self, function: BatchFunction, parent: object, arguments: dict[str, Any]) -> Awaitable[Any]:
        """A parent's share of one call of `function` with all parents of the level that have the same arguments."""
        key = (function, tuple(sorted((name, _hashable(value)) for name, value in arguments.items())))
        batch = self._batches.get(key)
        if batch is None:
            batch = self._batches[key] = _Batch(function, arguments)
            asyncio.get_running_loop().call_soon(self._dispatch, key)
        return batch.add(parent)

    def _dispatch(self, key: Hashable) -> None:
        batch = self._batches.pop(key, None)
        if batch is not None:
            task = asyncio.get_running_loop().create_task(batch.run(self))
            self._running.add(task)
            task.add_done_callback(self._running.discard)


class _Batch:
    """The parents of one level that wait for one call."""

    def __init__(self, function: BatchFunction, arguments: dict[str, Any]) -> None:
        self.function = function
        self.arguments = arguments
        self.parents: list[object] = []
        self.answers: list[asyncio.Future[Any]] = []

    def add(self, parent: object) -> asyncio.Future[Any]:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.parents.append(parent)
        self.answers.append(answer)
        return answer

    async def run(self, context: Context) -> None:
        try:
            results = await self.function(self.parents, context, **self.arguments)
        except Exception as error:  # noqa: BLE001 - handed to every waiting resolver
            for answer in self.answers:
                if not answer.done():
                    answer.set_exception(error)
            return
        for answer, result in zip(self.answers, results, strict=True):
            if not answer.done():
                answer.set_result(result)


def _hashable(value: object) -> Hashable:
    return value if isinstance(value, str | int | bool | None) else repr(value)
