"""GraphQL types of the CRM."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Optional, Self

import strawberry
from sqlalchemy import Row

from etm_graph.core.access import Act, Kind
from etm_graph.core.calendar import PeriodKind
from etm_graph.core.criteria import DataType
from etm_graph.core.rollup import ForecastCategory
from etm_graph.features.crm import queries
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.enums import describe
from etm_graph.graphql.ids import Node, encode_id
from etm_graph.graphql.pages import After, Before, Connection, First, Last, connect, make_page
from etm_graph.graphql.scalars import BigInt


def _knows_settings(context: Context) -> bool:
    return context.viewer.may(Act.READ, Kind.ORGANISATION)


async def load_users(ids: Sequence[int | None], context: Context) -> "list[User | None]":
    """Users by id, None for unknown ones, for None, and for others than oneself for who may not read users."""
    wanted = {number for number in ids if number is not None}
    if not _knows_settings(context):
        wanted &= {context.principal.user_id}
    found = await queries.users_by_id(await context.session(), wanted) if wanted else {}
    made = {number: User.of(row) for number, row in found.items()}
    return [None if number is None else made.get(number) for number in ids]


async def _managers(users: "Sequence[User]", context: Context) -> "list[User | None]":
    return await load_users([user.manager_key for user in users], context)


async def _count_reports(keys: Sequence[int], context: Context) -> list[int]:
    known = set(keys) if _knows_settings(context) else set()
    found = await queries.report_counts(await context.session(), known)
    return [found.get(key, 0) for key in keys]


async def _reports(
    users: "Sequence[User]",
    context: Context,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> "list[Connection[User]]":
    page = make_page(context, first, after, last, before)
    keys = [user.key for user in users]
    known = keys if _knows_settings(context) else []
    found = await queries.reports_of(await context.session(), known, page)
    return [connect(found.get(key, ()), queries.USERS, page, User.of, (_count_reports, key, {})) for key in keys]


@strawberry.type(description="A person who signs in, owns records or is a member of territories.")
@needs(Act.READ, Kind.ORGANISATION)
class User(Node):
    """A row of app_user."""

    key: strawberry.Private[int]
    manager_key: strawberry.Private[int | None]
    user_name: str = strawberry.field(description="The unique name to sign in with.")
    name: str = strawberry.field(description="The name for people.")
    email: str = strawberry.field(description="Where mail reaches the person.")
    time_zone: str = strawberry.field(description="IANA time zone.")
    locale: str = strawberry.field(description="BCP 47 language tag.")
    active: bool = strawberry.field(description="Whether the person works here now.")
    suspended: bool = strawberry.field(description="Whether everything is denied to the person.")
    version: BigInt = strawberry.field(description="Goes up with every change; send it as `expectedVersion`.")
    manager: Optional["User"] = batched(
        _managers, description="Whom the person reports to in the management hierarchy."
    )
    direct_reports: Connection["User"] = batched(_reports, description="Who reports to the person, by user name.")

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The user of a row."""
        return cls(
            id=encode_id("User", row.id),
            key=row.id,
            manager_key=row.manager_id,
            user_name=row.user_name,
            name=row.name,
            email=row.email,
            time_zone=row.time_zone,
            locale=row.locale,
            active=row.active,
            suspended=row.suspended,
            version=BigInt(row.version),
        )


describe(
    DataType,
    "What a field holds.",
    {
        "TEXT": "Text.",
        "NUMBER": "A number.",
        "CURRENCY": "An amount of corporate currency.",
        "DATE": "A date.",
        "BOOLEAN": "True or false.",
        "PICKLIST": "One of a list of values.",
        "MULTI_PICKLIST": "Some of a list of values.",
        "POSTAL_CODE": "A postal code.",
        "LOCATION": "A point on the earth.",
    },
    name="FieldType",
)
describe(
    PeriodKind,
    "How long a fiscal period is.",
    {"MONTH": "One month.", "QUARTER": "Three months.", "YEAR": "Twelve months."},
    name="FiscalPeriodKind",
)
describe(
    ForecastCategory,
    "How sure an opportunity is.",
    {
        "PIPELINE": "Open, not yet in any forecast.",
        "BEST_CASE": "Could be won.",
        "MOST_LIKELY": "Will most likely be won.",
        "COMMIT": "Promised.",
        "CLOSED": "Won.",
        "OMITTED": "Left out of forecasts.",
    },
)


@strawberry.type(description="A field that the organisation added to an object type.")
@needs(Act.READ, Kind.ORGANISATION)
class CustomField(Node):
    """A row of custom_field."""

    key: strawberry.Private[int]
    object_type: str = strawberry.field(description="ACCOUNT, OPPORTUNITY or TERRITORY.")
    developer_name: str = strawberry.field(description="Unique for its object type; rules name it custom.<this>.")
    label: str = strawberry.field(description="The name for people.")
    data_type: DataType = strawberry.field(description="What it holds.")
    picklist_values: list[str] = strawberry.field(description="The values to choose from, for picklists.")
    version: BigInt = strawberry.field(description="Goes up with every change; send it as `expectedVersion`.")

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The custom field of a row."""
        return cls(
            id=encode_id("CustomField", row.id),
            key=row.id,
            object_type=row.object_type,
            developer_name=row.developer_name,
            label=row.label,
            data_type=DataType(row.data_type),
            picklist_values=row.picklist_values,
            version=BigInt(row.version),
        )


async def load_custom_fields(ids: Sequence[int], context: Context) -> list[CustomField | None]:
    """Custom fields by id, None for unknown ones and for who may not read settings."""
    wanted = set(ids) if _knows_settings(context) else set()
    found = await queries.custom_fields_by_id(await context.session(), wanted)
    return [CustomField.of(found[number]) if number in found else None for number in ids]


@strawberry.type(description="What a record holds in a custom field.")
class CustomValue:
    """One custom value."""

    field: str = strawberry.field(description="The custom field's developer name.")
    values: list[str] = strawberry.field(description="Its value as text; several for multi-picklists.")


def _custom_values(custom: dict[str, Any]) -> list[CustomValue]:
    return [
        CustomValue(field=name, values=[str(v) for v in value] if isinstance(value, list) else [_plain(value)])
        for name, value in sorted(custom.items())
        if value is not None
    ]


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _sees_money(context: Context) -> bool:
    return context.viewer.may(Act.READ_MONEY, Kind.CRM)


async def _owners(records: "Sequence[Account | Opportunity]", context: Context) -> list[User | None]:
    return await load_users([record.owner_key for record in records], context)


async def _parents(accounts: "Sequence[Account]", context: Context) -> "list[Account | None]":
    return await load_accounts([account.parent_key for account in accounts], context)


@needs(Act.READ_MONEY, Kind.CRM)
async def _revenues(accounts: "Sequence[Account]", context: Context) -> list[Decimal | None]:
    return [account.revenue if _sees_money(context) else None for account in accounts]


@strawberry.input(description="Which opportunities; all conditions must hold.")
class OpportunityFilter:
    """Conditions on opportunities."""

    stages: list[str] | None = strawberry.field(default=None, description="In one of these stages.")
    forecast_categories: list[ForecastCategory] | None = strawberry.field(
        default=None, description="In one of these categories."
    )
    closes_from: date | None = strawberry.field(default=None, description="Closing on this day or later.")
    closes_until: date | None = strawberry.field(default=None, description="Closing on this day or earlier.")


def _conditions(source: OpportunityFilter | None) -> queries.OpportunityFilter:
    if source is None:
        return queries.OpportunityFilter()
    categories = source.forecast_categories
    return queries.OpportunityFilter(
        None if source.stages is None else tuple(source.stages),
        None if categories is None else tuple(ForecastCategory(category).value for category in categories),
        source.closes_from,
        source.closes_until,
    )


async def _count_opportunities(keys: Sequence[int], context: Context, wanted: queries.OpportunityFilter) -> list[int]:
    found = await queries.opportunity_counts(await context.session(), context.viewer, set(keys), wanted)
    return [found.get(key, 0) for key in keys]


async def _opportunities(
    accounts: "Sequence[Account]",
    context: Context,
    filter: Annotated[OpportunityFilter | None, strawberry.argument(description="Which opportunities.")] = None,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> "list[Connection[Opportunity]]":
    page = make_page(context, first, after, last, before)
    keys = [account.key for account in accounts]
    wanted = _conditions(filter)
    count = {"wanted": wanted}
    found = await queries.opportunities_of(await context.session(), context.viewer, keys, page, wanted)
    return [
        connect(found.get(key, ()), queries.BY_CLOSE_DATE, page, Opportunity.of, (_count_opportunities, key, count))
        for key in keys
    ]


@strawberry.type(description="A customer or prospect.")
@needs(Act.READ, Kind.CRM)
class Account(Node):
    """A row of account."""

    key: strawberry.Private[int]
    owner_key: strawberry.Private[int | None]
    parent_key: strawberry.Private[int | None]
    revenue: strawberry.Private[Decimal | None]
    external_id: str | None = strawberry.field(description="Its id in the CRM that it was imported from.")
    name: str = strawberry.field(description="Its name.")
    billing_street: str | None = strawberry.field(description="Street.")
    billing_city: str | None = strawberry.field(description="City.")
    billing_postal_code: str | None = strawberry.field(description="Postal code, as the country writes it.")
    billing_state: str | None = strawberry.field(description="State or province.")
    billing_country: str | None = strawberry.field(description="Country, ISO 3166-1 alpha-2.")
    industry: str | None = strawberry.field(description="Industry code, NAICS.")
    currency: str = strawberry.field(description="Currency of its revenue, ISO 4217.")
    employees: int | None = strawberry.field(description="How many people work there.")
    type: str | None = strawberry.field(description="What it is to us, such as Customer or Prospect.")
    latitude: float | None = strawberry.field(description="Degrees north.")
    longitude: float | None = strawberry.field(description="Degrees east.")
    custom_values: list[CustomValue] = strawberry.field(description="What custom fields hold.")
    excluded_from_realignment: bool = strawberry.field(description="Whether runs leave its assignments as they are.")
    version: BigInt = strawberry.field(description="Number of its last change; send it as `expectedVersion`.")
    owner: User | None = batched(_owners, description="Who owns it.")
    parent: Optional["Account"] = batched(_parents, description="The account above it.")
    annual_revenue: Decimal | None = batched(
        _revenues, description="Revenue a year in its currency; null for those who may not see money."
    )
    opportunities: Connection["Opportunity"] = batched(
        _opportunities, description="Possible sales to it, latest first."
    )

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The account of a row."""
        return cls(
            id=encode_id("Account", row.id),
            key=row.id,
            owner_key=row.owner_id,
            parent_key=row.parent_id,
            revenue=row.annual_revenue,
            external_id=row.external_id,
            name=row.name,
            billing_street=row.billing_street,
            billing_city=row.billing_city,
            billing_postal_code=row.billing_postal_code,
            billing_state=row.billing_state,
            billing_country=row.billing_country,
            industry=row.industry,
            currency=row.currency,
            employees=row.employees,
            type=row.type,
            latitude=row.latitude,
            longitude=row.longitude,
            custom_values=_custom_values(row.custom),
            excluded_from_realignment=row.excluded_from_realignment,
            version=BigInt(row.version),
        )


async def load_accounts(ids: Sequence[int | None], context: Context) -> list[Account | None]:
    """Accounts by id, None for those that the viewer may not read."""
    wanted = {number for number in ids if number is not None}
    found = await queries.accounts_by_id(await context.session(), context.viewer, wanted)
    made = {number: Account.of(row) for number, row in found.items()}
    return [None if number is None else made.get(number) for number in ids]


async def _accounts(opportunities: "Sequence[Opportunity]", context: Context) -> list[Account | None]:
    return await load_accounts([opportunity.account_key for opportunity in opportunities], context)


@needs(Act.READ_MONEY, Kind.CRM)
async def _amounts(opportunities: "Sequence[Opportunity]", context: Context) -> list[Decimal | None]:
    return [opportunity.money if _sees_money(context) else None for opportunity in opportunities]


@strawberry.type(description="A possible sale to an account.")
@needs(Act.READ, Kind.CRM)
class Opportunity(Node):
    """A row of opportunity."""

    key: strawberry.Private[int]
    account_key: strawberry.Private[int]
    owner_key: strawberry.Private[int | None]
    money: strawberry.Private[Decimal]
    external_id: str | None = strawberry.field(description="Its id in the CRM that it was imported from.")
    name: str = strawberry.field(description="Its name.")
    stage: str = strawberry.field(description="Where it is in the sales process.")
    currency: str = strawberry.field(description="Currency of its amount, ISO 4217.")
    quantity: Decimal | None = strawberry.field(description="How many.")
    close_date: date = strawberry.field(description="When it is or was expected to close.")
    probability: int = strawberry.field(description="Percent.")
    forecast_category: ForecastCategory = strawberry.field(description="How it counts in forecasts.")
    product_family: str | None = strawberry.field(description="What is to be sold.")
    excluded_from_territory_assignment: bool = strawberry.field(description="Whether it is kept out of territories.")
    version: BigInt = strawberry.field(description="Number of its last change; send it as `expectedVersion`.")
    account: Account | None = batched(_accounts, description="To whom.")
    owner: User | None = batched(_owners, description="Who owns it.")
    amount: Decimal | None = batched(
        _amounts, description="How much, in its currency; null for those who may not see money."
    )

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The opportunity of a row."""
        return cls(
            id=encode_id("Opportunity", row.id),
            key=row.id,
            account_key=row.account_id,
            owner_key=row.owner_id,
            money=row.amount,
            external_id=row.external_id,
            name=row.name,
            stage=row.stage,
            currency=row.currency,
            quantity=row.quantity,
            close_date=row.close_date,
            probability=row.probability,
            forecast_category=ForecastCategory(row.forecast_category),
            product_family=row.product_family,
            excluded_from_territory_assignment=row.excluded_from_territory_assignment,
            version=BigInt(row.version),
        )


async def load_opportunities(ids: Sequence[int | None], context: Context) -> list[Opportunity | None]:
    """Opportunities by id, None for those that the viewer may not read."""
    wanted = {number for number in ids if number is not None}
    found = await queries.opportunities_by_id(await context.session(), context.viewer, wanted)
    made = {number: Opportunity.of(row) for number, row in found.items()}
    return [None if number is None else made.get(number) for number in ids]
