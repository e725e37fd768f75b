"""GraphQL inputs of the CRM."""

from datetime import date
from decimal import Decimal
from enum import StrEnum

import strawberry

from etm_graph.core.criteria import DataType
from etm_graph.core.rollup import ForecastCategory
from etm_graph.graphql.enums import describe
from etm_graph.graphql.scalars import BigInt

UNSET = strawberry.UNSET
KEY = "At most 200 characters; the same key with the same input gives the first answer again."
VERSION = "The version that you read; others' edits of the same fields since are a CONFLICT."


class AccountOrder(StrEnum):
    """Orders of a list of accounts."""

    NAME = "NAME"
    REVENUE = "REVENUE"


describe(
    AccountOrder,
    "Orders of a list of accounts.",
    {"NAME": "By name.", "REVENUE": "The largest annual revenue in corporate currency first."},
)


@strawberry.input(description="A new user, who has no role yet.")
class UserCreateInput:
    """Input of userCreate."""

    user_name: str = strawberry.field(description="The unique name to sign in with.")
    name: str = strawberry.field(description="The name for people.")
    email: str = strawberry.field(description="Where mail reaches the person.")
    manager_id: strawberry.ID | None = strawberry.field(default=None, description="Whom the person reports to.")
    time_zone: str = strawberry.field(default="UTC", description="IANA time zone.")
    locale: str = strawberry.field(default="en-GB", description="BCP 47 language tag.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="Changes of a user; what is left out stays.")
class UserUpdateInput:
    """Input of userUpdate."""

    id: strawberry.ID = strawberry.field(description="The user.")
    expected_version: BigInt = strawberry.field(description=VERSION)
    name: str | None = strawberry.field(default=UNSET, description="The name for people.")
    email: str | None = strawberry.field(default=UNSET, description="Where mail reaches the person.")
    manager_id: strawberry.ID | None = strawberry.field(default=UNSET, description="Whom the person reports to.")
    time_zone: str | None = strawberry.field(default=UNSET, description="IANA time zone.")
    locale: str | None = strawberry.field(default=UNSET, description="BCP 47 language tag.")
    active: bool | None = strawberry.field(default=UNSET, description="Whether the person works here now.")
    suspended: bool | None = strawberry.field(default=UNSET, description="Whether everything is denied to the person.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="A new custom field of accounts.")
class CustomFieldCreateInput:
    """Input of customFieldCreate."""

    object_type: str = strawberry.field(default="ACCOUNT", description="ACCOUNT.")
    developer_name: str = strawberry.field(description="Unique and immutable; rules name it custom.<this>.")
    label: str = strawberry.field(description="The name for people.")
    data_type: DataType = strawberry.field(description="What it holds.")
    picklist_values: list[str] = strawberry.field(default_factory=list, description="The values, for picklists.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="Changes of a custom field; what is left out stays.")
class CustomFieldUpdateInput:
    """Input of customFieldUpdate."""

    id: strawberry.ID = strawberry.field(description="The field.")
    expected_version: BigInt = strawberry.field(description="The version that you read.")
    label: str | None = strawberry.field(default=UNSET, description="The name for people.")
    picklist_values: list[str] | None = strawberry.field(default=UNSET, description="All its values anew.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="A value of a custom field.")
class CustomValueInput:
    """One custom value."""

    field: str = strawberry.field(description="The custom field's developer name.")
    values: list[str] = strawberry.field(
        description="Its value as text; several for multi-picklists, none to clear it."
    )


@strawberry.input(description="A new account.")
class AccountCreateInput:
    """Input of accountCreate."""

    name: str = strawberry.field(description="Its name.")
    currency: str | None = strawberry.field(
        default=UNSET, description="Currency of its revenue, ISO 4217; the organisation's when left out."
    )
    external_id: str | None = strawberry.field(default=None, description="Its id in another CRM.")
    owner_id: strawberry.ID | None = strawberry.field(default=None, description="Who owns it.")
    parent_id: strawberry.ID | None = strawberry.field(default=None, description="The account above it.")
    billing_street: str | None = strawberry.field(default=None, description="Street.")
    billing_city: str | None = strawberry.field(default=None, description="City.")
    billing_postal_code: str | None = strawberry.field(default=None, description="Postal code.")
    billing_state: str | None = strawberry.field(default=None, description="State or province.")
    billing_country: str | None = strawberry.field(default=None, description="Country, ISO 3166-1 alpha-2.")
    industry: str | None = strawberry.field(default=None, description="Industry code, NAICS.")
    annual_revenue: Decimal | None = strawberry.field(default=None, description="Revenue a year, in its currency.")
    employees: int | None = strawberry.field(default=None, description="How many people work there.")
    type: str | None = strawberry.field(default=None, description="Such as Customer or Prospect.")
    latitude: float | None = strawberry.field(default=None, description="Degrees north.")
    longitude: float | None = strawberry.field(default=None, description="Degrees east.")
    custom_values: list[CustomValueInput] = strawberry.field(default_factory=list, description="Custom values.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="Changes of an account; what is left out stays.")
class AccountUpdateInput:
    """Input of accountUpdate."""

    id: strawberry.ID = strawberry.field(description="The account.")
    expected_version: BigInt = strawberry.field(description=VERSION)
    name: str | None = strawberry.field(default=UNSET, description="Its name.")
    currency: str | None = strawberry.field(default=UNSET, description="Currency of its revenue, ISO 4217.")
    owner_id: strawberry.ID | None = strawberry.field(default=UNSET, description="Who owns it.")
    parent_id: strawberry.ID | None = strawberry.field(default=UNSET, description="The account above it.")
    billing_street: str | None = strawberry.field(default=UNSET, description="Street.")
    billing_city: str | None = strawberry.field(default=UNSET, description="City.")
    billing_postal_code: str | None = strawberry.field(default=UNSET, description="Postal code.")
    billing_state: str | None = strawberry.field(default=UNSET, description="State or province.")
    billing_country: str | None = strawberry.field(default=UNSET, description="Country, ISO 3166-1 alpha-2.")
    industry: str | None = strawberry.field(default=UNSET, description="Industry code, NAICS.")
    annual_revenue: Decimal | None = strawberry.field(default=UNSET, description="Revenue a year, in its currency.")
    employees: int | None = strawberry.field(default=UNSET, description="How many people work there.")
    type: str | None = strawberry.field(default=UNSET, description="Such as Customer or Prospect.")
    latitude: float | None = strawberry.field(default=UNSET, description="Degrees north.")
    longitude: float | None = strawberry.field(default=UNSET, description="Degrees east.")
    excluded_from_realignment: bool | None = strawberry.field(default=UNSET, description="Whether runs leave it alone.")
    custom_values: list[CustomValueInput] = strawberry.field(
        default_factory=list, description="Custom values to change; the others stay."
    )
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="A new opportunity.")
class OpportunityCreateInput:
    """Input of opportunityCreate."""

    account_id: strawberry.ID = strawberry.field(description="To whom.")
    name: str = strawberry.field(description="Its name.")
    stage: str = strawberry.field(description="Where it is in the sales process.")
    amount: Decimal = strawberry.field(description="How much, in its currency.")
    currency: str | None = strawberry.field(default=UNSET, description="ISO 4217; the organisation's when left out.")
    quantity: Decimal | None = strawberry.field(default=None, description="How many.")
    close_date: date = strawberry.field(description="When it is expected to close.")
    probability: int = strawberry.field(default=0, description="Percent.")
    forecast_category: ForecastCategory = strawberry.field(
        default=ForecastCategory.PIPELINE, description="How it counts in forecasts."
    )
    owner_id: strawberry.ID | None = strawberry.field(default=None, description="Who owns it.")
    product_family: str | None = strawberry.field(default=None, description="What is to be sold.")
    external_id: str | None = strawberry.field(default=None, description="Its id in another CRM.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="Changes of an opportunity; what is left out stays.")
class OpportunityUpdateInput:
    """Input of opportunityUpdate."""

    id: strawberry.ID = strawberry.field(description="The opportunity.")
    expected_version: BigInt = strawberry.field(description=VERSION)
    name: str | None = strawberry.field(default=UNSET, description="Its name.")
    stage: str | None = strawberry.field(default=UNSET, description="Where it is in the sales process.")
    amount: Decimal | None = strawberry.field(default=UNSET, description="How much, in its currency.")
    currency: str | None = strawberry.field(default=UNSET, description="ISO 4217.")
    quantity: Decimal | None = strawberry.field(default=UNSET, description="How many.")
    close_date: date | None = strawberry.field(default=UNSET, description="When it is expected to close.")
    probability: int | None = strawberry.field(default=UNSET, description="Percent.")
    forecast_category: ForecastCategory | None = strawberry.field(default=UNSET, description="How it counts.")
    owner_id: strawberry.ID | None = strawberry.field(default=UNSET, description="Who owns it.")
    product_family: str | None = strawberry.field(default=UNSET, description="What is to be sold.")
    excluded_from_territory_assignment: bool | None = strawberry.field(
        default=UNSET, description="Whether it is kept out of territories."
    )
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="What to delete.")
class CrmDeleteInput:
    """Input of deletions in the CRM."""

    id: strawberry.ID = strawberry.field(description="What to delete.")
    expected_version: BigInt | None = strawberry.field(
        default=None,
        description="The version that you read; a later change is a CONFLICT. Null deletes whatever it is.",
    )
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="Which accounts; all conditions must hold.")
class AccountFilterInput:
    """Conditions on accounts."""

    type: str | None = strawberry.field(default=None, description="Of this type.")
    annual_revenue_from: Decimal | None = strawberry.field(
        default=None, description="At least this much, in corporate currency; for those who may see money."
    )
    annual_revenue_until: Decimal | None = strawberry.field(
        default=None, description="At most this much, in corporate currency; for those who may see money."
    )

    name_contains: str | None = strawberry.field(default=None, description="With this text in the name, in any case.")
    country: str | None = strawberry.field(default=None, description="Billed in this country.")
    state: str | None = strawberry.field(default=None, description="Billed in this state or province.")
    postal_code_starts_with: str | None = strawberry.field(default=None, description="Postal code begins so.")
    industry_starts_with: str | None = strawberry.field(default=None, description="Industry code begins so.")
    owner_id: strawberry.ID | None = strawberry.field(default=None, description="Owned by this user.")
