"""The operations of a change set on territories, members, rules and links."""

from datetime import date

import strawberry

from etm_graph.core.changes import EntityType
from etm_graph.features.editing.service import Editing
from etm_graph.features.rules import service as rules
from etm_graph.features.rules.schema.roots import RuleCriterionInput, criteria_of
from etm_graph.features.territories import service as territories
from etm_graph.features.territories.schema.types import AccessLevel, RuleCombination
from etm_graph.graphql.ids import decode_id, decode_optional_id
from etm_graph.graphql.inputs import given, plain
from etm_graph.graphql.scalars import BigInt

NAME_MEANING = "Its developer name in the draft."
VERSION_OR_OWN = (
    "The version that you read; others' edits of the same fields since are a CONFLICT. "
    "Null only for what this change set created or changed itself."
)


@strawberry.input(description="Create a territory.")
class CreateTerritoryOperation:
    """Like territoryCreate."""

    developer_name: str = strawberry.field(description="Unique in the model and immutable.")
    name: str = strawberry.field(description="The name for people.")
    parent: str | None = strawberry.field(
        default=None, description="Developer name of the territory above; null for a root."
    )
    type_id: strawberry.ID = strawberry.field(description="Its territory type.")
    description: str | None = strawberry.field(default=None, description="What it is for.")


async def create_territory(editing: Editing, op: CreateTerritoryOperation) -> None:
    """Do what the input says; raises as the use case does."""
    parent = None if op.parent is None else (await editing.territory(op.parent, "parent")).id
    type_id = decode_id(op.type_id, "TerritoryType", field="typeId")
    await territories.create_territory(
        editing.work,
        editing.model.id,
        parent,
        op.developer_name,
        op.name,
        type_id,
        {"description": op.description},
    )


@strawberry.input(description="Change a territory; what is left out stays.")
class UpdateTerritoryOperation:
    """Like territoryUpdate."""

    developer_name: str = strawberry.field(description=NAME_MEANING)
    expected_version: BigInt | None = strawberry.field(default=None, description=VERSION_OR_OWN)
    name: str | None = strawberry.field(default=strawberry.UNSET, description="The name for people.")
    description: str | None = strawberry.field(default=strawberry.UNSET, description="What it is for.")
    type_id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="Its territory type.")
    rule_combination: RuleCombination | None = strawberry.field(
        default=strawberry.UNSET, description="How its own rules are combined."
    )
    inherit_only: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Whether inherited rules suffice."
    )
    account_access: AccessLevel | None = strawberry.field(
        default=strawberry.UNSET, description="What members may do with its accounts."
    )
    opportunity_access: AccessLevel | None = strawberry.field(
        default=strawberry.UNSET, description="What members may do with their opportunities."
    )
    contact_access: AccessLevel | None = strawberry.field(
        default=strawberry.UNSET, description="What members may do with their contacts."
    )
    case_access: AccessLevel | None = strawberry.field(
        default=strawberry.UNSET, description="What members may do with their cases."
    )
    forecast_manager_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The member who owns its forecast; null for nobody."
    )


async def update_territory(editing: Editing, op: UpdateTerritoryOperation) -> None:
    """Do what the input says; raises as the use case does."""
    row = await editing.territory(op.developer_name)
    names = ("name", "description", "rule_combination", "inherit_only")
    levels = ("account_access", "opportunity_access", "contact_access", "case_access")
    wanted = plain(given(op, *names, *levels))
    for name, type_name in (("type_id", "TerritoryType"), ("forecast_manager_id", "User")):
        if name in (reference := given(op, name)):
            text = reference[name]
            wanted[name] = decode_optional_id(None if text is None else str(text), type_name, field=name)
    await territories.update_territory(editing.work, row.id, editing.expected(row, op.expected_version), wanted)


@strawberry.input(description="Move a territory with everything below it.")
class MoveTerritoryOperation:
    """Like territoryMove."""

    developer_name: str = strawberry.field(description=NAME_MEANING)
    parent: str | None = strawberry.field(description="Developer name of the territory above; null makes it a root.")
    expected_version: BigInt | None = strawberry.field(default=None, description=VERSION_OR_OWN)


async def move_territory(editing: Editing, op: MoveTerritoryOperation) -> None:
    """Do what the input says; raises as the use case does."""
    row = await editing.territory(op.developer_name)
    parent = None if op.parent is None else (await editing.territory(op.parent, "parent")).id
    await territories.move_territory(editing.work, row.id, parent, editing.expected(row, op.expected_version))


@strawberry.input(description="Delete a territory.")
class DeleteTerritoryOperation:
    """Like territoryDelete."""

    developer_name: str = strawberry.field(description=NAME_MEANING)
    expected_version: BigInt | None = strawberry.field(default=None, description=VERSION_OR_OWN)
    with_descendants: bool = strawberry.field(default=False, description="Whether to delete everything below it, too.")


async def delete_territory(editing: Editing, op: DeleteTerritoryOperation) -> None:
    """Do what the input says; raises as the use case does."""
    row = await editing.territory(op.developer_name)
    version = editing.unchanged(EntityType.TERRITORY, row, op.expected_version)
    await territories.delete_territory(editing.work, row.id, version, with_descendants=op.with_descendants)


@strawberry.input(description="Make a user a member of a territory.")
class AddMemberOperation:
    """Like territoryMemberAdd."""

    territory: str = strawberry.field(description="The territory's developer name.")
    user_id: strawberry.ID = strawberry.field(description="Who joins.")
    role_in_territory: str | None = strawberry.field(default=None, description="What the user does there.")
    effective_from: date | None = strawberry.field(default=None, description="First day; null since ever.")
    effective_until: date | None = strawberry.field(default=None, description="Last day; null without end.")


async def add_member(editing: Editing, op: AddMemberOperation) -> None:
    """Do what the input says; raises as the use case does."""
    row = await editing.territory(op.territory, "territory")
    values = given(op, "role_in_territory", "effective_from", "effective_until")
    await territories.add_member(editing.work, row.id, decode_id(op.user_id, "User", field="userId"), values)


@strawberry.input(description="Change a member's role or period; what is left out stays.")
class UpdateMemberOperation:
    """Like territoryMemberUpdate."""

    territory: str = strawberry.field(description="The territory's developer name.")
    user_id: strawberry.ID = strawberry.field(description="The member.")
    expected_version: BigInt | None = strawberry.field(default=None, description=VERSION_OR_OWN)
    role_in_territory: str | None = strawberry.field(default=strawberry.UNSET, description="What the user does there.")
    effective_from: date | None = strawberry.field(default=strawberry.UNSET, description="First day.")
    effective_until: date | None = strawberry.field(default=strawberry.UNSET, description="Last day.")


async def update_member(editing: Editing, op: UpdateMemberOperation) -> None:
    """Do what the input says; raises as the use case does."""
    row = await editing.member(op.territory, decode_id(op.user_id, "User", field="userId"))
    wanted = given(op, "role_in_territory", "effective_from", "effective_until")
    await territories.update_member(editing.work, row.id, editing.expected(row, op.expected_version), wanted)


@strawberry.input(description="End a membership.")
class RemoveMemberOperation:
    """Like territoryMemberRemove."""

    territory: str = strawberry.field(description="The territory's developer name.")
    user_id: strawberry.ID = strawberry.field(description="The member.")


async def remove_member(editing: Editing, op: RemoveMemberOperation) -> None:
    """Do what the input says; raises as the use case does."""
    row = await editing.member(op.territory, decode_id(op.user_id, "User", field="userId"))
    await territories.remove_member(editing.work, row.id)


@strawberry.input(description="Create an assignment rule.")
class CreateRuleOperation:
    """Like assignmentRuleCreate."""

    developer_name: str = strawberry.field(description="Unique in the model and immutable.")
    name: str = strawberry.field(description="The name for people.")
    criteria: list[RuleCriterionInput] = strawberry.field(description="At least one condition.")
    filter_logic: str | None = strawberry.field(
        default=None, description="Such as (1 AND 2) OR NOT 3; null means all of them."
    )
    is_active: bool = strawberry.field(default=True, description="Whether it is in use.")


async def create_rule(editing: Editing, op: CreateRuleOperation) -> None:
    """Do what the input says; raises as the use case does."""
    await rules.create_rule(
        editing.work,
        editing.model.id,
        op.developer_name,
        op.name,
        criteria_of(op.criteria),
        op.filter_logic,
        is_active=op.is_active,
    )


@strawberry.input(description="Change an assignment rule; what is left out stays.")
class UpdateRuleOperation:
    """Like assignmentRuleUpdate."""

    developer_name: str = strawberry.field(description=NAME_MEANING)
    expected_version: BigInt | None = strawberry.field(default=None, description=VERSION_OR_OWN)
    name: str | None = strawberry.field(default=strawberry.UNSET, description="The name for people.")
    criteria: list[RuleCriterionInput] | None = strawberry.field(default=None, description="All its conditions anew.")
    filter_logic: str | None = strawberry.field(default=strawberry.UNSET, description="Null means all of them.")
    is_active: bool | None = strawberry.field(default=strawberry.UNSET, description="Whether it is in use.")


async def update_rule(editing: Editing, op: UpdateRuleOperation) -> None:
    """Do what the input says; raises as the use case does."""
    row = await editing.rule(op.developer_name)
    wanted = given(op, "name", "filter_logic", "is_active")
    criteria = None if op.criteria is None else criteria_of(op.criteria)
    await rules.update_rule(editing.work, row.id, editing.expected(row, op.expected_version), wanted, criteria)


@strawberry.input(description="Delete an assignment rule with its links.")
class DeleteRuleOperation:
    """Like assignmentRuleDelete."""

    developer_name: str = strawberry.field(description=NAME_MEANING)
    expected_version: BigInt | None = strawberry.field(default=None, description=VERSION_OR_OWN)


async def delete_rule(editing: Editing, op: DeleteRuleOperation) -> None:
    """Do what the input says; raises as the use case does."""
    row = await editing.rule(op.developer_name)
    await rules.delete_rule(editing.work, row.id, editing.unchanged(EntityType.RULE, row, op.expected_version))


@strawberry.input(description="Let a rule assign to a territory.")
class LinkRuleOperation:
    """Like assignmentRuleLink."""

    rule: str = strawberry.field(description="The rule's developer name.")
    territory: str = strawberry.field(description="The territory's developer name.")
    applies_to_descendants: bool = strawberry.field(default=False, description="Whether it is passed down.")


async def link_rule(editing: Editing, op: LinkRuleOperation) -> None:
    """Do what the input says; raises as the use case does."""
    rule, node = await editing.rule(op.rule, "rule"), await editing.territory(op.territory, "territory")
    await rules.link_rule(editing.work, rule.id, node.id, applies_to_descendants=op.applies_to_descendants)


@strawberry.input(description="Stop a rule from assigning to a territory.")
class UnlinkRuleOperation:
    """Like assignmentRuleUnlink."""

    rule: str = strawberry.field(description="The rule's developer name.")
    territory: str = strawberry.field(description="The territory's developer name.")


async def unlink_rule(editing: Editing, op: UnlinkRuleOperation) -> None:
    """Do what the input says; raises as the use case does."""
    rule, node = await editing.rule(op.rule, "rule"), await editing.territory(op.territory, "territory")
    await rules.unlink_rule(editing.work, rule.id, node.id)
