"""Tables of assignment rules and their links to territories."""

from typing import Any

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from etm_graph.db.base import BigInt, Json, Table, core_table, identity


class RuleRow(Table, table=True):
    """An assignment rule of a model; criteria is a list of {number, field, operator, values}."""

    __tablename__ = "assignment_rule"
    __table_args__ = (UniqueConstraint("model_id", "developer_name"),)

    id: int = identity()
    model_id: int = Field(foreign_key="territory_model.id", ondelete="CASCADE", sa_type=BigInt)
    developer_name: str
    name: str
    object_type: str = "ACCOUNT"
    is_active: bool = True
    filter_logic: str | None = None
    criteria: list[dict[str, Any]] = Field(sa_type=Json)
    version: int = Field(default=0, sa_type=BigInt)


class RuleLinkRow(Table, table=True):
    """A rule at work in a territory, and below it where `applies_to_descendants`."""

    __tablename__ = "rule_link"

    rule_id: int = Field(primary_key=True, foreign_key="assignment_rule.id", ondelete="CASCADE", sa_type=BigInt)
    territory_id: int = Field(
        primary_key=True, foreign_key="territory.id", ondelete="CASCADE", sa_type=BigInt, index=True
    )
    model_id: int = Field(foreign_key="territory_model.id", ondelete="CASCADE", sa_type=BigInt, index=True)
    applies_to_descendants: bool = False
    version: int = Field(default=0, sa_type=BigInt)


assignment_rule = core_table(RuleRow)
rule_link = core_table(RuleLinkRow)
