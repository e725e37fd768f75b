"""Reading the log: heads and changes, as the core's frozen values."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, select, tuple_

from etm_graph.core.changes import Change, ChangeDraft, ChangeKind, EntityType
from etm_graph.db.sessions import ReadSession
from etm_graph.events.tables import change, stream


@dataclass(frozen=True, slots=True)
class StreamHead:
    """Where a stream stands.

    head: number of its last change. structure_head: number of its last structural change.
    floor: changes up to this number may be trimmed; a cursor below it cannot be resumed.
    """

    stream_id: int
    epoch: UUID
    head: int
    structure_head: int
    floor: int


def select_heads(stream_ids: Collection[int]) -> Select[Any]:
    """The statement that reads the heads of streams."""
    columns = stream.c
    return select(columns.id, columns.epoch, columns.head, columns.structure_head, columns.floor).where(
        columns.id.in_(stream_ids)
    )


async def read_heads(session: ReadSession, stream_ids: Collection[int]) -> Mapping[int, StreamHead]:
    """The heads of streams by id; unknown ids are absent."""
    return {
        row.id: StreamHead(row.id, row.epoch, row.head, row.structure_head, row.floor)
        for row in await session.rows(select_heads(stream_ids))
    }


def _change(row: Row[Any]) -> Change:
    draft = ChangeDraft(
        EntityType(row.entity_type), ChangeKind(row.kind), row.entity_id, row.key, row.path, row.before, row.after
    )
    return Change(row.stream_id, row.seq, row.change_set, row.at, row.actor_id, row.message, draft)


async def read_changes(session: ReadSession, stream_id: int, after: int, limit: int) -> Sequence[Change]:
    """At most `limit` changes of a stream after a number, in order."""
    statement = (
        select(change).where(change.c.stream_id == stream_id, change.c.seq > after).order_by(change.c.seq).limit(limit)
    )
    return [_change(row) for row in await session.rows(statement)]


async def read_changes_since(
    session: ReadSession, stream_id: int, entity: EntityType, entity_id: int, after: int
) -> Sequence[Change]:
    """The changes of one entity after a number, in order: what a late editor has missed."""
    statement = (
        select(change)
        .where(
            change.c.stream_id == stream_id,
            change.c.entity_type == entity.value,
            change.c.entity_id == entity_id,
            change.c.seq > after,
        )
        .order_by(change.c.seq)
    )
    return [_change(row) for row in await session.rows(statement)]


async def read_changes_by_number(
    session: ReadSession, keys: Collection[tuple[int, int]]
) -> Mapping[tuple[int, int], Change]:
    """Changes by (stream, number)."""
    rows = await session.rows(select(change).where(tuple_(change.c.stream_id, change.c.seq).in_(list(keys))))
    return {(row.stream_id, row.seq): _change(row) for row in rows}
