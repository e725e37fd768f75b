"""Queries and mutations of the CRM."""

from collections.abc import Sequence
from typing import Annotated

import strawberry
from strawberry.types import Info

from etm_graph.core.access import Act, Kind
from etm_graph.core.changes import EntityType
from etm_graph.core.rollup import ForecastCategory
from etm_graph.features.crm import queries, service
from etm_graph.features.crm.schema import inputs
from etm_graph.features.crm.schema.organisation import Organisation, load_organisation
from etm_graph.features.crm.schema.payloads import (
    AccountPayload,
    CrmDeletePayload,
    CustomFieldPayload,
    OpportunityPayload,
    UserPayload,
    account_payload,
    custom_field_payload,
    delete_and_answer,
    opportunity_payload,
    user_payload,
)
from etm_graph.features.crm.schema.types import (
    Account,
    CustomField,
    Opportunity,
    User,
    load_accounts,
    load_opportunities,
    load_users,
)
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs, open_to_callers
from etm_graph.graphql.ids import decode_id, decode_optional_id
from etm_graph.graphql.inputs import given
from etm_graph.graphql.mutations import mutate
from etm_graph.graphql.pages import After, Before, Connection, First, Last, connect, make_page

ContextInfo = Info[Context, None]


ORDERS = {inputs.AccountOrder.NAME: queries.BY_NAME, inputs.AccountOrder.REVENUE: queries.BY_REVENUE}


async def _count_accounts(filters: Sequence[queries.AccountFilter], context: Context) -> list[int]:
    session = await context.session()
    return [await queries.count_accounts(session, context.viewer, wanted) for wanted in filters]


async def _count_users(parents: Sequence[None], context: Context) -> list[int]:
    return [await queries.count_users(await context.session())] * len(parents)


def _filter(source: inputs.AccountFilterInput | None) -> queries.AccountFilter:
    if source is None:
        return queries.AccountFilter()
    return queries.AccountFilter(
        name_contains=source.name_contains,
        country=source.country,
        state=source.state,
        postal_code_starts_with=source.postal_code_starts_with,
        industry_starts_with=source.industry_starts_with,
        owner_id=decode_optional_id(source.owner_id, "User", field="ownerId"),
        type=source.type,
        revenue_from=source.annual_revenue_from,
        revenue_until=source.annual_revenue_until,
    )


@strawberry.type
class CrmQuery:
    """Root fields that read the CRM."""

    @strawberry.field(description="Who is asking.")
    @open_to_callers("everybody may know who they are here")
    async def viewer(self, info: ContextInfo) -> User:
        """The caller."""
        found = (await load_users([info.context.principal.user_id], info.context))[0]
        assert found is not None  # noqa: S101 - callers are users
        return found

    @strawberry.field(description="The organisation's settings.")
    @needs(Act.READ, Kind.ORGANISATION)
    async def organisation(self, info: ContextInfo) -> Organisation:
        """The organisation."""
        return await load_organisation(info.context)

    @strawberry.field(description="All users, by user name.")
    @needs(Act.READ, Kind.ORGANISATION)
    async def users(
        self, info: ContextInfo, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[User]:
        """A page of users."""
        info.context.viewer.require(Act.READ, Kind.ORGANISATION)
        page = make_page(info.context, first, after, last, before)
        rows = await queries.list_users(await info.context.session(), page)
        return connect(rows, queries.USERS, page, User.of, (_count_users, None, {}))

    @strawberry.field(description="The custom fields of every object type.")
    @needs(Act.READ, Kind.ORGANISATION)
    async def custom_fields(self, info: ContextInfo) -> list[CustomField]:
        """All custom fields."""
        info.context.viewer.require(Act.READ, Kind.ORGANISATION)
        return [CustomField.of(row) for row in await queries.list_custom_fields(await info.context.session())]

    @strawberry.field(description="The accounts that you may read.")
    @needs(Act.READ, Kind.CRM)
    async def accounts(
        self,
        info: ContextInfo,
        filter: Annotated[inputs.AccountFilterInput | None, strawberry.argument(description="Which accounts.")] = None,
        order_by: Annotated[
            inputs.AccountOrder,
            strawberry.argument(description="In which order; REVENUE is for those who may see money."),
        ] = inputs.AccountOrder.NAME,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Account]:
        """A page of accounts."""
        context, wanted = info.context, _filter(filter)
        page = make_page(context, first, after, last, before)
        order = ORDERS[inputs.AccountOrder(order_by)]
        rows = await queries.list_accounts(await context.session(), context.viewer, wanted, page, order)
        return connect(rows, order, page, Account.of, (_count_accounts, wanted, {}))

    @strawberry.field(description="One account; null when there is none that you may read.")
    @needs(Act.READ, Kind.CRM)
    async def account(
        self,
        info: ContextInfo,
        id: Annotated[strawberry.ID, strawberry.argument(description="Its global id.")],
    ) -> Account | None:
        """One account."""
        return (await load_accounts([decode_id(id, "Account")], info.context))[0]

    @strawberry.field(description="One opportunity; null when there is none that you may read.")
    @needs(Act.READ, Kind.CRM)
    async def opportunity(
        self,
        info: ContextInfo,
        id: Annotated[strawberry.ID, strawberry.argument(description="Its global id.")],
    ) -> Opportunity | None:
        """One opportunity."""
        return (await load_opportunities([decode_id(id, "Opportunity")], info.context))[0]


def _references(source: object) -> dict[str, object]:
    """References of an input to users and to a parent account, decoded."""
    decoded: dict[str, object] = {}
    for name, field in (("owner_id", "ownerId"), ("manager_id", "managerId")):
        value = getattr(source, name, strawberry.UNSET)
        if value is not strawberry.UNSET:
            decoded[name] = decode_optional_id(value, "User", field=field)
    parent = getattr(source, "parent_id", strawberry.UNSET)
    if parent is not strawberry.UNSET:
        decoded["parent_id"] = decode_optional_id(parent, "Account", field="parentId")
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
_OPPORTUNITY = ["name", "stage", "amount", "currency", "quantity", "close_date", "probability", "product_family"]


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
    @needs(Act.CREATE, Kind.ORGANISATION)
    async def user_create(self, info: ContextInfo, input: inputs.UserCreateInput) -> UserPayload:
        """Create a user."""
        values = {**given(input, "name", "email", "time_zone", "locale"), **_references(input)}
        outcome = await mutate(info.context, input, lambda work: service.create_user(work, input.user_name, values))
        return await user_payload(info.context, outcome)

    @strawberry.mutation(description="Change a user, also who is above in the management hierarchy.")
    @needs(Act.UPDATE, Kind.ORGANISATION)
    async def user_update(self, info: ContextInfo, input: inputs.UserUpdateInput) -> UserPayload:
        """Change a user."""
        fields = given(input, "name", "email", "time_zone", "locale", "active", "suspended")
        values = {**fields, **_references(input)}
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.update_user(work, decode_id(input.id, "User"), input.expected_version, values),
        )
        return await user_payload(info.context, outcome, input.id)

    @strawberry.mutation(description="Delete a user whom nothing refers to.")
    @needs(Act.DELETE, Kind.ORGANISATION)
    async def user_delete(self, info: ContextInfo, input: inputs.CrmDeleteInput) -> CrmDeletePayload:
        """Delete a user."""
        return await delete_and_answer(
            info.context,
            input,
            "User",
            lambda work, number: service.delete_user(work, number, input.expected_version),
        )

    @strawberry.mutation(description="Add a field to accounts, for rules and filters.")
    @needs(Act.CREATE, Kind.ORGANISATION)
    async def custom_field_create(self, info: ContextInfo, input: inputs.CustomFieldCreateInput) -> CustomFieldPayload:
        """Create a custom field."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.create_custom_field(
                work, input.object_type, input.developer_name, input.label, input.data_type, input.picklist_values
            ),
        )
        return await custom_field_payload(info.context, outcome)

    @strawberry.mutation(description="Change a custom field's label or picklist values.")
    @needs(Act.UPDATE, Kind.ORGANISATION)
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
        return await custom_field_payload(info.context, outcome, input.id)

    @strawberry.mutation(description="Delete a custom field in which no record holds a value.")
    @needs(Act.DELETE, Kind.ORGANISATION)
    async def custom_field_delete(self, info: ContextInfo, input: inputs.CrmDeleteInput) -> CrmDeletePayload:
        """Delete a custom field."""
        return await delete_and_answer(
            info.context,
            input,
            "CustomField",
            lambda work, number: service.delete_custom_field(work, number, input.expected_version),
        )

    @strawberry.mutation(description="Create an account; the active model assigns it in the same transaction.")
    @needs(Act.CREATE, Kind.CRM)
    async def account_create(self, info: ContextInfo, input: inputs.AccountCreateInput) -> AccountPayload:
        """Create an account."""
        values = {**given(input, "external_id", *_ACCOUNT), **_references(input)}
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.create_account(work, values, _custom(input.custom_values)),
        )
        return await account_payload(info.context, outcome)

    @strawberry.mutation(description="Change an account; the active model follows in the same transaction.")
    @needs(Act.UPDATE, Kind.CRM)
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
        return await account_payload(info.context, outcome, input.id)

    @strawberry.mutation(description="Delete an account that has no opportunities.")
    @needs(Act.DELETE, Kind.CRM)
    async def account_delete(self, info: ContextInfo, input: inputs.CrmDeleteInput) -> CrmDeletePayload:
        """Delete an account."""
        return await delete_and_answer(
            info.context,
            input,
            "Account",
            lambda work, number: service.delete_record(work, EntityType.ACCOUNT, number, input.expected_version),
        )

    @strawberry.mutation(description="Create an opportunity; its territory follows in the same transaction.")
    @needs(Act.CREATE, Kind.CRM)
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
        return await opportunity_payload(info.context, outcome)

    @strawberry.mutation(description="Change an opportunity; its territory follows in the same transaction.")
    @needs(Act.UPDATE, Kind.CRM)
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
        return await opportunity_payload(info.context, outcome, input.id)

    @strawberry.mutation(description="Delete an opportunity.")
    @needs(Act.DELETE, Kind.CRM)
    async def opportunity_delete(self, info: ContextInfo, input: inputs.CrmDeleteInput) -> CrmDeletePayload:
        """Delete an opportunity."""
        return await delete_and_answer(
            info.context,
            input,
            "Opportunity",
            lambda work, number: service.delete_record(work, EntityType.OPPORTUNITY, number, input.expected_version),
        )
