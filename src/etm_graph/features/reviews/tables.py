"""Tables of reviews and challenges."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from etm_graph.db.base import BigInt, Table, Timestamp, core_table, identity


class ReviewRow(Table, table=True):
    """A request that people look at a draft."""

    __tablename__ = "review"

    id: int = identity()
    model_id: int = Field(foreign_key="territory_model.id", ondelete="CASCADE", sa_type=BigInt, index=True)
    requested_by: int = Field(foreign_key="app_user.id", sa_type=BigInt)
    requested_at: datetime = Field(sa_type=Timestamp)
    structure_head: int = Field(sa_type=BigInt)
    note: str | None = None
    reviewer_ids: list[int] = Field(sa_type=ARRAY(BigInteger))
    closed_at: datetime | None = Field(default=None, sa_type=Timestamp)


class ReviewDecisionRow(Table, table=True):
    """What one person says of a draft as it was at a structure head; the latest of a person counts."""

    __tablename__ = "review_decision"

    id: int = identity()
    review_id: int = Field(foreign_key="review.id", ondelete="CASCADE", sa_type=BigInt, index=True)
    model_id: int = Field(foreign_key="territory_model.id", ondelete="CASCADE", sa_type=BigInt, index=True)
    user_id: int = Field(foreign_key="app_user.id", sa_type=BigInt)
    verdict: str
    comment: str | None = None
    structure_head: int = Field(sa_type=BigInt)
    at: datetime = Field(sa_type=Timestamp)


class ChallengeRow(Table, table=True):
    """A request of somebody whom a draft concerns for another outcome of an account."""

    __tablename__ = "challenge"

    id: int = identity()
    model_id: int = Field(foreign_key="territory_model.id", ondelete="CASCADE", sa_type=BigInt, index=True)
    account_id: int = Field(foreign_key="account.id", ondelete="CASCADE", sa_type=BigInt, index=True)
    filed_by: int = Field(foreign_key="app_user.id", sa_type=BigInt, index=True)
    filed_at: datetime = Field(sa_type=Timestamp)
    wanted: str | None = None
    reason: str
    state: str = "OPEN"
    decided_by: int | None = Field(default=None, foreign_key="app_user.id", sa_type=BigInt)
    decided_at: datetime | None = Field(default=None, sa_type=Timestamp)
    answer: str | None = None
    change_set: UUID | None = None


review = core_table(ReviewRow)
review_decision = core_table(ReviewDecisionRow)
challenge = core_table(ChallengeRow)
