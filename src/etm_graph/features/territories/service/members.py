"""Members of territories: editable in drafts and, as an operational edit, in the active model."""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from etm_graph.core.access import Act, Kind
from etm_graph.core.changes import ChangeDraft, ChangeKind, EntityType, logged
from etm_graph.core.errors import Invalid, NotFound, Taken, WrongState
from etm_graph.core.lifecycle import ModelState
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm.queries import users_by_id
from etm_graph.features.models import service as models
from etm_graph.features.territories.service.locating import locate
from etm_graph.features.territories.tables import territory, territory_membership


def _require_open(model: models.ModelHead) -> None:
    if model.state not in {ModelState.PLANNING, ModelState.ACTIVE}:
        raise WrongState(f"{model.name} is {model.state}; members can be edited only in PLANNING and ACTIVE.")


def _check_period(start: object, end: object) -> None:
    if isinstance(start, date) and isinstance(end, date) and end < start:
        raise Invalid("The membership would end before it begins.", field=["effectiveUntil"])


async def add_member(work: UnitOfWork, territory_id: int, user_id: int, values: Mapping[str, object]) -> int:
    """Make a user a member of a territory; returns the membership's id. Raises `Taken`, `NotFound`, `Invalid`."""
    model, row = await locate(work, territory_id)
    _require_open(model)
    models.authorise(work, model, Act.CREATE, Kind.MEMBERSHIP, row.path)
    user = (await users_by_id(work.session, [user_id])).get(user_id)
    if user is None:
        raise NotFound("There is no such user.", field=["userId"])
    _check_period(values.get("effective_from"), values.get("effective_until"))
    member = territory_membership.c
    taken = select(member.id).where(member.territory_id == territory_id, member.user_id == user_id)
    if await work.session.scalar(taken) is not None:
        raise Taken(f"{user.name} is a member of {row.name} already.", field=["userId"])
    made = await work.session.row(
        insert(territory_membership)
        .values(
            model_id=model.id,
            territory_id=territory_id,
            user_id=user_id,
            version=work.next_number(model.id),
            **values,
        )
        .returning(*member)
    )
    membership_id = 0 if made is None else int(made.id)
    after = {} if made is None else logged(made._mapping)
    key = f"{row.developer_name}/{user.user_name}"
    work.record(
        model.id, ChangeDraft(EntityType.MEMBERSHIP, ChangeKind.CREATED, membership_id, key, row.path, after=after)
    )
    return membership_id


async def _find(work: UnitOfWork, membership_id: int) -> tuple[models.ModelHead, Row[Any], Row[Any], str]:
    member = territory_membership.c
    territory_id = await work.session.scalar(select(member.territory_id).where(member.id == membership_id))
    if territory_id is None:
        raise NotFound("There is no such membership.", field=["id"])
    try:
        model, node = await locate(work, territory_id)
    except NotFound as error:
        raise NotFound("There is no such membership.", field=["id"]) from error
    row = await work.session.row(select(territory_membership).where(member.id == membership_id))
    if row is None:
        raise NotFound("There is no such membership.", field=["id"])
    user = (await users_by_id(work.session, [row.user_id]))[row.user_id]
    return model, node, row, f"{node.developer_name}/{user.user_name}"


async def update_member(
    work: UnitOfWork, membership_id: int, expected_version: int, wanted: Mapping[str, object]
) -> int:
    """Change a member's role or period; returns the membership's id. Raises `Conflict`, `NotFound`, `Invalid`."""
    model, node, row, key = await _find(work, membership_id)
    _require_open(model)
    models.authorise(work, model, Act.UPDATE, Kind.MEMBERSHIP, node.path)
    merged = {**row._mapping, **wanted}
    _check_period(merged["effective_from"], merged["effective_until"])
    draft = ChangeDraft(EntityType.MEMBERSHIP, ChangeKind.UPDATED, membership_id, key, node.path)
    await models.apply_edit(
        work,
        model.id,
        territory_membership,
        draft,
        row,
        wanted,
        expected_version,
    )
    return membership_id


def _removal(row: Row[Any], key: str, path: str) -> ChangeDraft:
    before = logged(row._mapping, without={"path"})
    return ChangeDraft(EntityType.MEMBERSHIP, ChangeKind.DELETED, row.id, key, path, before=before)


async def record_removals(work: UnitOfWork, model_id: int, territory_ids: Collection[int]) -> None:
    """Note the end of every membership in territories that are about to be deleted."""
    member = territory_membership.c
    rows = await work.session.rows(
        select(territory_membership, territory.c.developer_name, territory.c.path)
        .join(territory, territory.c.id == member.territory_id)
        .where(member.territory_id.in_(territory_ids))
        .order_by(member.id)
    )
    users = await users_by_id(work.session, {row.user_id for row in rows})
    work.record(
        model_id, *(_removal(row, f"{row.developer_name}/{users[row.user_id].user_name}", row.path) for row in rows)
    )


async def remove_member(work: UnitOfWork, membership_id: int) -> int:
    """End a membership; a forecast manager stops being one. Returns the membership's id. Raises `NotFound`."""
    model, node, row, key = await _find(work, membership_id)
    _require_open(model)
    models.authorise(work, model, Act.DELETE, Kind.MEMBERSHIP, node.path)
    work.record(model.id, _removal(row, key, node.path))
    await work.session.execute(delete(territory_membership).where(territory_membership.c.id == membership_id))
    if node.forecast_manager_id == row.user_id:
        seq = work.record(
            model.id,
            ChangeDraft(
                EntityType.TERRITORY,
                ChangeKind.UPDATED,
                node.id,
                node.developer_name,
                node.path,
                before={"forecast_manager_id": row.user_id},
                after={"forecast_manager_id": None},
            ),
        )
        await work.session.execute(
            update(territory).where(territory.c.id == node.id).values(forecast_manager_id=None, version=seq)
        )
    return membership_id
