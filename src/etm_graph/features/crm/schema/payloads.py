"""What mutations of the CRM answer."""

from collections.abc import Awaitable, Callable
from typing import Optional

import strawberry

from etm_graph.core.changes import CRM_STREAM
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm.schema.inputs import CrmDeleteInput
from etm_graph.features.crm.schema.types import (
    Account,
    CustomField,
    Opportunity,
    User,
    load_accounts,
    load_custom_fields,
    load_opportunities,
    load_users,
)
from etm_graph.graphql.context import Context
from etm_graph.graphql.ids import decode_id, encode_id
from etm_graph.graphql.mutations import Outcome, UserError, mutate
from etm_graph.graphql.scalars import BigInt

SEQUENCE = "Number of the change in the crm stream; null when nothing changed."
ERRORS = "Why it was refused; empty when it was not."


def crm_sequence(outcome: Outcome) -> BigInt | None:
    """The number of the last change that a mutation made in the crm stream."""
    return next((BigInt(seq) for stream, seq in reversed(outcome.changes) if stream == CRM_STREAM), None)


@strawberry.type(description="What a mutation of a user did.")
class UserPayload:
    """Entity, or errors."""

    user: Optional[User] = strawberry.field(description="The user as it is now, also after a CONFLICT.")
    crm_sequence: BigInt | None = strawberry.field(description=SEQUENCE)
    user_errors: list[UserError] = strawberry.field(description=ERRORS)


@strawberry.type(description="What a mutation of a custom field did.")
class CustomFieldPayload:
    """Entity, or errors."""

    custom_field: Optional[CustomField] = strawberry.field(description="The field as it is now, also after a CONFLICT.")
    user_errors: list[UserError] = strawberry.field(description=ERRORS)


@strawberry.type(description="What a mutation of an account did.")
class AccountPayload:
    """Entity, or errors."""

    account: Optional[Account] = strawberry.field(description="The account as it is now, also after a CONFLICT.")
    crm_sequence: BigInt | None = strawberry.field(description=SEQUENCE)
    user_errors: list[UserError] = strawberry.field(description=ERRORS)


@strawberry.type(description="What a mutation of an opportunity did.")
class OpportunityPayload:
    """Entity, or errors."""

    opportunity: Optional[Opportunity] = strawberry.field(
        description="The opportunity as it is now, also after a CONFLICT."
    )
    crm_sequence: BigInt | None = strawberry.field(description=SEQUENCE)
    user_errors: list[UserError] = strawberry.field(description=ERRORS)


@strawberry.type(description="What a deletion in the CRM did.")
class CrmDeletePayload:
    """The id that is gone, or errors."""

    deleted_id: strawberry.ID | None = strawberry.field(description="The id that is gone; null when it was refused.")
    crm_sequence: BigInt | None = strawberry.field(description=SEQUENCE)
    user_errors: list[UserError] = strawberry.field(description=ERRORS)


def _key(outcome: Outcome, type_name: str, given: str | None) -> int | None:
    """Whose current state a payload shows: what the use case returned, or of a refused one what it was asked about."""
    if outcome.result is not None:
        return int(outcome.result)
    unknown = any(error.code.value == "NOT_FOUND" and error.field == ["id"] for error in outcome.errors)
    return None if given is None or unknown else decode_id(given, type_name)


async def user_payload(context: Context, outcome: Outcome, given: str | None = None) -> UserPayload:
    """The payload of a mutation of a user. given: the id in the input, to show the user also when it was refused."""
    found = (await load_users([_key(outcome, "User", given)], context))[0]
    return UserPayload(user=found, crm_sequence=crm_sequence(outcome), user_errors=outcome.errors)


async def custom_field_payload(context: Context, outcome: Outcome, given: str | None = None) -> CustomFieldPayload:
    """The payload of a mutation of a custom field."""
    key = _key(outcome, "CustomField", given)
    found = None if key is None else (await load_custom_fields([key], context))[0]
    return CustomFieldPayload(custom_field=found, user_errors=outcome.errors)


async def account_payload(context: Context, outcome: Outcome, given: str | None = None) -> AccountPayload:
    """The payload of a mutation of an account."""
    found = (await load_accounts([_key(outcome, "Account", given)], context))[0]
    return AccountPayload(account=found, crm_sequence=crm_sequence(outcome), user_errors=outcome.errors)


async def opportunity_payload(context: Context, outcome: Outcome, given: str | None = None) -> OpportunityPayload:
    """The payload of a mutation of an opportunity."""
    found = (await load_opportunities([_key(outcome, "Opportunity", given)], context))[0]
    return OpportunityPayload(opportunity=found, crm_sequence=crm_sequence(outcome), user_errors=outcome.errors)


async def delete_and_answer(
    context: Context,
    source: CrmDeleteInput,
    type_name: str,
    use_case: Callable[[UnitOfWork, int], Awaitable[int]],
) -> CrmDeletePayload:
    """Run a deletion and make its payload."""
    outcome = await mutate(context, source, lambda work: use_case(work, decode_id(source.id, type_name)))
    gone = None if outcome.result is None else encode_id(type_name, outcome.result)
    return CrmDeletePayload(deleted_id=gone, crm_sequence=crm_sequence(outcome), user_errors=outcome.errors)
