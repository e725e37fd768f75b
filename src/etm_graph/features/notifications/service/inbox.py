"""What one does with one's own inbox, and following territories."""

from collections.abc import Sequence

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from etm_graph.core.changes import ChangeDraft, ChangeKind, EntityType
from etm_graph.core.errors import NotFound
from etm_graph.events.tables import stream
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.notifications.queries import user_stream
from etm_graph.features.notifications.tables import notification, territory_follow
from etm_graph.features.territories.queries import territories_by_id


async def mark_read(work: UnitOfWork, ids: Sequence[int] | None) -> int:
    """Mark one's own notifications as read, all when none are named; how many were unread.

    Raises `NotFound` when one of them is not one's own.
    """
    columns, user_id = notification.c, work.principal.user_id
    own_stream = user_stream(user_id)
    await work.session.execute(insert(stream).values(id=own_stream).on_conflict_do_nothing())
    await work.lock_stream(own_stream)
    mine = columns.user_id == user_id
    if ids is not None:
        known = await work.session.rows(select(columns.id).where(mine, columns.id.in_(ids)))
        if len(known) < len(set(ids)):
            raise NotFound("There is no such notification in your inbox.", field=["ids"])
    unread = mine & columns.read_at.is_(None)
    which = unread if ids is None else unread & columns.id.in_(ids)
    changed = await work.session.rows(update(notification).where(which).values(read_at=work.now).returning(columns.id))
    after = {"read_at": work.now.isoformat()}
    work.record(
        own_stream,
        *(
            ChangeDraft(
                EntityType.NOTIFICATION, ChangeKind.UPDATED, row.id, str(row.id), before={"read_at": None}, after=after
            )
            for row in sorted(changed, key=lambda row: row.id)
        ),
    )
    return len(changed)


async def follow_territory(work: UnitOfWork, territory_id: int, *, following: bool) -> int:
    """Be told of a territory and what is below it, or not; returns its id. Raises `NotFound`."""
    if territory_id not in await territories_by_id(work.session, work.viewer, [territory_id]):
        raise NotFound("There is no such territory.", field=["id"])
    columns, user_id = territory_follow.c, work.principal.user_id
    if following:
        values = {"user_id": user_id, "territory_id": territory_id}
        await work.session.execute(insert(territory_follow).values(**values).on_conflict_do_nothing())
    else:
        which = (columns.user_id == user_id) & (columns.territory_id == territory_id)
        await work.session.execute(delete(territory_follow).where(which))
    return territory_id
