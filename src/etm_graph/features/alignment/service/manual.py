"""Assignments by hand and exclusions: in drafts, and as operational edits in the active model."""

from typing import Any

from sqlalchemy import Row, and_, delete, insert, select, update

from etm_graph.core.access import Act, Kind
from etm_graph.core.changes import ChangeDraft, ChangeKind, EntityType
from etm_graph.core.errors import NotFound, Taken, WrongState
from etm_graph.core.lifecycle import ModelState
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.alignment.service.engine import Engine
from etm_graph.features.alignment.service.runs import follow_accounts
from etm_graph.features.alignment.tables import account_assignment, assignment_exclusion
from etm_graph.features.crm import queries as crm
from etm_graph.features.models import service as models
from etm_graph.features.territories.service import TerritoriesDeleting, locate


async def _begin(
    work: UnitOfWork, act: Act, territory_id: int, account_id: int
) -> tuple[models.ModelHead, Row[Any], str]:
    """Lock, check state and right; the model, the territory, and the pair's key."""
    model, node = await locate(work, territory_id)
    if model.state not in {ModelState.PLANNING, ModelState.ACTIVE}:
        raise WrongState(f"{model.name} is {model.state}; assignments can be edited only in PLANNING and ACTIVE.")
    models.authorise(work, model, act, Kind.ASSIGNMENT, node.path)
    found = (await crm.accounts_by_id(work.session, models.viewer_of(work), [account_id])).get(account_id)
    if found is None:
        raise NotFound("There is no such account.", field=["accountId"])
    return model, node, f"{node.developer_name}/{account_id}"


async def _follow_up(work: UnitOfWork, engine: Engine, model: models.ModelHead, account_id: int) -> None:
    """In the active model an edit takes effect at once, opportunities included."""
    if model.state is ModelState.ACTIVE:
        await follow_accounts(work, engine, model.id, [account_id])


def _record(
    work: UnitOfWork,
    entity: EntityType,
    kind: ChangeKind,
    model_id: int,
    account_id: int,
    key: str,
    path: str,
    **told: object,
) -> int:
    fields = {"account_id": account_id, **told}
    before = fields if kind is ChangeKind.DELETED else {}
    after = {} if kind is ChangeKind.DELETED else fields
    return work.record(model_id, ChangeDraft(entity, kind, account_id, key, path, before, after))


def _standing(model_id: int, territory_id: int, account_id: int) -> Any:  # noqa: ANN401 - a condition
    columns = account_assignment.c
    return and_(
        columns.model_id == model_id,
        columns.territory_id == territory_id,
        columns.account_id == account_id,
        columns.until.is_(None),
    )


async def assign_account(work: UnitOfWork, engine: Engine, territory_id: int, account_id: int) -> int:
    """Assign an account by hand; returns the territory's id. Raises `Taken`, `NotFound`, `WrongState`, `Forbidden`."""
    model, node, key = await _begin(work, Act.CREATE, territory_id, account_id)
    where = _standing(model.id, territory_id, account_id)
    standing = await work.session.row(select(account_assignment.c.manual).where(where))
    if standing is not None and standing.manual:
        raise Taken("The account is assigned to this territory by hand already.", field=["accountId"])
    seq = _record(work, EntityType.ASSIGNMENT, ChangeKind.CREATED, model.id, account_id, key, node.path)
    if standing is None:
        await work.session.execute(
            insert(account_assignment).values(
                model_id=model.id,
                account_id=account_id,
                territory_id=territory_id,
                manual=True,
                by_rule=False,
                rule_ids=[],
                since=work.now,
                version=seq,
            )
        )
    else:
        await work.session.execute(update(account_assignment).where(where).values(manual=True, version=seq))
    await _follow_up(work, engine, model, account_id)
    return territory_id


async def unassign_account(work: UnitOfWork, engine: Engine, territory_id: int, account_id: int) -> int:
    """Take an assignment by hand back; what rules assign stays. Returns the territory's id. Raises `NotFound`."""
    model, node, key = await _begin(work, Act.DELETE, territory_id, account_id)
    where = _standing(model.id, territory_id, account_id)
    standing = await work.session.row(select(account_assignment.c.manual, account_assignment.c.by_rule).where(where))
    if standing is None or not standing.manual:
        raise NotFound("The account is not assigned to this territory by hand.", field=["accountId"])
    seq = _record(work, EntityType.ASSIGNMENT, ChangeKind.DELETED, model.id, account_id, key, node.path)
    if standing.by_rule:
        change = update(account_assignment).where(where).values(manual=False, version=seq)
    else:
        change = update(account_assignment).where(where).values(until=work.now, version=seq)
    await work.session.execute(change)
    await _follow_up(work, engine, model, account_id)
    return territory_id


async def exclude_account(
    work: UnitOfWork, engine: Engine, territory_id: int, account_id: int, note: str | None = None
) -> int:
    """Keep rules from assigning an account to a territory; returns the territory's id. Raises `Taken`, `NotFound`."""
    model, node, key = await _begin(work, Act.CREATE, territory_id, account_id)
    columns = assignment_exclusion.c
    where = and_(columns.territory_id == territory_id, columns.account_id == account_id)
    if await work.session.scalar(select(columns.account_id).where(where)) is not None:
        raise Taken("The account is excluded from this territory already.", field=["accountId"])
    seq = _record(work, EntityType.EXCLUSION, ChangeKind.CREATED, model.id, account_id, key, node.path, note=note)
    await work.session.execute(
        insert(assignment_exclusion).values(
            model_id=model.id, account_id=account_id, territory_id=territory_id, note=note, version=seq
        )
    )
    await _follow_up(work, engine, model, account_id)
    return territory_id


async def include_account(work: UnitOfWork, engine: Engine, territory_id: int, account_id: int) -> int:
    """Take an exclusion back; returns the territory's id. Raises `NotFound`."""
    model, node, key = await _begin(work, Act.DELETE, territory_id, account_id)
    columns = assignment_exclusion.c
    gone = await work.session.execute(
        delete(assignment_exclusion)
        .where(columns.territory_id == territory_id, columns.account_id == account_id)
        .returning(columns.note)
    )
    row = gone.first()
    if row is None:
        raise NotFound("The account is not excluded from this territory.", field=["accountId"])
    _record(work, EntityType.EXCLUSION, ChangeKind.DELETED, model.id, account_id, key, node.path, note=row.note)
    await _follow_up(work, engine, model, account_id)
    return territory_id


async def release_deleted(work: UnitOfWork, happening: TerritoriesDeleting) -> None:
    """Note the end of what people decided about territories that are about to be deleted."""
    doomed = {territory.id: territory for territory in happening.territories}
    manual, excluded = account_assignment.c, assignment_exclusion.c
    by_hand = await work.session.rows(
        select(manual.territory_id, manual.account_id)
        .where(manual.territory_id.in_(doomed), manual.until.is_(None), manual.manual)
        .order_by(manual.territory_id, manual.account_id)
    )
    exclusions = await work.session.rows(
        select(excluded.territory_id, excluded.account_id, excluded.note)
        .where(excluded.territory_id.in_(doomed))
        .order_by(excluded.territory_id, excluded.account_id)
    )
    ends: list[tuple[EntityType, Row[Any], dict[str, object]]] = [(EntityType.ASSIGNMENT, row, {}) for row in by_hand]
    ends += [(EntityType.EXCLUSION, row, {"note": row.note}) for row in exclusions]
    for entity, row, told in ends:
        node, account_id = doomed[row.territory_id], int(row.account_id)
        key = f"{node.developer_name}/{account_id}"
        _record(work, entity, ChangeKind.DELETED, happening.model_id, account_id, key, node.path, **told)
