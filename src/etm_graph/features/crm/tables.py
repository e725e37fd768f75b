"""Tables of the CRM: the organisation, users, custom fields, accounts, opportunities, exchange rates."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, Index, Numeric, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from etm_graph.db.base import BigInt, Json, Table, Timestamp, core_table, identity

Money = Numeric(20, 2)


class OrganisationRow(Table, table=True):
    """The one organisation of an installation."""

    __tablename__ = "organisation"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: int = Field(default=1, primary_key=True)
    name: str
    corporate_currency: str
    fiscal_year_start_month: int = 1
    time_zone: str = "UTC"
    adjustment_period: str = Field(default="QUARTER", sa_column_kwargs={"server_default": "QUARTER"})
    version: int = Field(default=1, sa_type=BigInt, sa_column_kwargs={"server_default": "1"})


class UserRow(Table, table=True):
    """A person who signs in, owns records or is a member of territories."""

    __tablename__ = "app_user"

    id: int = identity()
    user_name: str = Field(unique=True)
    external_id: str | None = Field(default=None, unique=True)
    subject: str | None = Field(default=None, unique=True)
    name: str
    email: str
    manager_id: int | None = Field(default=None, foreign_key="app_user.id", sa_type=BigInt, index=True)
    time_zone: str = "UTC"
    locale: str = "en-GB"
    active: bool = True
    suspended: bool = False
    version: int = Field(default=0, sa_type=BigInt)


class CustomFieldRow(Table, table=True):
    """A field that the organisation added to an object type."""

    __tablename__ = "custom_field"
    __table_args__ = (UniqueConstraint("object_type", "developer_name"),)

    id: int = identity()
    object_type: str
    developer_name: str
    label: str
    data_type: str
    picklist_values: list[str] = Field(sa_type=ARRAY(Text))
    version: int = Field(default=0, sa_type=BigInt)


class AccountRow(Table, table=True):
    """A customer or prospect."""

    __tablename__ = "account"
    __table_args__ = (Index("ix_account_version", "version"),)

    id: int = identity()
    external_id: str | None = Field(default=None, unique=True)
    name: str
    owner_id: int | None = Field(default=None, foreign_key="app_user.id", sa_type=BigInt, index=True)
    parent_id: int | None = Field(default=None, foreign_key="account.id", sa_type=BigInt, index=True)
    billing_street: str | None = None
    billing_city: str | None = None
    billing_postal_code: str | None = None
    billing_state: str | None = None
    billing_country: str | None = None
    industry: str | None = None
    annual_revenue: Decimal | None = Field(default=None, sa_type=Money)
    currency: str
    employees: int | None = None
    type: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    custom: dict[str, Any] = Field(sa_type=Json)
    excluded_from_realignment: bool = False
    version: int = Field(default=0, sa_type=BigInt)


class OpportunityRow(Table, table=True):
    """A possible sale to an account."""

    __tablename__ = "opportunity"
    __table_args__ = (
        Index("ix_opportunity_account_id", "account_id"),
        Index("ix_opportunity_close_date", "close_date"),
        Index("ix_opportunity_version", "version"),
    )

    id: int = identity()
    external_id: str | None = Field(default=None, unique=True)
    account_id: int = Field(foreign_key="account.id", sa_type=BigInt)
    name: str
    owner_id: int | None = Field(default=None, foreign_key="app_user.id", sa_type=BigInt, index=True)
    stage: str
    amount: Decimal = Field(sa_type=Money)
    currency: str
    quantity: Decimal | None = Field(default=None, sa_type=Money)
    close_date: date
    probability: int
    forecast_category: str
    product_family: str | None = None
    excluded_from_territory_assignment: bool = False
    created_at: datetime = Field(sa_type=Timestamp, sa_column_kwargs={"server_default": text("clock_timestamp()")})
    version: int = Field(default=0, sa_type=BigInt)


class ExchangeRateRow(Table, table=True):
    """How much corporate currency one unit of a currency is worth from a date on."""

    __tablename__ = "exchange_rate"
    __table_args__ = (CheckConstraint(text("rate > 0"), name="rate_positive"),)

    currency: str = Field(primary_key=True)
    effective_from: date = Field(primary_key=True)
    rate: Decimal = Field(sa_type=Numeric(20, 10))
    version: int = Field(default=1, sa_type=BigInt, sa_column_kwargs={"server_default": "1"})


organisation = core_table(OrganisationRow)
app_user = core_table(UserRow)
custom_field = core_table(CustomFieldRow)
account = core_table(AccountRow)
opportunity = core_table(OpportunityRow)
exchange_rate = core_table(ExchangeRateRow)
