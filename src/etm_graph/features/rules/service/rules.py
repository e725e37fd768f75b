"""Creating, changing and deleting assignment rules of drafts."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, insert, select

from etm_graph.core.access import Act, Kind
from etm_graph.core.changes import ChangeDraft, ChangeKind, EntityType, logged
from etm_graph.core.criteria import Criterion, compile_criterion
from etm_graph.core.errors import BusinessError, InUse, Invalid, NotFound, Taken
from etm_graph.core.filter_logic import parse
from etm_graph.core.names import check_developer_name, check_name
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm.queries import account_fields
from etm_graph.features.models import service as models
from etm_graph.features.rules.queries import criteria_of
from etm_graph.features.rules.tables import assignment_rule, rule_link
from etm_graph.features.territories import queries as territories
from etm_graph.features.territories.service import TerritoriesDeleting


async def check_rule(work: UnitOfWork, criteria: Sequence[Criterion], filter_logic: str | None) -> None:
    """Pass for criteria and logic that a rule can have.

    Raises `Invalid` and `BadFilterLogic`, each pointing at the input that is wrong.
    """
    if not criteria:
        raise Invalid("A rule needs at least one criterion.", field=["criteria"])
    numbers = [criterion.number for criterion in criteria]
    if sorted(numbers) != list(range(1, len(numbers) + 1)):
        raise Invalid("Criteria are numbered 1, 2, 3 … without gaps.", field=["criteria"])
    fields = await account_fields(work.session)
    for place, criterion in enumerate(criteria):
        if criterion.field not in fields:
            raise Invalid(
                f"There is no account field {criterion.field!r}; custom fields are named custom.<developerName>.",
                field=["criteria", str(place), "field"],
            )
        try:
            compile_criterion(criterion, fields[criterion.field])
        except BusinessError as error:
            raise type(error)(
                error.message, field=["criteria", str(place), *error.field], details=error.details
            ) from error
    try:
        parse(filter_logic, numbers)
    except BusinessError as error:
        raise type(error)(error.message, field=["filterLogic"], details=error.details) from error


def _plain(criteria: Sequence[Criterion]) -> list[dict[str, Any]]:
    return [
        {"number": c.number, "field": c.field, "operator": c.operator.value, "values": list(c.values)} for c in criteria
    ]


async def create_rule(
    work: UnitOfWork,
    model_id: int,
    developer_name: str,
    name: str,
    criteria: Sequence[Criterion],
    filter_logic: str | None = None,
    *,
    is_active: bool = True,
) -> int:
    """Create a rule over accounts in a draft; returns its id. Raises `Invalid`, `BadFilterLogic`, `Taken`, `Forbidden`."""
    model = await models.lock_model(work, model_id)
    models.require_planning(model)
    models.authorise(work, model, Act.CREATE, Kind.RULE)
    check_developer_name(developer_name)
    await check_rule(work, criteria, filter_logic)
    taken = select(assignment_rule.c.id).where(
        assignment_rule.c.model_id == model_id, assignment_rule.c.developer_name == developer_name
    )
    if await work.session.scalar(taken) is not None:
        raise Taken(f"The model has a rule {developer_name} already.", field=["developerName"])
    values = {
        "name": check_name(name),
        "object_type": "ACCOUNT",
        "is_active": is_active,
        "filter_logic": filter_logic,
        "criteria": _plain(criteria),
    }
    row = await work.session.row(
        insert(assignment_rule)
        .values(model_id=model_id, developer_name=developer_name, version=work.next_number(model_id), **values)
        .returning(*assignment_rule.c)
    )
    rule_id = 0 if row is None else int(row.id)
    after = {} if row is None else logged(row._mapping)
    work.record(model_id, ChangeDraft(EntityType.RULE, ChangeKind.CREATED, rule_id, developer_name, after=after))
    return rule_id


async def refuse_field_in_use(work: UnitOfWork, developer_name: str) -> None:
    """Raise `InUse` when a rule of any model names the custom field of accounts, saying which."""
    named = assignment_rule.c.criteria.contains([{"field": f"custom.{developer_name}"}])
    rows = await work.session.rows(select(assignment_rule.c.developer_name).where(named).limit(4))
    if rows:
        listed = ", ".join(row.developer_name for row in rows)
        raise InUse(f"Rules use {developer_name}, such as {listed}; change them first.", field=["id"])


async def locate_rule(work: UnitOfWork, rule_id: int) -> tuple[models.ModelHead, Row[Any]]:
    """Lock the model of a rule and read the rule as it is then. Raises `NotFound`."""
    model_id = await work.session.scalar(select(assignment_rule.c.model_id).where(assignment_rule.c.id == rule_id))
    if model_id is None:
        raise NotFound("There is no such rule.", field=["id"])
    model = await models.lock_model(work, model_id, NotFound("There is no such rule.", field=["id"]))
    row = await work.session.row(select(assignment_rule).where(assignment_rule.c.id == rule_id))
    if row is None or not work.viewer.may(Act.READ, Kind.RULE, state=model.group, model_id=model.id):
        raise NotFound("There is no such rule.", field=["id"])
    return model, row


async def update_rule(
    work: UnitOfWork,
    rule_id: int,
    expected_version: int,
    wanted: Mapping[str, object],
    criteria: Sequence[Criterion] | None = None,
) -> int:
    """Change a rule; criteria and filter logic are checked together. Returns its id.

    Raises `Conflict`, `Invalid`, `BadFilterLogic`, `WrongState`, `Forbidden`.
    """
    model, row = await locate_rule(work, rule_id)
    models.require_planning(model)
    models.authorise(work, model, Act.UPDATE, Kind.RULE)
    values = dict(wanted)
    if "name" in values:
        values["name"] = check_name(str(values["name"]))
    if criteria is not None:
        values["criteria"] = _plain(criteria)
    if criteria is not None or "filter_logic" in values:
        logic = values.get("filter_logic", row.filter_logic)
        await check_rule(
            work, criteria_of(row) if criteria is None else criteria, None if logic is None else str(logic)
        )
    draft = ChangeDraft(EntityType.RULE, ChangeKind.UPDATED, rule_id, row.developer_name)
    await models.apply_edit(work, model.id, assignment_rule, draft, row, values, expected_version)
    return rule_id


async def record_unlinking(work: UnitOfWork, model_id: int, which: ColumnElement[bool]) -> None:
    """Note the end of links that go with their rule or territory."""
    nodes = territories.nodes.c
    rows = await work.session.rows(
        select(
            rule_link.c.rule_id,
            rule_link.c.applies_to_descendants,
            assignment_rule.c.developer_name.label("rule"),
            nodes.developer_name.label("territory"),
            nodes.path,
        )
        .join(assignment_rule, assignment_rule.c.id == rule_link.c.rule_id)
        .join(territories.nodes, nodes.id == rule_link.c.territory_id)
        .where(which)
        .order_by(nodes.path, rule_link.c.rule_id)
    )
    work.record(
        model_id,
        *(
            ChangeDraft(
                EntityType.RULE_LINK,
                ChangeKind.DELETED,
                row.rule_id,
                f"{row.rule}/{row.territory}",
                row.path,
                before={"territory": row.territory, "applies_to_descendants": row.applies_to_descendants},
            )
            for row in rows
        ),
    )


async def unlink_deleted(work: UnitOfWork, happening: TerritoriesDeleting) -> None:
    """Note the end of the links of territories that are about to be deleted."""
    doomed = [territory.id for territory in happening.territories]
    await record_unlinking(work, happening.model_id, rule_link.c.territory_id.in_(doomed))


async def delete_rule(work: UnitOfWork, rule_id: int, expected_version: int) -> int:
    """Delete a rule with its links; returns its id. Raises `Conflict`, `NotFound`, `WrongState`, `Forbidden`."""
    model, row = await locate_rule(work, rule_id)
    models.require_planning(model)
    models.authorise(work, model, Act.DELETE, Kind.RULE)
    head = work.heads[model.id].head
    models.require_unchanged(f"Rule {row.developer_name}", row.version, expected_version, head)
    await record_unlinking(work, model.id, rule_link.c.rule_id == rule_id)
    told = logged(row._mapping)
    work.record(model.id, ChangeDraft(EntityType.RULE, ChangeKind.DELETED, rule_id, row.developer_name, before=told))
    await work.session.execute(delete(assignment_rule).where(assignment_rule.c.id == rule_id))
    return rule_id
