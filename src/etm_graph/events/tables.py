"""Tables of the log: streams, their changes, and the answers given to idempotency keys."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, Sequence, text
from sqlmodel import Field

from etm_graph.db.base import BigInt, Bytewise, Json, Table, Timestamp, core_table, metadata


class StreamRow(Table, table=True):
    """One ordered stream; its row is the lock of every write to it."""

    __tablename__ = "stream"

    id: int = Field(primary_key=True, sa_type=BigInt, sa_column_kwargs={"autoincrement": False})
    epoch: UUID = Field(sa_column_kwargs={"server_default": text("gen_random_uuid()")})
    head: int = Field(default=0, sa_type=BigInt, sa_column_kwargs={"server_default": "0"})
    structure_head: int = Field(default=0, sa_type=BigInt, sa_column_kwargs={"server_default": "0"})
    floor: int = Field(default=0, sa_type=BigInt, sa_column_kwargs={"server_default": "0"})


class ChangeRow(Table, table=True):
    """One change, with its number."""

    __tablename__ = "change"
    __table_args__ = (
        Index("ix_change_entity", "stream_id", "entity_type", "entity_id", "seq"),
        Index("ix_change_set", "stream_id", "change_set", "seq"),
        Index("ix_change_undoes", "stream_id", "undoes", postgresql_where=text("undoes IS NOT NULL")),
    )

    stream_id: int = Field(primary_key=True, foreign_key="stream.id", ondelete="CASCADE", sa_type=BigInt)
    seq: int = Field(primary_key=True, sa_type=BigInt)
    change_set: UUID
    at: datetime = Field(sa_type=Timestamp)
    actor_id: int | None = Field(default=None, sa_type=BigInt)
    message: str | None = None
    undoes: UUID | None = None
    entity_type: str
    kind: str
    entity_id: int = Field(sa_type=BigInt)
    key: str
    path: str | None = Field(default=None, sa_type=Bytewise)
    before: dict[str, Any] = Field(sa_type=Json)
    after: dict[str, Any] = Field(sa_type=Json)


class IdempotencyRow(Table, table=True):
    """What a mutation with an idempotency key answered, so that a repetition gets the same."""

    __tablename__ = "idempotency"

    user_id: int = Field(primary_key=True, sa_type=BigInt)
    key: str = Field(primary_key=True)
    input_hash: str
    reply: dict[str, Any] = Field(sa_type=Json)
    at: datetime = Field(sa_type=Timestamp, index=True)


stream_ids = Sequence("stream_id_seq", start=1, metadata=metadata)
"""Numbers the streams of models; the crm stream is 0."""

stream = core_table(StreamRow)
change = core_table(ChangeRow)
idempotency = core_table(IdempotencyRow)
