"""The table of jobs."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field

from etm_graph.db.base import BigInt, Json, Table, Timestamp, core_table, identity


class JobRow(Table, table=True):
    """A long-running piece of work; `lease_until` in the past means that its worker is gone."""

    __tablename__ = "job"
    __table_args__ = (
        Index("ix_job_open", "lease_until", postgresql_where=text("state IN ('QUEUED', 'RUNNING')")),
        Index("ix_job_model_id", "model_id"),
    )

    id: int = identity()
    kind: str
    model_id: int | None = Field(default=None, foreign_key="territory_model.id", ondelete="CASCADE", sa_type=BigInt)
    arguments: dict[str, Any] = Field(sa_type=Json)
    state: str
    done: int = Field(default=0, sa_type=BigInt)
    total: int | None = Field(default=None, sa_type=BigInt)
    step: str | None = None
    error: str | None = None
    attempts: int = 0
    lease_until: datetime | None = Field(default=None, sa_type=Timestamp)
    created_by: int | None = Field(default=None, sa_type=BigInt)
    created_at: datetime = Field(sa_type=Timestamp)
    finished_at: datetime | None = Field(default=None, sa_type=Timestamp)


job = core_table(JobRow)
