"""Territory types: organisation-wide, each with a unique priority."""

from collections.abc import Mapping

from sqlalchemy import ColumnElement, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from etm_graph.core.access import Act, Kind
from etm_graph.core.changes import ChangeDraft, ChangeKind, EntityType
from etm_graph.core.errors import InUse, NotFound, Taken
from etm_graph.core.lifecycle import ModelState
from etm_graph.core.names import check_developer_name, check_name
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.models.service.editing import require_same_version, viewer_of
from etm_graph.features.models.tables import model_type_priority, territory_model, territory_type


async def _require_unique(
    work: UnitOfWork, *, developer_name: str | None, priority: object, other_than: int | None = None
) -> None:
    columns = territory_type.c
    statement = select(columns.developer_name, columns.priority).where(
        (columns.developer_name == developer_name) | (columns.priority == priority),
        columns.id.is_distinct_from(other_than),
    )
    found = await work.session.row(statement)
    if found is None:
        return
    if found.developer_name == developer_name:
        raise Taken(f"There is a territory type {developer_name} already.", field=["developerName"])
    raise Taken(f"Priority {found.priority} belongs to {found.developer_name}; choose another.", field=["priority"])


async def create_type(
    work: UnitOfWork, developer_name: str, name: str, priority: int, description: str | None = None
) -> int:
    """Create a territory type, also in every draft's priorities; returns its id. Raises `Taken`, `Invalid`, `Forbidden`."""
    viewer_of(work).require(Act.CREATE, Kind.ORGANISATION)
    check_developer_name(developer_name)
    drafts = await _lock_models(work, territory_model.c.state == ModelState.PLANNING.value)
    await _require_unique(work, developer_name=developer_name, priority=priority)
    type_id = int(
        await work.session.scalar(
            insert(territory_type)
            .values(
                developer_name=developer_name,
                name=check_name(name),
                description=description,
                priority=priority,
                version=1,
            )
            .returning(territory_type.c.id)
        )
    )
    for model_id in drafts:
        draft = ChangeDraft(
            EntityType.TYPE_PRIORITY, ChangeKind.CREATED, type_id, developer_name, after={"priority": priority}
        )
        work.record(model_id, draft)
    rows = [
        {"model_id": number, "type_id": type_id, "priority": priority, "version": work.heads[number].head}
        for number in drafts
    ]
    if rows:
        await work.session.execute(insert(model_type_priority), rows)
    return type_id


async def _lock_models(work: UnitOfWork, which: ColumnElement[bool]) -> list[int]:
    """Take the turns of models whose priorities follow a type, in ascending order; their ids."""
    found = await work.session.rows(select(territory_model.c.id).where(which).order_by(territory_model.c.id))
    for row in found:
        await work.lock_stream(row.id)
    return [row.id for row in found]


async def _locked(work: UnitOfWork, type_id: int) -> Row[tuple[object, ...]]:
    row = await work.session.row(select(territory_type).where(territory_type.c.id == type_id).with_for_update())
    if row is None:
        raise NotFound("There is no such territory type.", field=["id"])
    return row


async def update_type(work: UnitOfWork, type_id: int, expected_version: int, wanted: Mapping[str, object]) -> int:
    """Change a type's name, description or priority; returns its id. Raises `Conflict`, `Taken`, `Forbidden`."""
    viewer_of(work).require(Act.UPDATE, Kind.ORGANISATION)
    row = await _locked(work, type_id)
    require_same_version(f"Territory type {row.developer_name}", row.version, expected_version)
    values = dict(wanted)
    if "name" in values:
        values["name"] = check_name(str(values["name"]))
    if "priority" in values:
        await _require_unique(work, developer_name=None, priority=values["priority"], other_than=type_id)
    await work.session.execute(
        update(territory_type).where(territory_type.c.id == type_id).values(**values, version=row.version + 1)
    )
    return type_id


async def delete_type(work: UnitOfWork, type_id: int) -> int:
    """Delete a type that no territory uses; returns its id. Raises `InUse`, `NotFound`, `Forbidden`."""
    viewer_of(work).require(Act.DELETE, Kind.ORGANISATION)
    own = model_type_priority.c
    having = territory_model.c.id.in_(select(own.model_id).where(own.type_id == type_id))
    await _lock_models(work, having)
    row = await _locked(work, type_id)
    priorities = await work.session.rows(
        select(own.model_id, own.priority).where(own.type_id == type_id).order_by(own.model_id)
    )
    try:
        async with work.session.connection.begin_nested():
            await work.session.execute(delete(model_type_priority).where(model_type_priority.c.type_id == type_id))
            await work.session.execute(delete(territory_type).where(territory_type.c.id == type_id))
    except IntegrityError as error:
        raise InUse(f"Territories have the type {row.developer_name}; give them another type first.") from error
    for left in priorities:
        before = {"priority": left.priority}
        draft = ChangeDraft(EntityType.TYPE_PRIORITY, ChangeKind.DELETED, type_id, row.developer_name, before=before)
        work.record(left.model_id, draft)
    return type_id
