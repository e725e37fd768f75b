"""Tables of assignments, exclusions and opportunity alignment."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from etm_graph.db.base import BigInt, Table, Timestamp, core_table, identity


class AssignmentRow(Table, table=True):
    """An account in a territory, since and until when; a row without `until` stands now.

    There are millions, written in bulk: what they refer to is kept by triggers that follow deletions, set-wise, and not
    by a foreign key that looks at every row written (docs/decisions).
    """

    __tablename__ = "account_assignment"
    __table_args__ = (
        Index(
            "uq_account_assignment_standing",
            "model_id",
            "account_id",
            "territory_id",
            unique=True,
            postgresql_where=text("until IS NULL"),
        ),
        Index(
            "ix_account_assignment_territory_id", "territory_id", "account_id", postgresql_where=text("until IS NULL")
        ),
        CheckConstraint("manual OR by_rule", name="caused"),
    )

    id: int = identity()
    model_id: int = Field(sa_type=BigInt)
    account_id: int = Field(sa_type=BigInt)
    territory_id: int = Field(sa_type=BigInt)
    manual: bool = False
    by_rule: bool = False
    rule_ids: list[int] = Field(sa_type=ARRAY(BigInteger))
    since: datetime = Field(sa_type=Timestamp)
    until: datetime | None = Field(default=None, sa_type=Timestamp)
    version: int = Field(default=0, sa_type=BigInt)


class ExclusionRow(Table, table=True):
    """A pair that rules must not create."""

    __tablename__ = "assignment_exclusion"

    account_id: int = Field(primary_key=True, foreign_key="account.id", ondelete="CASCADE", sa_type=BigInt)
    territory_id: int = Field(
        primary_key=True, foreign_key="territory.id", ondelete="CASCADE", sa_type=BigInt, index=True
    )
    model_id: int = Field(foreign_key="territory_model.id", ondelete="CASCADE", sa_type=BigInt, index=True)
    note: str | None = None
    version: int = Field(default=0, sa_type=BigInt)


class OpportunityAlignmentRow(Table, table=True):
    """The one territory that an opportunity rolls up to in a model, or none, and why; without foreign keys, as above."""

    __tablename__ = "opportunity_alignment"

    model_id: int = Field(primary_key=True, sa_type=BigInt, sa_column_kwargs={"autoincrement": False})
    opportunity_id: int = Field(primary_key=True, sa_type=BigInt, sa_column_kwargs={"autoincrement": False})
    territory_id: int | None = Field(default=None, sa_type=BigInt, index=True)
    cause: str
    reason: str


account_assignment = core_table(AssignmentRow)
assignment_exclusion = core_table(ExclusionRow)
opportunity_alignment = core_table(OpportunityAlignmentRow)
