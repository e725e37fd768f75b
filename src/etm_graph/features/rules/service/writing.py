"""Bringing a draft's rules and links to a wanted state, with a change for everything that differs."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, and_, delete, insert, select, update

from etm_graph.core.access import Act, Kind
from etm_graph.core.changes import ChangeDraft, ChangeKind, EntityType, logged
from etm_graph.core.facts import Fields
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.models import service as models
from etm_graph.features.rules.service.rules import record_unlinking
from etm_graph.features.rules.tables import assignment_rule, rule_link
from etm_graph.features.territories import queries as territories

Wanted = Mapping[str, Fields | None]
"""By key: the columns that an entity is to have, None when it is to be gone."""


async def write_rules(work: UnitOfWork, model: models.ModelHead, wanted: Wanted, former_ids: Mapping[str, int]) -> None:
    """Create, change and delete rules of a locked draft, by developer name. Raises `Forbidden`."""
    rows = await work.session.rows(select(assignment_rule).where(assignment_rule.c.model_id == model.id))
    standing = {row.developer_name: row for row in rows}
    for name, fields in wanted.items():
        row = standing.get(name)
        if row is None and fields is not None:
            await _create(work, model, name, fields, former_ids.get(name))
        elif row is not None and fields is not None:
            models.authorise(work, model, Act.UPDATE, Kind.RULE)
            draft = ChangeDraft(EntityType.RULE, ChangeKind.UPDATED, row.id, name)
            await models.apply_edit(work, model.id, assignment_rule, draft, row, fields, row.version)
        elif row is not None:
            await _delete(work, model, row)


async def _create(work: UnitOfWork, model: models.ModelHead, name: str, fields: Fields, former_id: int | None) -> None:
    models.authorise(work, model, Act.CREATE, Kind.RULE)
    known = {} if former_id is None else {"id": former_id}
    version = work.next_number(model.id)
    row = await work.session.row(
        insert(assignment_rule)
        .values(**known, model_id=model.id, developer_name=name, version=version, **fields)
        .returning(*assignment_rule.c)
    )
    if row is not None:
        after = logged(row._mapping)
        work.record(model.id, ChangeDraft(EntityType.RULE, ChangeKind.CREATED, row.id, name, after=after))


async def _delete(work: UnitOfWork, model: models.ModelHead, row: Row[Any]) -> None:
    models.authorise(work, model, Act.DELETE, Kind.RULE)
    await record_unlinking(work, model.id, rule_link.c.rule_id == row.id)
    before = logged(row._mapping)
    work.record(model.id, ChangeDraft(EntityType.RULE, ChangeKind.DELETED, row.id, row.developer_name, before=before))
    await work.session.execute(delete(assignment_rule).where(assignment_rule.c.id == row.id))


async def write_links(work: UnitOfWork, model: models.ModelHead, wanted: Wanted) -> None:
    """Make, change and end links of a locked draft, by rule/territory; both must stand. Raises `Forbidden`."""
    if not wanted:
        return
    nodes = {row.developer_name: row for row in await territories.all_nodes(work.session, model.id)}
    rules = {
        row.developer_name: row.id
        for row in await work.session.rows(
            select(assignment_rule.c.id, assignment_rule.c.developer_name).where(assignment_rule.c.model_id == model.id)
        )
    }
    rows = await work.session.rows(select(rule_link).where(rule_link.c.model_id == model.id))
    standing = {(row.rule_id, row.territory_id): row for row in rows}
    for key, fields in wanted.items():
        rule, _, name = key.partition("/")
        node = nodes[name]
        models.authorise(work, model, Act.UPDATE, Kind.RULE, node.path)
        await _link(work, model, key, (rules[rule], node), standing.get((rules[rule], node.id)), fields)


async def _link(
    work: UnitOfWork,
    model: models.ModelHead,
    key: str,
    ends: tuple[int, Row[Any]],
    row: Row[Any] | None,
    fields: Fields | None,
) -> None:
    rule_id, node = ends
    where = and_(rule_link.c.rule_id == rule_id, rule_link.c.territory_id == node.id)
    passed_down = None if fields is None else bool(fields["applies_to_descendants"])
    before = {} if row is None else {"applies_to_descendants": row.applies_to_descendants}
    after = {} if passed_down is None else {"applies_to_descendants": passed_down}
    name = {"territory": node.developer_name}
    if passed_down is None:
        draft = ChangeDraft(
            EntityType.RULE_LINK, ChangeKind.DELETED, rule_id, key, node.path, before={**name, **before}
        )
        work.record(model.id, draft)
        await work.session.execute(delete(rule_link).where(where))
        return
    kind = ChangeKind.CREATED if row is None else ChangeKind.UPDATED
    if row is None:
        after = {**name, **after}
    seq = work.record(
        model.id, ChangeDraft(EntityType.RULE_LINK, kind, rule_id, key, node.path, before=before, after=after)
    )
    values = {"applies_to_descendants": passed_down, "version": seq}
    if row is None:
        ids = {"rule_id": rule_id, "territory_id": node.id, "model_id": model.id}
        await work.session.execute(insert(rule_link).values(**ids, **values))
    else:
        await work.session.execute(update(rule_link).where(where).values(**values))
