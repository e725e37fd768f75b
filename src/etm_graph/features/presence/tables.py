"""Table of presence: unlogged, for it lives only seconds."""

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field

from etm_graph.db.base import BigInt, Bytewise, Table, Timestamp, core_table


class PresenceRow(Table, table=True):
    """One open client of a person in a model. It needs no foreign keys: what is gone expires."""

    __tablename__ = "presence"
    __table_args__ = (Index("ix_presence_expires_at", "expires_at"), {"prefixes": ["UNLOGGED"]})

    model_id: int = Field(primary_key=True, sa_type=BigInt)
    user_id: int = Field(primary_key=True, sa_type=BigInt)
    client_id: str = Field(primary_key=True)
    since: datetime = Field(sa_type=Timestamp)
    expires_at: datetime = Field(sa_type=Timestamp)
    entity: str | None = None
    entity_id: int | None = Field(default=None, sa_type=BigInt)
    field: str | None = None
    path: str | None = Field(default=None, sa_type=Bytewise)
    editing: bool = False


presence = core_table(PresenceRow)
