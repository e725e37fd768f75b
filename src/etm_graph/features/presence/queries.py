"""Reading presence: the board, which looks for all watchers of a process at once."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import delete, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from etm_graph.db.sessions import Database, ReadSession
from etm_graph.features.presence.tables import presence

LOOK_S = 0.5
"""Seconds between two looks at the presence of watched models."""

SWEEP_EVERY = 60
"""Looks between two removals of what has expired."""

logger = logging.getLogger(__name__)

Key = tuple[int, str]
"""A person's client: user id and client id."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One client in a model. path: of the territory that it is at, None for the model as a whole or for nothing."""

    user_id: int
    client_id: str
    since: datetime
    entity: str | None
    entity_id: int | None
    field: str | None
    path: str | None
    editing: bool

    @property
    def key(self) -> Key:
        """What tells it from other clients in the model."""
        return self.user_id, self.client_id


Present = Mapping[Key, Entry]


async def present_in(session: ReadSession, model_ids: Collection[int]) -> Mapping[int, Present]:
    """Who is in models now, by model; the database's clock decides."""
    columns = presence.c
    found: dict[int, dict[Key, Entry]] = defaultdict(dict)
    rows = await session.rows(
        select(presence).where(columns.model_id.in_(model_ids), columns.expires_at > func.clock_timestamp())
    )
    for row in rows:
        entry = Entry(
            row.user_id, row.client_id, row.since, row.entity, row.entity_id, row.field, row.path, row.editing
        )
        found[row.model_id][entry.key] = entry
    return found


@dataclass(slots=True)
class _Watched:
    watchers: int = 0
    present: Present = field(default_factory=dict)
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def show(self, present: Present) -> None:
        if present != self.present:
            self.present = present
            moved, self.moved = self.moved, asyncio.Event()
            moved.set()


class Board:
    """Who is where, for all watchers of one process; it looks only while somebody watches."""

    def __init__(self) -> None:
        self._watched: dict[int, _Watched] = {}
        self._looker: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    def nudge(self) -> None:
        """Look at once: somebody came, moved or left in this process."""
        self._wake.set()

    @asynccontextmanager
    async def watch(self, database: Database, model_id: int) -> AsyncIterator["Watcher"]:
        """Watch a model, beginning with who is there now."""
        async with database.read() as session:
            present = (await present_in(session, [model_id])).get(model_id, {})
        watched = self._watched.setdefault(model_id, _Watched())
        watched.watchers += 1
        watched.show(present)
        if self._looker is None:
            self._looker = asyncio.create_task(self._look(database), name="presence")
        try:
            yield Watcher(watched)
        finally:
            watched.watchers -= 1
            if watched.watchers == 0:
                self._watched.pop(model_id, None)
            if not self._watched and self._looker is not None:
                self._looker.cancel()
                self._looker = None

    async def _look(self, database: Database) -> None:
        looks = 0
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LOOK_S)
            self._wake.clear()
            looks += 1
            try:
                await self._show(database)
                if looks % SWEEP_EVERY == 0:
                    await self._sweep(database)
            except (OSError, SQLAlchemyError):
                logger.warning("presence: could not be read, the next look tries again", exc_info=True)

    async def _show(self, database: Database) -> None:
        async with database.read() as session:
            found = await present_in(session, list(self._watched))
        for model_id, watched in list(self._watched.items()):
            watched.show(found.get(model_id, {}))

    async def _sweep(self, database: Database) -> None:
        async with database.write() as session:
            await session.execute(
                delete(presence).where(presence.c.expires_at < func.clock_timestamp() - text("interval '1 minute'"))
            )


class Watcher:
    """One watcher of one model."""

    def __init__(self, watched: _Watched) -> None:
        self._watched = watched

    @property
    def present(self) -> Present:
        """Who is there, as of the last look."""
        return self._watched.present

    async def changed(self, seen: Present, *, timeout_s: float) -> Present:
        """Who is there once that is something else than `seen`, or after `timeout_s` seconds."""
        moved = self._watched.moved
        if self._watched.present == seen:
            try:
                await asyncio.wait_for(moved.wait(), timeout_s)
            except TimeoutError:
                return seen
        return self._watched.present
