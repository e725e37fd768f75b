"""Tables of the territory tree and its members."""

from datetime import date
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from etm_graph.db.base import BigInt, Bytewise, Json, Table, core_table, identity


class TerritoryRow(Table, table=True):
    """A node of one model's tree."""

    __tablename__ = "territory"
    __table_args__ = (
        UniqueConstraint("model_id", "developer_name"),
        Index("ix_territory_model_id_path", "model_id", "path", unique=True),
    )

    id: int = identity()
    model_id: int = Field(foreign_key="territory_model.id", ondelete="CASCADE", sa_type=BigInt)
    developer_name: str
    name: str
    parent_id: int | None = Field(default=None, foreign_key="territory.id", sa_type=BigInt, index=True)
    type_id: int = Field(foreign_key="territory_type.id", sa_type=BigInt, index=True)
    description: str | None = None
    rule_combination: str = "ALL"
    inherit_only: bool = False
    account_access: str = "READ"
    opportunity_access: str = "READ"
    contact_access: str = "READ"
    case_access: str = "READ"
    forecast_manager_id: int | None = Field(default=None, foreign_key="app_user.id", sa_type=BigInt)
    custom: dict[str, Any] = Field(sa_type=Json)
    path: str = Field(sa_type=Bytewise)
    depth: int
    version: int = Field(default=0, sa_type=BigInt)


class MembershipRow(Table, table=True):
    """A user's place in a territory."""

    __tablename__ = "territory_membership"
    __table_args__ = (UniqueConstraint("territory_id", "user_id"),)

    id: int = identity()
    model_id: int = Field(foreign_key="territory_model.id", ondelete="CASCADE", sa_type=BigInt, index=True)
    territory_id: int = Field(foreign_key="territory.id", ondelete="CASCADE", sa_type=BigInt)
    user_id: int = Field(foreign_key="app_user.id", sa_type=BigInt, index=True)
    role_in_territory: str | None = None
    effective_from: date | None = None
    effective_until: date | None = None
    version: int = Field(default=0, sa_type=BigInt)


territory = core_table(TerritoryRow)
territory_membership = core_table(MembershipRow)
