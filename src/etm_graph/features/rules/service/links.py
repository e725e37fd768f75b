"""Putting rules to work in territories, and copying them with a model."""

from sqlalchemy import and_, delete, insert, literal, select
from sqlalchemy.dialects.postgresql import insert as upsert

from etm_graph.core.access import Act, Kind
from etm_graph.core.changes import ChangeDraft, ChangeKind, EntityType
from etm_graph.core.errors import NotFound
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.models import service as models
from etm_graph.features.rules.service.rules import locate_rule
from etm_graph.features.rules.tables import assignment_rule, rule_link
from etm_graph.features.territories import queries as territories
from etm_graph.features.territories.service import locate


async def link_rule(work: UnitOfWork, rule_id: int, territory_id: int, *, applies_to_descendants: bool) -> int:
    """Let a rule assign to a territory, and below it when asked; linking again changes that. Returns the rule's id."""
    model, rule = await locate_rule(work, rule_id)
    models.require_planning(model)
    _, node = await locate(work, territory_id)
    if node.model_id != model.id:
        raise NotFound("There is no such territory in the rule's model.", field=["territoryId"])
    models.authorise(work, model, Act.UPDATE, Kind.RULE, node.path)
    where = and_(rule_link.c.rule_id == rule_id, rule_link.c.territory_id == territory_id)
    standing = await work.session.row(select(rule_link.c.applies_to_descendants).where(where))
    if standing is not None and standing.applies_to_descendants == applies_to_descendants:
        return rule_id
    before = {} if standing is None else {"applies_to_descendants": standing.applies_to_descendants}
    kind = ChangeKind.CREATED if standing is None else ChangeKind.UPDATED
    after = {"territory": node.developer_name, "applies_to_descendants": applies_to_descendants}
    key = f"{rule.developer_name}/{node.developer_name}"
    seq = work.record(
        model.id, ChangeDraft(EntityType.RULE_LINK, kind, rule_id, key, node.path, before=before, after=after)
    )
    values = {"applies_to_descendants": applies_to_descendants, "version": seq}
    await work.session.execute(
        upsert(rule_link)
        .values(rule_id=rule_id, territory_id=territory_id, model_id=model.id, **values)
        .on_conflict_do_update(index_elements=["rule_id", "territory_id"], set_=values)
    )
    return rule_id


async def unlink_rule(work: UnitOfWork, rule_id: int, territory_id: int) -> int:
    """Stop a rule from assigning to a territory; returns the rule's id. Raises `NotFound`, `WrongState`, `Forbidden`."""
    model, rule = await locate_rule(work, rule_id)
    models.require_planning(model)
    _, node = await locate(work, territory_id)
    models.authorise(work, model, Act.UPDATE, Kind.RULE, node.path)
    where = and_(rule_link.c.rule_id == rule_id, rule_link.c.territory_id == territory_id)
    standing = await work.session.row(select(rule_link.c.applies_to_descendants).where(where))
    if standing is None:
        raise NotFound("The rule is not linked to this territory.", field=["territoryId"])
    key = f"{rule.developer_name}/{node.developer_name}"
    before = {"territory": node.developer_name, "applies_to_descendants": standing.applies_to_descendants}
    work.record(model.id, ChangeDraft(EntityType.RULE_LINK, ChangeKind.DELETED, rule_id, key, node.path, before=before))
    await work.session.execute(delete(rule_link).where(where))
    return rule_id


async def copy_rules(work: UnitOfWork, source_id: int, target_id: int) -> None:
    """Copy a model's rules and links into one that has its territories already, set-wise."""
    names = ["developer_name", "name", "object_type", "is_active", "filter_logic", "criteria"]
    await work.session.execute(
        insert(assignment_rule).from_select(
            ["model_id", "version", *names],
            select(literal(target_id), literal(0), *(assignment_rule.c[name] for name in names)).where(
                assignment_rule.c.model_id == source_id
            ),
        )
    )
    old_rule, new_rule = assignment_rule.alias("old_rule"), assignment_rule.alias("new_rule")
    old_node, new_node = territories.nodes.alias("old_node"), territories.nodes.alias("new_node")
    await work.session.execute(
        insert(rule_link).from_select(
            ["model_id", "version", "rule_id", "territory_id", "applies_to_descendants"],
            select(literal(target_id), literal(0), new_rule.c.id, new_node.c.id, rule_link.c.applies_to_descendants)
            .join(old_rule, old_rule.c.id == rule_link.c.rule_id)
            .join(
                new_rule,
                and_(new_rule.c.model_id == target_id, new_rule.c.developer_name == old_rule.c.developer_name),
            )
            .join(old_node, old_node.c.id == rule_link.c.territory_id)
            .join(
                new_node,
                and_(new_node.c.model_id == target_id, new_node.c.developer_name == old_node.c.developer_name),
            )
            .where(rule_link.c.model_id == source_id),
        )
    )
