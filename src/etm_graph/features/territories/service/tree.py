"""Creating, changing, deleting and copying territories."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, and_, delete, func, insert, literal, select, update

from etm_graph.core.access import Act, Kind
from etm_graph.core.changes import ChangeDraft, ChangeKind, EntityType, logged
from etm_graph.core.errors import Conflict, InUse, Invalid, NotFound, Taken
from etm_graph.core.hierarchy import check_depth, child_path, depth_of, subtree_end
from etm_graph.core.names import check_developer_name, check_name
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.models import service as models
from etm_graph.features.models.queries import types_by_id
from etm_graph.features.territories.service.happenings import DoomedTerritory, TerritoriesDeleting
from etm_graph.features.territories.service.locating import locate
from etm_graph.features.territories.service.members import record_removals
from etm_graph.features.territories.tables import territory, territory_membership

ACCESS_LEVELS = ("NONE", "READ", "EDIT")
COMBINATIONS = ("ALL", "ANY")


async def _check_type(work: UnitOfWork, type_id: int) -> None:
    if type_id not in await types_by_id(work.session, [type_id]):
        raise NotFound("There is no such territory type.", field=["typeId"])


def _checked(wanted: Mapping[str, object]) -> dict[str, object]:
    """Wanted fields with their rules applied."""
    values = dict(wanted)
    if "name" in values:
        values["name"] = check_name(str(values["name"]))
    for name in ("account_access", "opportunity_access", "contact_access", "case_access"):
        if name in values and values[name] not in ACCESS_LEVELS:
            raise Invalid(f"An access level is one of {', '.join(ACCESS_LEVELS)}.", field=[name])
    return values


async def _check_forecast_manager(work: UnitOfWork, territory_id: int, user_id: object) -> None:
    member = territory_membership.c
    found = await work.session.scalar(
        select(member.id).where(member.territory_id == territory_id, member.user_id == user_id)
    )
    if found is None:
        raise Invalid("The forecast manager must be a member of the territory.", field=["forecastManagerId"])


async def create_territory(
    work: UnitOfWork,
    model_id: int,
    parent_id: int | None,
    developer_name: str,
    name: str,
    type_id: int,
    values: Mapping[str, object] | None = None,
) -> int:
    """Create a territory in a draft, under a parent or as a root; returns its id.

    Raises `NotFound`, `Taken`, `Invalid`, `WrongState`, `Forbidden`, `LimitExceeded`.
    """
    model = await models.lock_model(work, model_id)
    models.require_planning(model)
    parent = None
    if parent_id is not None:
        parent = await work.session.row(
            select(territory).where(territory.c.id == parent_id, territory.c.model_id == model_id)
        )
        if parent is None:
            raise NotFound("There is no such parent territory in this model.", field=["parentId"])
    path = child_path(None if parent is None else parent.path, check_developer_name(developer_name))
    models.authorise(work, model, Act.CREATE, Kind.TERRITORY, path)
    check_depth(depth_of(path))
    await _check_type(work, type_id)
    taken = select(territory.c.id).where(territory.c.model_id == model_id, territory.c.developer_name == developer_name)
    if await work.session.scalar(taken) is not None:
        raise Taken(f"The model has a territory {developer_name} already.", field=["developerName"])
    fields = {
        **_checked({"name": name, **(values or {})}),
        "parent_id": parent_id,
        "type_id": type_id,
        "path": path,
    }
    row = await work.session.row(
        insert(territory)
        .values(
            model_id=model_id,
            developer_name=developer_name,
            depth=depth_of(path),
            custom={},
            version=work.next_number(model_id),
            **fields,
        )
        .returning(*territory.c)
    )
    territory_id = int(row.id) if row is not None else 0
    after = {} if row is None else logged(row._mapping)
    work.record(
        model_id,
        ChangeDraft(EntityType.TERRITORY, ChangeKind.CREATED, territory_id, developer_name, path, after=after),
    )
    return territory_id


OPERATIONAL = frozenset({"forecast_manager_id"})
"""Fields that may be edited in the active model, too (docs/domain.md, "Model states")."""


async def update_territory(
    work: UnitOfWork, territory_id: int, expected_version: int, wanted: Mapping[str, object]
) -> int:
    """Change fields of a territory, merged with others' edits; returns its id.

    Raises `Conflict`, `NotFound`, `Invalid`, `WrongState`, `Forbidden`.
    """
    model, row = await locate(work, territory_id)
    if not set(wanted) <= OPERATIONAL:
        models.require_planning(model)
    operational = model.state.value == "ACTIVE"
    models.authorise(work, model, Act.UPDATE, Kind.MEMBERSHIP if operational else Kind.TERRITORY, row.path)
    values = _checked(wanted)
    if "type_id" in values:
        await _check_type(work, int(str(values["type_id"])))
    if values.get("forecast_manager_id") is not None:
        await _check_forecast_manager(work, territory_id, values["forecast_manager_id"])
    draft = ChangeDraft(EntityType.TERRITORY, ChangeKind.UPDATED, territory_id, row.developer_name, row.path)
    await models.apply_edit(work, model.id, territory, draft, row, values, expected_version)
    return territory_id


async def delete_territory(
    work: UnitOfWork, territory_id: int, expected_version: int, *, with_descendants: bool = False
) -> int:
    """Delete a territory of a draft, with its subtree only when asked for; returns its id.

    Raises `InUse` when it has children that were not meant, `Conflict` when any of them changed after
    `expected_version`, a number of the model's stream.
    """
    model, row = await locate(work, territory_id)
    models.require_planning(model)
    models.authorise(work, model, Act.DELETE, Kind.TERRITORY, row.path)
    head = work.heads[model.id].head
    models.require_unchanged(f"Territory {row.developer_name}", row.version, expected_version, head)
    subtree = and_(
        territory.c.model_id == model.id, territory.c.path >= row.path, territory.c.path < subtree_end(row.path)
    )
    doomed = await work.session.rows(select(territory).where(subtree).order_by(territory.c.path.desc()))
    if len(doomed) > 1 and not with_descendants:
        raise InUse(
            f"{row.developer_name} has {len(doomed) - 1} territories below it: move them, or delete it with them."
        )
    if any(other.version > expected_version for other in doomed if other.id != territory_id):
        raise Conflict(f"Territories below {row.developer_name} were changed since; read them again.", field=["id"])
    await drop_territories(work, model.id, doomed)
    return territory_id


async def drop_territories(work: UnitOfWork, model_id: int, rows: Sequence[Row[Any]]) -> None:
    """Delete territories of a locked model, given deepest first, and note all that goes with them."""
    going = tuple(DoomedTerritory(row.id, row.developer_name, row.path) for row in rows)
    await work.announce(TerritoriesDeleting(model_id, going))
    await record_removals(work, model_id, [row.id for row in rows])
    work.record(
        model_id,
        *(
            ChangeDraft(
                EntityType.TERRITORY,
                ChangeKind.DELETED,
                row.id,
                row.developer_name,
                row.path,
                before=logged(row._mapping),
            )
            for row in rows
        ),
    )
    await work.session.execute(delete(territory).where(territory.c.id.in_([row.id for row in rows])))


async def copy_territories(work: UnitOfWork, source_id: int, target_id: int, *, members: bool = True) -> None:
    """Copy a model's tree and members into an empty one, set-wise; paths, being names, stay as they are.

    Without members there are no forecast managers either.
    """
    left_out = {"id", "model_id", "parent_id", "version"} | (set() if members else {"forecast_manager_id"})
    copied = [column for column in territory.c if column.name not in left_out]
    await work.session.execute(
        insert(territory).from_select(
            ["model_id", "version", *(column.name for column in copied)],
            select(literal(target_id), literal(0), *copied).where(territory.c.model_id == source_id),
        )
    )
    child, parent = territory.alias("child"), territory.alias("parent")
    parent_of = func.regexp_replace(child.c.path, "[^/]+/$", "").collate("C")
    await work.session.execute(
        update(territory)
        .values(parent_id=parent.c.id)
        .where(
            territory.c.id == child.c.id,
            child.c.model_id == target_id,
            parent.c.model_id == target_id,
            parent.c.path == parent_of,
        )
    )
    if members:
        await _copy_members(work, source_id, target_id)


async def _copy_members(work: UnitOfWork, source_id: int, target_id: int) -> None:
    old, new, member = territory.alias("old"), territory.alias("new"), territory_membership.c
    names = ["user_id", "role_in_territory", "effective_from", "effective_until"]
    await work.session.execute(
        insert(territory_membership).from_select(
            ["model_id", "territory_id", "version", *names],
            select(literal(target_id), new.c.id, literal(0), *(member[name] for name in names))
            .join(old, old.c.id == member.territory_id)
            .join(new, and_(new.c.model_id == target_id, new.c.developer_name == old.c.developer_name))
            .where(member.model_id == source_id),
        )
    )
