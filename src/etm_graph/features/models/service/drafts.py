"""Creating, describing and deleting draft models, and their type priorities."""

from collections.abc import Mapping

from sqlalchemy import func, insert, literal, select, update

from etm_graph.core.access import Act, Kind, StateGroup
from etm_graph.core.changes import ChangeDraft, ChangeKind, EntityType
from etm_graph.core.errors import NotFound, Taken
from etm_graph.core.lifecycle import ModelState
from etm_graph.core.names import check_developer_name, check_name
from etm_graph.events.tables import stream
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.models.service.editing import (
    ModelHead,
    apply_edit,
    authorise,
    lock_model,
    require_planning,
    require_same_version,
    viewer_of,
)
from etm_graph.features.models.tables import model_type_priority, territory_model, territory_type


async def create_model(
    work: UnitOfWork,
    developer_name: str,
    name: str,
    description: str | None = None,
    *,
    state: ModelState = ModelState.PLANNING,
    cloned_from_id: int | None = None,
    base_structure_head: int | None = None,
) -> int:
    """Create an empty draft with a stream of its own; returns its id. Raises `Invalid`, `Taken`, `Forbidden`."""
    viewer_of(work).require(Act.CREATE, Kind.MODEL, state=StateGroup.PLANNING)
    check_developer_name(developer_name)
    taken = await work.session.scalar(
        select(territory_model.c.id).where(territory_model.c.developer_name == developer_name)
    )
    if taken is not None:
        raise Taken(f"There is a model named {developer_name} already.", field=["developerName"])
    model_id = int(
        await work.session.scalar(insert(stream).values(id=func.nextval("stream_id_seq")).returning(stream.c.id))
    )
    await work.lock_stream(model_id)
    values = {"developer_name": developer_name, "name": check_name(name), "description": description}
    after = {**values, "state": state.value}
    draft = ChangeDraft(EntityType.MODEL, ChangeKind.CREATED, model_id, developer_name, after=after)
    seq = work.record(model_id, draft)
    await work.session.execute(
        insert(territory_model).values(
            id=model_id,
            **values,
            state=state.value,
            cloned_from_id=cloned_from_id,
            base_structure_head=base_structure_head,
            created_by=work.principal.user_id,
            created_at=work.now,
            version=seq,
        )
    )
    if cloned_from_id is None:
        await _copy_priorities_of_types(work, model_id)
    return model_id


async def _copy_priorities_of_types(work: UnitOfWork, model_id: int) -> None:
    await work.session.execute(
        insert(model_type_priority).from_select(
            ["model_id", "type_id", "priority", "version"],
            select(literal(model_id), territory_type.c.id, territory_type.c.priority, literal(0)),
        )
    )


async def copy_priorities(work: UnitOfWork, source_id: int, target_id: int) -> None:
    """Copy a model's own type priorities to another, with types that are newer than the source."""
    own = model_type_priority.alias("own")
    await work.session.execute(
        insert(model_type_priority).from_select(
            ["model_id", "type_id", "priority", "version"],
            select(
                literal(target_id),
                territory_type.c.id,
                func.coalesce(own.c.priority, territory_type.c.priority),
                literal(0),
            ).outerjoin(own, (own.c.type_id == territory_type.c.id) & (own.c.model_id == source_id)),
        )
    )


async def update_model(work: UnitOfWork, model_id: int, expected_version: int, wanted: Mapping[str, object]) -> int:
    """Change a draft's name or description; returns its id. Raises `Conflict`, `WrongState`, `Forbidden`."""
    model = await lock_model(work, model_id)
    require_planning(model)
    authorise(work, model, Act.UPDATE, Kind.MODEL, own=model.created_by == work.principal.user_id)
    if "name" in wanted:
        wanted = {**wanted, "name": check_name(str(wanted["name"]))}
    row = await work.session.row(select(territory_model).where(territory_model.c.id == model_id))
    if row is None:
        raise NotFound("There is no such model.")
    draft = ChangeDraft(EntityType.MODEL, ChangeKind.UPDATED, model_id, model.developer_name)
    await apply_edit(work, model_id, territory_model, draft, row, wanted, expected_version)
    return model_id


async def set_type_priority(work: UnitOfWork, model_id: int, type_id: int, priority: int, expected_version: int) -> int:
    """Change what a type's priority is in one draft; returns the model's id. Raises `Conflict`, `NotFound`."""
    model = await lock_model(work, model_id)
    require_planning(model)
    authorise(work, model, Act.UPDATE, Kind.MODEL, own=model.created_by == work.principal.user_id)
    where = (model_type_priority.c.model_id == model_id) & (model_type_priority.c.type_id == type_id)
    row = await work.session.row(
        select(model_type_priority.c.priority, model_type_priority.c.version, territory_type.c.developer_name)
        .join(territory_type, territory_type.c.id == model_type_priority.c.type_id)
        .where(where)
    )
    if row is None:
        raise NotFound("There is no such territory type.", field=["typeId"])
    if row.priority == priority:
        return model_id
    if row.version > expected_version:
        require_same_version(f"The priority of {row.developer_name}", row.version, expected_version)
    seq = work.record(
        model_id,
        ChangeDraft(
            EntityType.TYPE_PRIORITY,
            ChangeKind.UPDATED,
            type_id,
            row.developer_name,
            before={"priority": row.priority},
            after={"priority": priority},
        ),
    )
    await work.session.execute(update(model_type_priority).where(where).values(priority=priority, version=seq))
    return model_id


async def write_priority(work: UnitOfWork, model: ModelHead, type_id: int, name: str, priority: int) -> None:
    """Give a type a priority in a locked draft, whatever it has. Raises `Forbidden`."""
    authorise(work, model, Act.UPDATE, Kind.MODEL, own=model.created_by == work.principal.user_id)
    where = (model_type_priority.c.model_id == model.id) & (model_type_priority.c.type_id == type_id)
    standing = await work.session.scalar(select(model_type_priority.c.priority).where(where))
    kind, before = (ChangeKind.CREATED, {}) if standing is None else (ChangeKind.UPDATED, {"priority": int(standing)})
    draft = ChangeDraft(EntityType.TYPE_PRIORITY, kind, type_id, name, before=before, after={"priority": priority})
    values = {"priority": priority, "version": work.record(model.id, draft)}
    if standing is None:
        ids = {"model_id": model.id, "type_id": type_id}
        await work.session.execute(insert(model_type_priority).values(**ids, **values))
    else:
        await work.session.execute(update(model_type_priority).where(where).values(**values))


async def write_description(work: UnitOfWork, model: ModelHead, fields: Mapping[str, object]) -> None:
    """Give a locked draft a name and description. Raises `Forbidden`."""
    authorise(work, model, Act.UPDATE, Kind.MODEL, own=model.created_by == work.principal.user_id)
    row = await work.session.row(select(territory_model).where(territory_model.c.id == model.id))
    if row is not None:
        draft = ChangeDraft(EntityType.MODEL, ChangeKind.UPDATED, model.id, model.developer_name)
        await apply_edit(work, model.id, territory_model, draft, row, fields, row.version)


async def note_base(work: UnitOfWork, model: ModelHead, base_id: int, structure_head: int) -> None:
    """Note that a locked draft is based on a model as its structure stands at a number from now on."""
    wanted = {"cloned_from_id": base_id, "base_structure_head": structure_head}
    before = {"cloned_from_id": model.cloned_from_id, "base_structure_head": model.base_structure_head}
    if wanted == before:
        return
    draft = ChangeDraft(
        EntityType.MODEL, ChangeKind.UPDATED, model.id, model.developer_name, before=before, after=wanted
    )
    values = {**wanted, "version": work.record(model.id, draft)}
    await work.session.execute(update(territory_model).where(territory_model.c.id == model.id).values(**values))
