"""The unit of work: one write, its changes, their numbers and its consequences, all in one transaction.

A use case locks the stream that it writes to with its first statement, so that writers of one stream take turns and
numbers are consecutive in the order of commits. The wake-up of subscribers is sent after the commit.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, select, update
from sqlalchemy.exc import DBAPIError

from etm_graph.access.decisions import Access
from etm_graph.access.grants import AuditEntry, write_audit
from etm_graph.access.viewer import Required, Viewer
from etm_graph.core.changes import STRUCTURAL, ChangeDraft
from etm_graph.core.errors import Busy, ErrorCode, Forbidden, NotFound
from etm_graph.db.sessions import Database, WriteSession
from etm_graph.events.log import StreamHead
from etm_graph.events.tables import change, stream
from etm_graph.identity.principal import Principal

LOCK_NOT_AVAILABLE = "55P03"


@dataclass(slots=True)
class UnitOfWork:
    """What a use case writes through.

    principal: who acts. None is the system itself (jobs that nobody asked for).
    change_set: the id that all changes of this edit share.
    undoes: the change set that this edit takes back.
    """

    session: WriteSession
    access: Access
    principal: Principal
    now: datetime
    reactions: "Reactions"
    message: str | None = None
    undoes: UUID | None = None
    required: list[Required] = field(default_factory=list)
    change_set: UUID = field(default_factory=uuid4)
    heads: dict[int, StreamHead] = field(default_factory=dict)
    _pending: list[dict[str, Any]] = field(default_factory=list)

    @property
    def viewer(self) -> Viewer:
        """Who acts; what it requires is noted for the audit."""
        return Viewer(self.access, self.principal, self.now, self.required.append)

    def audit(self, *, allowed: bool) -> list[AuditEntry]:
        """What the principal did, or was refused: the last act that was required."""
        entries = []
        for asked in self.required[-1:]:
            roles = self.access.roles_covering(
                self.principal, asked.act, asked.kind, model_id=asked.model_id, path=asked.path, now=self.now
            )
            entries.append(
                AuditEntry(
                    at=self.now,
                    user_id=self.principal.user_id,
                    method=self.principal.method.value,
                    act=asked.act,
                    kind=asked.kind,
                    allowed=allowed,
                    roles=roles,
                    policy_version=self.access.snapshot.version,
                    code=None if allowed else ErrorCode.FORBIDDEN,
                    change_set=str(self.change_set) if allowed else None,
                    streams=tuple(sorted(self.heads)) if allowed else (),
                    details={"model": asked.model_id, "state": asked.state, "path": asked.path, **self._key()},
                )
            )
        return entries

    def _key(self) -> dict[str, object]:
        return {} if self.principal.key_id is None else {"key": self.principal.key_id}

    async def lock_stream(self, stream_id: int) -> StreamHead:
        """Take the stream's turn. Raises `NotFound` for an unknown stream, `Busy` when the turn does not come in time."""
        if stream_id in self.heads:
            return self.heads[stream_id]
        columns = stream.c
        statement = (
            select(columns.id, columns.epoch, columns.head, columns.structure_head, columns.floor)
            .where(columns.id == stream_id)
            .with_for_update()
        )
        try:
            row = await self.session.row(statement)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE:
                raise Busy("Somebody else is writing to this model; nothing was done, try again.") from error
            raise
        if row is None:
            raise NotFound("There is no such model.")
        self.heads[stream_id] = StreamHead(row.id, row.epoch, row.head, row.structure_head, row.floor)
        return self.heads[stream_id]

    def next_number(self, stream_id: int) -> int:
        """The number that the next recorded change of a locked stream will get: the version of what it creates."""
        return self.heads[stream_id].head + 1

    def record(self, stream_id: int, *drafts: ChangeDraft) -> int:
        """Number changes of a locked stream; returns the number of the last, which is its entity's version."""
        head = self.heads[stream_id]
        for draft in drafts:
            seq = head.head + 1
            structure = seq if draft.entity_type in STRUCTURAL else head.structure_head
            head = replace(head, head=seq, structure_head=structure)
            self._pending.append(
                {
                    "stream_id": stream_id,
                    "seq": seq,
                    "change_set": self.change_set,
                    "at": self.now,
                    "actor_id": self.principal.user_id,
                    "message": self.message,
                    "undoes": self.undoes,
                    "entity_type": draft.entity_type.value,
                    "kind": draft.kind.value,
                    "entity_id": draft.entity_id,
                    "key": draft.key,
                    "path": draft.path,
                    "before": dict(draft.before),
                    "after": dict(draft.after),
                }
            )
        self.heads[stream_id] = head
        return head.head

    async def announce(self, happening: object) -> None:
        """Let every registered reaction to this kind of happening run now, in this transaction."""
        for reaction in self.reactions.get(type(happening), ()):
            await reaction(self, happening)

    @property
    def touched(self) -> Sequence[tuple[int, int]]:
        """The (stream, number) of every change recorded so far, in order."""
        return [(row["stream_id"], row["seq"]) for row in self._pending]

    async def flush(self) -> None:
        """Write the audit, the recorded changes and the new heads: the last statements of the transaction."""
        await write_audit(self.session, self.audit(allowed=True))
        if not self._pending:
            return
        await self.session.execute(insert(change), self._pending)
        for stream_id in sorted({row["stream_id"] for row in self._pending}):
            head = self.heads[stream_id]
            await self.session.execute(
                update(stream)
                .where(stream.c.id == stream_id)
                .values(head=head.head, structure_head=head.structure_head)
            )


Reaction = Callable[[UnitOfWork, Any], Awaitable[None]]
Reactions = Mapping[type, Sequence[Reaction]]
"""What follows from what, by the type of the happening; written in wiring.py only."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Opens units of work.

    on_commit: is told the heads that a committed unit of work moved, by stream.
    """

    database: Database
    access: Access
    reactions: Reactions
    on_commit: Callable[[Mapping[int, int]], None]

    @asynccontextmanager
    async def unit_of_work(self, principal: Principal, *, message: str | None = None) -> AsyncIterator[UnitOfWork]:
        """One transaction; it commits when the block ends and leaves no trace when the block raises."""
        required: list[Required] = []
        try:
            async with self.database.write() as session:
                work = UnitOfWork(
                    session,
                    self.access.pinned(),
                    principal,
                    datetime.now(UTC),
                    self.reactions,
                    message,
                    required=required,
                )
                yield work
                await work.flush()
        except Forbidden:
            await self.note_refusal(principal, required)
            raise
        moved = {stream_id: work.heads[stream_id].head for stream_id, _ in work.touched}
        if moved:
            self.on_commit(moved)

    async def note_refusal(self, principal: Principal, required: list[Required]) -> None:
        """Note a refused act in a transaction of its own; that of the act is rolled back."""
        async with self.database.write() as session:
            refused = UnitOfWork(session, self.access, principal, datetime.now(UTC), {}, required=required)
            await write_audit(session, refused.audit(allowed=False))
