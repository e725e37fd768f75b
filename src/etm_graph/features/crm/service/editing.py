"""What every edit of the CRM shares: the right, the stream's turn, the merge, the refusal to delete what is in use."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, Table, delete, select, update
from sqlalchemy.exc import IntegrityError

from etm_graph.core.access import Act, Kind
from etm_graph.core.changes import CRM_STREAM, Change, ChangeDraft, ChangeKind, EntityType
from etm_graph.core.edits import merge_edit
from etm_graph.core.errors import Conflict, InUse, NotFound
from etm_graph.events.log import read_changes_since
from etm_graph.events.unit_of_work import UnitOfWork

BATCH_ID = 0
"""The entity id of a change that carries a batch: it names what it touched itself."""


async def begin(work: UnitOfWork, act: Act, kind: Kind = Kind.CRM) -> None:
    """Take the crm stream's turn and check the right. Raises `Forbidden`, `Busy`."""
    await work.lock_stream(CRM_STREAM)
    work.viewer.require(act, kind)


async def read_row(work: UnitOfWork, table: Table, what: str, row_id: int) -> Row[Any]:
    """The row, as it is while the turn is held. Raises `NotFound`."""
    row = await work.session.row(select(table).where(table.c.id == row_id))
    if row is None:
        raise NotFound(f"There is no such {what}.", field=["id"])
    return row


async def _missed(work: UnitOfWork, entity: EntityType, row: Row[Any], expected_version: int) -> Sequence[Change]:
    """What happened to the row after a version, in order; of an import only which fields it may have set is known."""
    if row.version <= expected_version:
        return []
    single = await read_changes_since(work.session, CRM_STREAM, entity, row.id, expected_version)
    batches = await read_changes_since(work.session, CRM_STREAM, entity, BATCH_ID, expected_version)
    imports = [_import(change) for change in batches if row.id in _ids(change)]
    return sorted([*single, *imports], key=lambda change: change.seq)


def _ids(change: Change) -> set[object]:
    after = change.draft.after
    return {number for name in ("created", "updated") for number in _listed(after, name)}


def _listed(after: Mapping[str, object], name: str) -> list[object]:
    found = after.get(name)
    return found if isinstance(found, list) else []


def _import(change: Change) -> Change:
    before = {str(name): None for name in _listed(change.draft.after, "columns")}
    return replace(change, draft=replace(change.draft, before=before))


async def edit(
    work: UnitOfWork,
    table: Table,
    entity: EntityType,
    row: Row[Any],
    key: str,
    wanted: Mapping[str, object],
    expected_version: int,
    *,
    current: Mapping[str, object] | None = None,
    to_columns: Callable[[Mapping[str, object]], Mapping[str, object]] = dict,
) -> bool:
    """Merge, write and record an edit; False when nothing changes. Raises `Conflict`.

    current: the fields as they are, the row's columns unless given. to_columns: from changed fields to columns.
    """
    merged = merge_edit(
        dict(row._mapping) if current is None else current,
        wanted,
        version=row.version,
        expected_version=expected_version,
        later=await _missed(work, entity, row, expected_version),
    )
    if merged.is_empty:
        return False
    draft = ChangeDraft(entity, ChangeKind.UPDATED, row.id, key, before=merged.before, after=merged.after)
    seq = work.record(CRM_STREAM, draft)
    await work.session.execute(
        update(table).where(table.c.id == row.id).values(**to_columns(merged.after), version=seq)
    )
    return True


def require_unchanged(row: Row[Any], expected_version: int | None) -> None:
    """Pass when nobody changed the row since the version, or none is given. Raises `Conflict`."""
    if expected_version is not None and row.version > expected_version:
        raise Conflict(
            f"It was changed since version {expected_version} and is at {row.version} now; read it again.",
            field=["expectedVersion"],
        )


async def delete_unused(work: UnitOfWork, table: Table, row_id: int, refusal: str) -> None:
    """Delete a row that nothing refers to. Raises `InUse` with `refusal` and what refers to it."""
    try:
        async with work.session.connection.begin_nested():
            await work.session.execute(delete(table).where(table.c.id == row_id))
    except IntegrityError as error:
        users = getattr(getattr(error.orig, "__cause__", None), "table_name", None)
        raise InUse(f"{refusal} It is used by: {users or 'other records'}.", field=["id"]) from error
