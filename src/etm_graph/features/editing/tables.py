"""Table of named checkpoints."""

from datetime import datetime
from typing import Any

from sqlmodel import Field

from etm_graph.db.base import BigInt, Json, Table, Timestamp, core_table


class CheckpointRow(Table, table=True):
    """A draft's structure under a name: it can be restored even when the log no longer reaches back to it."""

    __tablename__ = "checkpoint"

    model_id: int = Field(primary_key=True, foreign_key="territory_model.id", ondelete="CASCADE", sa_type=BigInt)
    name: str = Field(primary_key=True)
    seq: int = Field(sa_type=BigInt)
    structure: list[list[Any]] = Field(sa_type=Json)
    created_by: int | None = Field(default=None, foreign_key="app_user.id", sa_type=BigInt)
    created_at: datetime = Field(sa_type=Timestamp)


checkpoint = core_table(CheckpointRow)
