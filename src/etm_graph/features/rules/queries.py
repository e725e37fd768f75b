"""Reading assignment rules, their links, and whole rule sets for the engine."""

from collections import defaultdict
from collections.abc import Collection, Mapping, MutableMapping, Sequence
from typing import Any

from sqlalchemy import Row, Select, and_, func, select

from etm_graph.access.viewer import Viewer
from etm_graph.core.access import Kind
from etm_graph.core.assignment import Link, Node, Rule, RuleSet
from etm_graph.core.criteria import Criterion, FieldDef, Operator, compile_criterion
from etm_graph.core.errors import BusinessError
from etm_graph.core.filter_logic import parse
from etm_graph.db.paging import Order, Page, apply_page
from etm_graph.db.sessions import ReadSession
from etm_graph.features.models import queries as models
from etm_graph.features.rules.tables import assignment_rule, rule_link
from etm_graph.features.territories import queries as territories

RULES = Order("rules", (assignment_rule.c.developer_name, assignment_rule.c.id))


def _visible(viewer: Viewer) -> Select[Any]:
    scope = models.scope
    return (
        select(assignment_rule)
        .join(scope, scope.c.id == assignment_rule.c.model_id)
        .where(viewer.sees(Kind.RULE, state=scope.c.state, model_id=assignment_rule.c.model_id))
    )


async def rules_by_id(session: ReadSession, viewer: Viewer, ids: Collection[int]) -> dict[int, Row[Any]]:
    """The rules with these ids that the viewer may read, by id."""
    return {row.id: row for row in await session.rows(_visible(viewer).where(assignment_rule.c.id.in_(ids)))}


async def rules_of_models(
    session: ReadSession, viewer: Viewer, model_ids: Collection[int], page: Page
) -> Mapping[int, Sequence[Row[Any]]]:
    """A page of each model's rules by developer name, by model."""
    base = _visible(viewer).where(assignment_rule.c.model_id.in_(model_ids))
    grouped: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in await session.rows(apply_page(base, RULES, page, assignment_rule.c.model_id)):
        grouped[row.model_id].append(row)
    return grouped


async def count_of_models(session: ReadSession, viewer: Viewer, model_ids: Collection[int]) -> Mapping[int, int]:
    """How many rules each model has."""
    key = assignment_rule.c.model_id
    counted = _visible(viewer).where(key.in_(model_ids)).with_only_columns(key, func.count().label("n")).group_by(key)
    return {row.model_id: row.n for row in await session.rows(counted)}


async def rules_of_territories(
    session: ReadSession, viewer: Viewer, territory_ids: Collection[int], page: Page
) -> Mapping[int, Sequence[Row[Any]]]:
    """A page of the rules linked to each territory, with `applies_to_descendants`, by territory."""
    base = (
        _visible(viewer)
        .join(rule_link, rule_link.c.rule_id == assignment_rule.c.id)
        .where(rule_link.c.territory_id.in_(territory_ids))
        .add_columns(rule_link.c.territory_id, rule_link.c.applies_to_descendants)
    )
    grouped: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in await session.rows(apply_page(base, RULES, page, rule_link.c.territory_id)):
        grouped[row.territory_id].append(row)
    return grouped


async def count_of_territories(
    session: ReadSession, viewer: Viewer, territory_ids: Collection[int]
) -> Mapping[int, int]:
    """How many rules are linked to each territory."""
    key = rule_link.c.territory_id
    counted = (
        _visible(viewer)
        .join(rule_link, rule_link.c.rule_id == assignment_rule.c.id)
        .where(key.in_(territory_ids))
        .with_only_columns(key, func.count().label("n"))
        .group_by(key)
    )
    return {row.territory_id: row.n for row in await session.rows(counted)}


async def links_of_rules(session: ReadSession, rule_ids: Collection[int]) -> Mapping[int, Sequence[Row[Any]]]:
    """The links of each rule, by rule."""
    grouped: dict[int, list[Row[Any]]] = defaultdict(list)
    statement = select(rule_link).where(rule_link.c.rule_id.in_(rule_ids)).order_by(rule_link.c.territory_id)
    for row in await session.rows(statement):
        grouped[row.rule_id].append(row)
    return grouped


def criteria_of(row: Row[Any]) -> list[Criterion]:
    """A rule's criteria as the core has them."""
    return [
        Criterion(item["number"], item["field"], Operator(item["operator"]), tuple(item["values"]))
        for item in row.criteria
    ]


def _rule(row: Row[Any], fields: Mapping[str, FieldDef]) -> Rule:
    criteria = criteria_of(row)
    compiled = tuple(compile_criterion(criterion, fields[criterion.field]) for criterion in criteria)
    logic = parse(row.filter_logic, [criterion.number for criterion in criteria])
    return Rule(row.id, row.developer_name, row.object_type, row.is_active, compiled, logic)


async def rules_in_error(session: ReadSession, model_id: int, fields: Mapping[str, FieldDef]) -> list[tuple[str, str]]:
    """Rules of a model that cannot be evaluated with these fields: developer name and what is wrong, by name."""
    found = []
    for row in await session.rows(select(assignment_rule).where(assignment_rule.c.model_id == model_id)):
        gone = sorted({item["field"] for item in row.criteria} - set(fields))
        try:
            wrong = f"There is no account field {', '.join(gone)}." if gone else None
            if wrong is None:
                _rule(row, fields)
        except BusinessError as error:
            wrong = error.message
        if wrong is not None:
            found.append((row.developer_name, wrong))
    return sorted(found)


async def load_rule_set(
    session: ReadSession,
    model_id: int,
    fields: Mapping[str, FieldDef],
    known: MutableMapping[tuple[int, int], Rule] | None = None,
) -> RuleSet:
    """Everything that decides a model's assignments by rule, whoever asks: three statements.

    fields: the standard and custom fields that criteria may name; a rule over a field that is gone is switched off.
    known: rules that were compiled before, by id and version; new ones are added.
    """
    compiled = {} if known is None else known
    nodes = [
        Node(row.id, row.parent_id, row.path, row.rule_combination, row.inherit_only)
        for row in await territories.all_nodes(session, model_id)
    ]
    rules = await session.rows(select(assignment_rule).where(assignment_rule.c.model_id == model_id))
    links = await session.rows(select(rule_link).where(rule_link.c.model_id == model_id))
    usable = [row for row in rules if all(item["field"] in fields for item in row.criteria)]
    used = {row.id for row in usable}
    return RuleSet(
        tuple(nodes),
        tuple(_compiled(row, fields, compiled) for row in usable),
        tuple(Link(row.rule_id, row.territory_id, row.applies_to_descendants) for row in links if row.rule_id in used),
    )


def _compiled(row: Row[Any], fields: Mapping[str, FieldDef], known: MutableMapping[tuple[int, int], Rule]) -> Rule:
    key = row.id, row.version
    found = known.get(key)
    if found is None:
        found = known[key] = _rule(row, fields)
    return found


async def places_of(session: ReadSession, ids: Collection[int]) -> Sequence[Row[Any]]:
    """Where rules are, whoever asks: id, model_id, name."""
    columns = assignment_rule.c
    return await session.rows(select(columns.id, columns.model_id, columns.name).where(columns.id.in_(ids)))


async def whole_rules(session: ReadSession, model_ids: Collection[int]) -> Sequence[Row[Any]]:
    """Every rule of models, whoever asks: what structures are made of."""
    return await session.rows(select(assignment_rule).where(assignment_rule.c.model_id.in_(model_ids)))


async def whole_links(session: ReadSession, model_ids: Collection[int]) -> Sequence[Row[Any]]:
    """Every link of models: model_id, names of `rule` and `territory`, applies_to_descendants."""
    nodes = territories.nodes.c
    return await session.rows(
        select(
            rule_link.c.model_id,
            assignment_rule.c.developer_name.label("rule"),
            nodes.developer_name.label("territory"),
            rule_link.c.applies_to_descendants,
        )
        .join(assignment_rule, assignment_rule.c.id == rule_link.c.rule_id)
        .join(territories.nodes, nodes.id == rule_link.c.territory_id)
        .where(rule_link.c.model_id.in_(model_ids))
    )


async def find_in_model(session: ReadSession, model_id: int, developer_name: str) -> Row[Any] | None:
    """A rule of a model by developer name, whoever asks: id, version."""
    columns = assignment_rule.c
    return await session.row(
        select(columns.id, columns.version).where(
            columns.model_id == model_id, columns.developer_name == developer_name
        )
    )


async def namesakes(session: ReadSession, source_id: int, target_id: int) -> Sequence[Row[Any]]:
    """Rules of two models with the same developer name: old_id, new_id, whoever asks."""
    old, new = assignment_rule.alias("old"), assignment_rule.alias("new")
    return await session.rows(
        select(old.c.id.label("old_id"), new.c.id.label("new_id"))
        .join(new, and_(new.c.model_id == target_id, new.c.developer_name == old.c.developer_name))
        .where(old.c.model_id == source_id)
    )
