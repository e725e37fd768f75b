"""Reading the log: heads and changes, as the core's frozen values."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Exists, FromClause, Row, Select, select, tuple_

from etm_graph.core.changes import STRUCTURAL, Change, ChangeDraft, ChangeKind, EntityType
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


def change_of(row: Row[Any]) -> Change:
    """The change of a row of its table."""
    draft = ChangeDraft(
        EntityType(row.entity_type), ChangeKind(row.kind), row.entity_id, row.key, row.path, row.before, row.after
    )
    return Change(row.stream_id, row.seq, row.change_set, row.at, row.actor_id, row.message, draft, row.undoes)


async def read_changes(session: ReadSession, stream_id: int, after: int, limit: int) -> Sequence[Change]:
    """At most `limit` changes of a stream after a number, in order."""
    statement = (
        select(change).where(change.c.stream_id == stream_id, change.c.seq > after).order_by(change.c.seq).limit(limit)
    )
    return [change_of(row) for row in await session.rows(statement)]


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
    return [change_of(row) for row in await session.rows(statement)]


async def read_changes_by_number(
    session: ReadSession, keys: Collection[tuple[int, int]]
) -> Mapping[tuple[int, int], Change]:
    """Changes by (stream, number)."""
    rows = await session.rows(select(change).where(tuple_(change.c.stream_id, change.c.seq).in_(list(keys))))
    return {(row.stream_id, row.seq): change_of(row) for row in rows}


async def read_all_changes(session: ReadSession, stream_id: int, after: int) -> Sequence[Change]:
    """All changes of a stream after a number, in order."""
    statement = select(change).where(change.c.stream_id == stream_id, change.c.seq > after).order_by(change.c.seq)
    return [change_of(row) for row in await session.rows(statement)]


async def find_change_set(session: ReadSession, stream_id: int, change_set: UUID) -> Sequence[Change]:
    """The changes of one edit in a stream, in order; empty when it made none there."""
    where = (change.c.stream_id == stream_id) & (change.c.change_set == change_set)
    return [change_of(row) for row in await session.rows(select(change).where(where).order_by(change.c.seq))]


async def find_undo_of(session: ReadSession, stream_id: int, change_set: UUID) -> UUID | None:
    """The latest edit that took a change set back and was not itself taken back."""
    undo = change.alias("undo")
    found = await session.scalar(
        select(undo.c.change_set)
        .where(undo.c.stream_id == stream_id, undo.c.undoes == change_set, ~_taken_back(undo))
        .order_by(undo.c.seq.desc())
        .limit(1)
    )
    return None if found is None else UUID(str(found))


def _taken_back(edit: FromClause) -> Exists:
    """That some edit undoes this one."""
    later = change.alias("later")
    return (
        select(later.c.seq).where(later.c.stream_id == edit.c.stream_id, later.c.undoes == edit.c.change_set).exists()
    )


async def last_change_set_of(session: ReadSession, stream_id: int, actor_id: int | None) -> UUID | None:
    """A user's latest structural edit of a stream that is no undo or redo and that stands."""
    undo = change.alias("undo")
    undone = select(undo.c.seq).where(
        undo.c.stream_id == change.c.stream_id, undo.c.undoes == change.c.change_set, ~_taken_back(undo)
    )
    found = await session.scalar(
        select(change.c.change_set)
        .where(
            change.c.stream_id == stream_id,
            change.c.actor_id == actor_id,
            change.c.undoes.is_(None),
            change.c.entity_type.in_([entity.value for entity in STRUCTURAL]),
            ~undone.exists(),
        )
        .order_by(change.c.seq.desc())
        .limit(1)
    )
    return None if found is None else UUID(str(found))


async def read_actors(session: ReadSession, stream_id: int, entities: Collection[EntityType]) -> set[int]:
    """Who made changes of such entities in a stream."""
    names = [entity.value for entity in entities]
    rows = await session.rows(
        select(change.c.actor_id)
        .distinct()
        .where(change.c.stream_id == stream_id, change.c.entity_type.in_(names), change.c.actor_id.is_not(None))
    )
    return {row.actor_id for row in rows}
