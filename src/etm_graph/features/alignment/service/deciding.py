"""Bringing a draft's assignments by hand and exclusions to a wanted state."""

from collections.abc import Mapping

from sqlalchemy import and_, delete, insert, select, update

from etm_graph.core.access import Act, Kind
from etm_graph.core.changes import ChangeDraft, ChangeKind, EntityType
from etm_graph.core.facts import Fields
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.alignment.tables import account_assignment, assignment_exclusion
from etm_graph.features.models import service as models
from etm_graph.features.territories import queries as territories

Wanted = Mapping[str, Fields | None]
"""By territory/account: the fields that a decision is to have, None when it is to be gone."""


async def write_assignments(work: UnitOfWork, model: models.ModelHead, wanted: Wanted) -> None:
    """Make and end assignments by hand in a locked draft, where only those are rows. Raises `Forbidden`."""
    made: list[dict[str, object]] = []
    for account_id, territory_id, fields in await _decide(work, model, EntityType.ASSIGNMENT, wanted):
        if fields is not None:
            ids = {"model_id": model.id, "account_id": account_id, "territory_id": territory_id}
            version = work.heads[model.id].head
            made.append(
                {**ids, "manual": True, "by_rule": False, "rule_ids": [], "since": work.now, "version": version}
            )
            continue
        columns = account_assignment.c
        where = and_(
            columns.model_id == model.id,
            columns.territory_id == territory_id,
            columns.account_id == account_id,
            columns.until.is_(None),
        )
        await work.session.execute(update(account_assignment).where(where).values(until=work.now))
    if made:
        await work.session.execute(insert(account_assignment), made)


async def write_exclusions(work: UnitOfWork, model: models.ModelHead, wanted: Wanted) -> None:
    """Make, change and end exclusions in a locked draft. Raises `Forbidden`."""
    columns = assignment_exclusion.c
    rows = await work.session.rows(select(assignment_exclusion).where(columns.model_id == model.id))
    standing = {(row.account_id, row.territory_id) for row in rows}
    for account_id, territory_id, fields in await _decide(work, model, EntityType.EXCLUSION, wanted):
        where = and_(columns.territory_id == territory_id, columns.account_id == account_id)
        if (account_id, territory_id) in standing:
            await work.session.execute(delete(assignment_exclusion).where(where))
        if fields is not None:
            ids = {"model_id": model.id, "account_id": account_id, "territory_id": territory_id}
            version = work.heads[model.id].head
            await work.session.execute(
                insert(assignment_exclusion).values(**ids, note=fields.get("note"), version=version)
            )


async def _decide(
    work: UnitOfWork, model: models.ModelHead, entity: EntityType, wanted: Wanted
) -> list[tuple[int, int, Fields | None]]:
    """Authorise and record decisions; account, territory and fields of each."""
    nodes = {row.developer_name: row for row in await territories.all_nodes(work.session, model.id)} if wanted else {}
    found = []
    for key, fields in wanted.items():
        name, _, account = key.partition("/")
        act = Act.DELETE if fields is None else Act.CREATE
        models.authorise(work, model, act, Kind.ASSIGNMENT, nodes[name].path)
        logged = {"account_id": int(account), **(fields or {})}
        kind, before, after = (ChangeKind.DELETED, logged, {}) if fields is None else (ChangeKind.CREATED, {}, logged)
        work.record(model.id, ChangeDraft(entity, kind, int(account), key, nodes[name].path, before, after))
        found.append((int(account), nodes[name].id, fields))
    return found
