"""Queries and mutations of the CRM."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

import strawberry
from strawberry.types import Info

from etm_graph.core.changes import EntityType
from etm_graph.core.rollup import ForecastCategory
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm import queries, service
from etm_graph.features.crm.schema import inputs
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
from etm_graph.graphql.ids import decode_id, decode_optional_id, encode_id
from etm_graph.graphql.inputs import given
from etm_graph.graphql.mutations import Outcome, UserError, mutate
from etm_graph.graphql.pages import After, Before, Connection, First, Last, connect, make_page

ContextInfo = Info[Context, None]


@strawberry.type(description="The one organisation of this installation.")
class Organisation:
    """A row of organisation."""

    name: str = strawberry.field(description="Its name.")
    corporate_currency: str = strawberry.field(description="The currency that amounts are added up in, ISO 4217.")
    fiscal_year_start_month: int = strawberry.field(description="1 for January to 12 for December.")
    time_zone: str = strawberry.field(description="IANA time zone in which its days begin and end.")


async def _count_accounts(filters: Sequence[queries.AccountFilter], context: Context) -> list[int]:
    session = await context.session()
    return [await queries.count_accounts(session, context.viewer, wanted) for wanted in filters]


async def _count_users(parents: Sequence[None], context: Context) -> list[int]:
    return [await queries.count_users(await context.session())] * len(parents)


def _filter(source: inputs.AccountFilterInput | None) -> queries.AccountFilter:
    if source is None:
        return queries.AccountFilter()
    return queries.AccountFilter(
        source.name_contains,
        source.country,
        source.state,
        source.postal_code_starts_with,
        source.industry_starts_with,
        decode_optional_id(source.owner_id, "User", field="ownerId"),
    )


@strawberry.type
class CrmQuery:
    """Root fields that read the CRM."""

    @strawberry.field(description="Who is asking.")
    async def viewer(self, info: ContextInfo) -> User:
        """The caller."""
        found = (await load_users([info.context.principal.user_id], info.context))[0]
        assert found is not None  # noqa: S101 - callers are users
        return found

    @strawberry.field(description="The organisation's settings.")
    async def organisation(self, info: ContextInfo) -> Organisation:
        """The organisation."""
        row = await queries.organisation_of(await info.context.session())
        return Organisation(
            name=row.name,
            corporate_currency=row.corporate_currency,
            fiscal_year_start_month=row.fiscal_year_start_month,
            time_zone=row.time_zone,
        )

    @strawberry.field(description="All users, by user name.")
    async def users(
        self, info: ContextInfo, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[User]:
        """A page of users."""
        page = make_page(info.context, first, after, last, before)
        rows = await queries.list_users(await info.context.session(), page)
        return connect(rows, queries.USERS, page, User.of, (_count_users, None, {}))

    @strawberry.field(description="The custom fields of every object type.")
    async def custom_fields(self, info: ContextInfo) -> list[CustomField]:
        """All custom fields."""
        return [CustomField.of(row) for row in await queries.list_custom_fields(await info.context.session())]

    @strawberry.field(description="The accounts that you may read, by name.")
    async def accounts(
        self,
        info: ContextInfo,
        filter: Annotated[inputs.AccountFilterInput | None, strawberry.argument(description="Which accounts.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Account]:
        """A page of accounts."""
        context, wanted = info.context, _filter(filter)
        page = make_page(context, first, after, last, before)
        rows = await queries.list_accounts(await context.session(), context.viewer, wanted, page)
        return connect(rows, queries.BY_NAME, page, Account.of, (_count_accounts, wanted, {}))

    @strawberry.field(description="One account; null when there is none that you may read.")
    async def account(
        self,
        info: ContextInfo,
        id: Annotated[strawberry.ID, strawberry.argument(description="Its global id.")],
    ) -> Account | None:
        """One account."""
        return (await load_accounts([decode_id(id, "Account")], info.context))[0]

    @strawberry.field(description="One opportunity; null when there is none that you may read.")
    async def opportunity(
        self,
        info: ContextInfo,
        id: Annotated[strawberry.ID, strawberry.argument(description="Its global id.")],
    ) -> Opportunity | None:
        """One opportunity."""
        return (await load_opportunities([decode_id(id, "Opportunity")], info.context))[0]


@strawberry.type(description="What a mutation of a user did.")
class UserPayload:
    """Entity, or errors."""

    user: User | None = strawberry.field(description="The user as it is now.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.type(description="What a mutation of a custom field did.")
class CustomFieldPayload:
    """Entity, or errors."""

    custom_field: CustomField | None = strawberry.field(description="The field as it is now.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.type(description="What a mutation of an account did.")
class AccountPayload:
    """Entity, or errors."""

    account: Account | None = strawberry.field(description="The account as it is now.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.type(description="What a mutation of an opportunity did.")
class OpportunityPayload:
    """Entity, or errors."""

    opportunity: Opportunity | None = strawberry.field(description="The opportunity as it is now.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.type(description="What a deletion in the CRM did.")
class CrmDeletePayload:
    """The id that is gone, or errors."""

    deleted_id: strawberry.ID | None = strawberry.field(description="The id that is gone; null when it was refused.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


async def _one(load: Callable[..., Awaitable[Sequence[Any]]], outcome: Outcome, context: Context) -> Any:  # noqa: ANN401 - the loader's type
    return None if outcome.result is None else (await load([outcome.result], context))[0]


def _references(source: object) -> dict[str, object]:
    """User references of an input, decoded."""
    decoded: dict[str, object] = {}
    for name, field in (("owner_id", "ownerId"), ("manager_id", "managerId")):
        value = getattr(source, name, strawberry.UNSET)
        if value is not strawberry.UNSET:
            decoded[name] = decode_optional_id(value, "User", field=field)
    return decoded


def _custom(values: Sequence[inputs.CustomValueInput]) -> dict[str, list[str]]:
    return {value.field: value.values for value in values}


_ACCOUNT = [
    "name",
    "currency",
    "billing_street",
    "billing_city",
    "billing_postal_code",
    "billing_state",
    "billing_country",
    "industry",
    "annual_revenue",
    "employees",
    "type",
    "latitude",
    "longitude",
]
_OPPORTUNITY = ["name", "stage", "amount", "currency", "close_date", "probability", "product_family"]


def _opportunity_values(source: object, *more: str) -> dict[str, object]:
    values = {**given(source, *_OPPORTUNITY, *more), **_references(source)}
    category = given(source, "forecast_category")
    if category.get("forecast_category") is not None:
        values["forecast_category"] = ForecastCategory(str(category["forecast_category"])).value
    return values


@strawberry.type
class CrmMutation:
    """Root fields that change the CRM."""

    @strawberry.mutation(description="Create a user.")
    async def user_create(self, info: ContextInfo, input: inputs.UserCreateInput) -> UserPayload:
        """Create a user."""
        values = {**given(input, "name", "email", "time_zone", "locale"), **_references(input)}
        outcome = await mutate(info.context, input, lambda work: service.create_user(work, input.user_name, values))
        return UserPayload(user=await _one(load_users, outcome, info.context), user_errors=outcome.errors)

    @strawberry.mutation(description="Change a user, also who is above in the management hierarchy.")
    async def user_update(self, info: ContextInfo, input: inputs.UserUpdateInput) -> UserPayload:
        """Change a user."""
        fields = given(input, "name", "email", "time_zone", "locale", "active", "suspended")
        values = {**fields, **_references(input)}
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.update_user(work, decode_id(input.id, "User"), input.expected_version, values),
        )
        return UserPayload(user=await _one(load_users, outcome, info.context), user_errors=outcome.errors)

    @strawberry.mutation(description="Delete a user whom nothing refers to.")
    async def user_delete(self, info: ContextInfo, input: inputs.CrmDeleteInput) -> CrmDeletePayload:
        """Delete a user."""
        return await _delete(info.context, input, "User", service.delete_user)

    @strawberry.mutation(description="Add a field to accounts, for rules and filters.")
    async def custom_field_create(self, info: ContextInfo, input: inputs.CustomFieldCreateInput) -> CustomFieldPayload:
        """Create a custom field."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.create_custom_field(
                work, input.object_type, input.developer_name, input.label, input.data_type, input.picklist_values
            ),
        )
        found = await _one(load_custom_fields, outcome, info.context)
        return CustomFieldPayload(custom_field=found, user_errors=outcome.errors)

    @strawberry.mutation(description="Change a custom field's label or picklist values.")
    async def custom_field_update(self, info: ContextInfo, input: inputs.CustomFieldUpdateInput) -> CustomFieldPayload:
        """Change a custom field."""
        values = given(input, "label", "picklist_values")
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.update_custom_field(
                work, decode_id(input.id, "CustomField"), input.expected_version, values
            ),
        )
        found = await _one(load_custom_fields, outcome, info.context)
        return CustomFieldPayload(custom_field=found, user_errors=outcome.errors)

    @strawberry.mutation(description="Delete a custom field in which no record holds a value.")
    async def custom_field_delete(self, info: ContextInfo, input: inputs.CrmDeleteInput) -> CrmDeletePayload:
        """Delete a custom field."""
        return await _delete(info.context, input, "CustomField", service.delete_custom_field)

    @strawberry.mutation(description="Create an account; the active model assigns it in the same transaction.")
    async def account_create(self, info: ContextInfo, input: inputs.AccountCreateInput) -> AccountPayload:
        """Create an account."""
        values = {**given(input, "external_id", *_ACCOUNT), **_references(input)}
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.create_account(work, values, _custom(input.custom_values)),
        )
        return AccountPayload(account=await _one(load_accounts, outcome, info.context), user_errors=outcome.errors)

    @strawberry.mutation(description="Change an account; the active model follows in the same transaction.")
    async def account_update(self, info: ContextInfo, input: inputs.AccountUpdateInput) -> AccountPayload:
        """Change an account."""
        values = {**given(input, "excluded_from_realignment", *_ACCOUNT), **_references(input)}
        custom = _custom(input.custom_values) if input.custom_values else None
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.update_account(
                work, decode_id(input.id, "Account"), input.expected_version, values, custom
            ),
        )
        return AccountPayload(account=await _one(load_accounts, outcome, info.context), user_errors=outcome.errors)

    @strawberry.mutation(description="Delete an account that has no opportunities.")
    async def account_delete(self, info: ContextInfo, input: inputs.CrmDeleteInput) -> CrmDeletePayload:
        """Delete an account."""
        return await _delete(
            info.context,
            input,
            "Account",
            lambda work, number: service.delete_record(work, EntityType.ACCOUNT, number),
        )

    @strawberry.mutation(description="Create an opportunity; its territory follows in the same transaction.")
    async def opportunity_create(self, info: ContextInfo, input: inputs.OpportunityCreateInput) -> OpportunityPayload:
        """Create an opportunity."""
        values = _opportunity_values(input, "external_id")
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.create_opportunity(
                work, decode_id(input.account_id, "Account", field="accountId"), values
            ),
        )
        found = await _one(load_opportunities, outcome, info.context)
        return OpportunityPayload(opportunity=found, user_errors=outcome.errors)

    @strawberry.mutation(description="Change an opportunity; its territory follows in the same transaction.")
    async def opportunity_update(self, info: ContextInfo, input: inputs.OpportunityUpdateInput) -> OpportunityPayload:
        """Change an opportunity."""
        values = _opportunity_values(input, "excluded_from_territory_assignment")
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.update_opportunity(
                work, decode_id(input.id, "Opportunity"), input.expected_version, values
            ),
        )
        found = await _one(load_opportunities, outcome, info.context)
        return OpportunityPayload(opportunity=found, user_errors=outcome.errors)

    @strawberry.mutation(description="Delete an opportunity.")
    async def opportunity_delete(self, info: ContextInfo, input: inputs.CrmDeleteInput) -> CrmDeletePayload:
        """Delete an opportunity."""
        return await _delete(
            info.context,
            input,
            "Opportunity",
            lambda work, number: service.delete_record(work, EntityType.OPPORTUNITY, number),
        )


async def _delete(
    context: Context,
    source: inputs.CrmDeleteInput,
    type_name: str,
    use_case: Callable[[UnitOfWork, int], Awaitable[int]],
) -> CrmDeletePayload:
    outcome = await mutate(context, source, lambda work: use_case(work, decode_id(source.id, type_name)))
    gone = None if outcome.result is None else encode_id(type_name, outcome.result)
    return CrmDeletePayload(deleted_id=gone, user_errors=outcome.errors)
