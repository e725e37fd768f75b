"""What every edit of the CRM shares: the right, the stream's turn, the merge, the refusal to delete what is in use."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, Table, delete, select, update
from sqlalchemy.exc import IntegrityError

from etm_graph.core.access import Act, Kind
from etm_graph.core.changes import CRM_STREAM, ChangeDraft, ChangeKind, EntityType
from etm_graph.core.edits import merge_edit
from etm_graph.core.errors import InUse, NotFound
from etm_graph.events.log import read_changes_since
from etm_graph.events.unit_of_work import UnitOfWork


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


async def edit(
    work: UnitOfWork,
    table: Table,
    entity: EntityType,
    row: Row[Any],
    key: str,
    wanted: Mapping[str, object],
    expected_version: int,
) -> bool:
    """Merge, write and record an edit; False when nothing changes. Raises `Conflict`."""
    later = []
    if row.version > expected_version:
        later = list(await read_changes_since(work.session, CRM_STREAM, entity, row.id, expected_version))
    merged = merge_edit(
        dict(row._mapping),
        wanted,
        version=row.version,
        expected_version=expected_version,
        later=later,
    )
    if merged.is_empty:
        return False
    draft = ChangeDraft(entity, ChangeKind.UPDATED, row.id, key, before=merged.before, after=merged.after)
    seq = work.record(CRM_STREAM, draft)
    await work.session.execute(update(table).where(table.c.id == row.id).values(**merged.after, version=seq))
    return True


async def delete_unused(work: UnitOfWork, table: Table, row_id: int, refusal: str) -> None:
    """Delete a row that nothing refers to. Raises `InUse` with `refusal` and what refers to it."""
    try:
        async with work.session.connection.begin_nested():
            await work.session.execute(delete(table).where(table.c.id == row_id))
    except IntegrityError as error:
        users = getattr(getattr(error.orig, "__cause__", None), "table_name", None)
        raise InUse(f"{refusal} It is used by: {users or 'other records'}.", field=["id"]) from error
