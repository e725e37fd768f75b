"""Tables of forecasts: quota kinds, quotas, adjustments, submissions, and what opportunities were before."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Index, Numeric, text
from sqlmodel import Field

from etm_graph.db.base import BigInt, Json, Table, Timestamp, core_table, identity

Money = Numeric(20, 2)


class QuotaKindRow(Table, table=True):
    """An organisation-wide kind of quota."""

    __tablename__ = "quota_kind"

    id: int = identity()
    developer_name: str = Field(unique=True)
    name: str
    description: str | None = None
    unit: str
    version: int = Field(default=1, sa_type=BigInt)


class QuotaRow(Table, table=True):
    """What a territory, or a person there, is to sell in a period; `user_id` NULL is the territory itself."""

    __tablename__ = "quota"
    __table_args__ = (
        Index("ix_quota_model_id", "model_id", "period_start"),
        Index(
            "uq_quota_key",
            "territory_id",
            "kind_id",
            text("coalesce(user_id, 0)"),
            text("coalesce(product_family, '')"),
            "period_start",
            unique=True,
        ),
    )

    id: int = identity()
    model_id: int = Field(foreign_key="territory_model.id", ondelete="CASCADE", sa_type=BigInt)
    territory_id: int = Field(foreign_key="territory.id", ondelete="CASCADE", sa_type=BigInt)
    kind_id: int = Field(foreign_key="quota_kind.id", sa_type=BigInt, index=True)
    user_id: int | None = Field(default=None, foreign_key="app_user.id", sa_type=BigInt, index=True)
    product_family: str | None = None
    period: str
    period_start: date
    period_end: date
    amount: Decimal = Field(sa_type=Money)
    inherited_from: str | None = None
    written_by: int | None = Field(default=None, sa_type=BigInt)
    written_at: datetime = Field(sa_type=Timestamp)
    version: int = Field(default=0, sa_type=BigInt)


class AdjustmentRow(Table, table=True):
    """What a person says that an amount is; `owner_id` NULL is a manager's word about a territory's total."""

    __tablename__ = "forecast_adjustment"
    __table_args__ = (
        Index("ix_forecast_adjustment_model_id", "model_id", "period_start"),
        Index(
            "uq_forecast_adjustment_key",
            "territory_id",
            "period_start",
            "measure",
            "user_id",
            text("(owner_id IS NULL)"),
            unique=True,
        ),
    )

    id: int = identity()
    model_id: int = Field(foreign_key="territory_model.id", ondelete="CASCADE", sa_type=BigInt)
    territory_id: int = Field(foreign_key="territory.id", ondelete="CASCADE", sa_type=BigInt)
    measure: str
    user_id: int = Field(foreign_key="app_user.id", sa_type=BigInt, index=True)
    owner_id: int | None = Field(default=None, foreign_key="app_user.id", sa_type=BigInt)
    period: str
    period_start: date
    period_end: date
    amount: Decimal = Field(sa_type=Money)
    note: str
    rank: int
    inherited_from: str | None = None
    written_at: datetime = Field(sa_type=Timestamp)
    version: int = Field(default=0, sa_type=BigInt)


class SubmissionRow(Table, table=True):
    """A forecast as somebody handed it in."""

    __tablename__ = "forecast_submission"
    __table_args__ = (Index("ix_forecast_submission_territory_id", "territory_id", "period_start", "at"),)

    id: int = identity()
    model_id: int = Field(foreign_key="territory_model.id", ondelete="CASCADE", sa_type=BigInt, index=True)
    territory_id: int = Field(foreign_key="territory.id", ondelete="CASCADE", sa_type=BigInt)
    user_id: int = Field(foreign_key="app_user.id", sa_type=BigInt)
    period: str
    period_start: date
    period_end: date
    at: datetime = Field(sa_type=Timestamp)
    note: str | None = None
    amounts: dict[str, Any] = Field(sa_type=Json)


class CarryRow(Table, table=True):
    """What an activation did with quotas and adjustments of the former model."""

    __tablename__ = "forecast_carry"

    model_id: int = Field(primary_key=True, foreign_key="territory_model.id", ondelete="CASCADE", sa_type=BigInt)
    former: str
    at: datetime = Field(sa_type=Timestamp)
    copied: int
    left: list[dict[str, Any]] = Field(sa_type=Json)


class OpportunityPastRow(Table, table=True):
    """What an opportunity was until a moment; written by the database whenever one changes."""

    __tablename__ = "opportunity_past"
    __table_args__ = (Index("ix_opportunity_past_until", "until", "opportunity_id"),)

    id: int = identity()
    opportunity_id: int = Field(sa_type=BigInt)
    created_at: datetime = Field(sa_type=Timestamp)
    until: datetime = Field(sa_type=Timestamp)
    name: str
    amount: Decimal = Field(sa_type=Money)
    currency: str
    close_date: date
    forecast_category: str
    product_family: str | None = None


class AlignmentPastRow(Table, table=True):
    """Which territory an opportunity rolled up to until a moment; written by the database whenever that changes."""

    __tablename__ = "opportunity_alignment_past"
    __table_args__ = (Index("ix_opportunity_alignment_past_until", "model_id", "until", "opportunity_id"),)

    id: int = identity()
    model_id: int = Field(foreign_key="territory_model.id", ondelete="CASCADE", sa_type=BigInt)
    opportunity_id: int = Field(sa_type=BigInt)
    territory_id: int | None = Field(default=None, sa_type=BigInt)
    until: datetime = Field(sa_type=Timestamp)


quota_kind = core_table(QuotaKindRow)
quota = core_table(QuotaRow)
forecast_adjustment = core_table(AdjustmentRow)
forecast_submission = core_table(SubmissionRow)
forecast_carry = core_table(CarryRow)
opportunity_past = core_table(OpportunityPastRow)
opportunity_alignment_past = core_table(AlignmentPastRow)
