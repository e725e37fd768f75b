"""A change set as an input: decisions about accounts, priorities, and the choice among all operations."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import strawberry

from etm_graph.features.alignment import service as alignment
from etm_graph.features.alignment.service import Engine
from etm_graph.features.editing.schema import operations as ops
from etm_graph.features.editing.service import Editing, Operation
from etm_graph.features.models import service as models
from etm_graph.graphql.ids import decode_id
from etm_graph.graphql.scalars import BigInt


@strawberry.input(description="An account and a territory.")
class AccountDecisionOperation:
    """A pair."""

    territory: str = strawberry.field(description="The territory's developer name.")
    account_id: strawberry.ID = strawberry.field(description="The account.")
    note: str | None = strawberry.field(default=None, description="Why, for an exclusion.")


@strawberry.input(description="What a territory type's priority is in the draft.")
class SetPriorityOperation:
    """Like territoryModelTypePrioritySet."""

    type_id: strawberry.ID = strawberry.field(description="The territory type.")
    priority: int = strawberry.field(description="The priority in this draft.")
    expected_version: BigInt = strawberry.field(description="The version of the priority that you read.")


async def _pair(editing: Editing, op: AccountDecisionOperation) -> tuple[int, int]:
    row = await editing.territory(op.territory, "territory")
    return row.id, decode_id(op.account_id, "Account", field="accountId")


async def _assign(engine: Engine, editing: Editing, op: AccountDecisionOperation) -> None:
    await alignment.assign_account(editing.work, engine, *await _pair(editing, op))


async def _unassign(engine: Engine, editing: Editing, op: AccountDecisionOperation) -> None:
    await alignment.unassign_account(editing.work, engine, *await _pair(editing, op))


async def _exclude(engine: Engine, editing: Editing, op: AccountDecisionOperation) -> None:
    await alignment.exclude_account(editing.work, engine, *await _pair(editing, op), op.note)


async def _include(engine: Engine, editing: Editing, op: AccountDecisionOperation) -> None:
    await alignment.include_account(editing.work, engine, *await _pair(editing, op))


async def _set_priority(editing: Editing, op: SetPriorityOperation) -> None:
    type_id = decode_id(op.type_id, "TerritoryType", field="typeId")
    await models.set_type_priority(editing.work, editing.model.id, type_id, op.priority, op.expected_version)


@strawberry.input(one_of=True, description="One operation of a change set: exactly one of these.")
class EditOperation:
    """An operation."""

    create_territory: ops.CreateTerritoryOperation | None = strawberry.field(
        default=strawberry.UNSET, description="Create a territory."
    )
    update_territory: ops.UpdateTerritoryOperation | None = strawberry.field(
        default=strawberry.UNSET, description="Change a territory."
    )
    move_territory: ops.MoveTerritoryOperation | None = strawberry.field(
        default=strawberry.UNSET, description="Move a territory with its subtree."
    )
    delete_territory: ops.DeleteTerritoryOperation | None = strawberry.field(
        default=strawberry.UNSET, description="Delete a territory."
    )
    add_member: ops.AddMemberOperation | None = strawberry.field(
        default=strawberry.UNSET, description="Make a user a member."
    )
    update_member: ops.UpdateMemberOperation | None = strawberry.field(
        default=strawberry.UNSET, description="Change a membership."
    )
    remove_member: ops.RemoveMemberOperation | None = strawberry.field(
        default=strawberry.UNSET, description="End a membership."
    )
    create_rule: ops.CreateRuleOperation | None = strawberry.field(
        default=strawberry.UNSET, description="Create a rule."
    )
    update_rule: ops.UpdateRuleOperation | None = strawberry.field(
        default=strawberry.UNSET, description="Change a rule."
    )
    delete_rule: ops.DeleteRuleOperation | None = strawberry.field(
        default=strawberry.UNSET, description="Delete a rule."
    )
    link_rule: ops.LinkRuleOperation | None = strawberry.field(
        default=strawberry.UNSET, description="Let a rule assign to a territory; linking again changes how."
    )
    unlink_rule: ops.UnlinkRuleOperation | None = strawberry.field(
        default=strawberry.UNSET, description="Stop a rule from assigning to a territory."
    )
    assign_account: AccountDecisionOperation | None = strawberry.field(
        default=strawberry.UNSET, description="Assign an account by hand."
    )
    unassign_account: AccountDecisionOperation | None = strawberry.field(
        default=strawberry.UNSET, description="Take an assignment by hand back."
    )
    exclude_account: AccountDecisionOperation | None = strawberry.field(
        default=strawberry.UNSET, description="Keep rules from assigning an account to a territory."
    )
    include_account: AccountDecisionOperation | None = strawberry.field(
        default=strawberry.UNSET, description="Take an exclusion back."
    )
    set_type_priority: SetPriorityOperation | None = strawberry.field(
        default=strawberry.UNSET, description="Set a territory type's priority in the draft."
    )


Apply = Callable[[Editing, Any], Awaitable[object]]

_APPLY: dict[str, Apply] = {
    "create_territory": ops.create_territory,
    "update_territory": ops.update_territory,
    "move_territory": ops.move_territory,
    "delete_territory": ops.delete_territory,
    "add_member": ops.add_member,
    "update_member": ops.update_member,
    "remove_member": ops.remove_member,
    "create_rule": ops.create_rule,
    "update_rule": ops.update_rule,
    "delete_rule": ops.delete_rule,
    "link_rule": ops.link_rule,
    "unlink_rule": ops.unlink_rule,
    "set_type_priority": _set_priority,
}


def operations_of(given: Sequence[EditOperation], engine: Engine) -> list[Operation]:
    """What a change set is to do, in order, each with its name in the input."""
    decide: dict[str, Apply] = {
        "assign_account": partial(_assign, engine),
        "unassign_account": partial(_unassign, engine),
        "exclude_account": partial(_exclude, engine),
        "include_account": partial(_include, engine),
    }
    apply = {**_APPLY, **decide}
    found: list[Operation] = []
    for operation in given:
        name, value = next((name, getattr(operation, name)) for name in apply if getattr(operation, name))
        first, *rest = name.split("_")
        found.append((first + "".join(word.title() for word in rest), _bound(apply[name], value)))
    return found


def _bound(apply: Apply, value: object) -> Callable[[Editing], Awaitable[object]]:
    return lambda editing: apply(editing, value)
