"""The tables of jobs and of what was told about them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlmodel import Field

from etm_graph.db.base import BigInt, Json, Table, Timestamp, core_table, identity

IS_OPEN = text("state IN ('QUEUED', 'RUNNING')")
"""Of indexes over jobs that have not ended."""


class JobRow(Table, table=True):
    """A long-running piece of work; `lease_until` in the past means that its worker is gone.

    key: at most one open job has it. run_after: not before then. attempts: how often it was claimed; with the id it names
    one claim. seq: number of its last event. epoch: makes its cursors unforgeable.
    """

    __tablename__ = "job"
    __table_args__ = (
        Index("ix_job_open", "run_after", "id", postgresql_where=IS_OPEN),
        Index("uq_job_running", "model_id", unique=True, postgresql_where=text("state = 'RUNNING'")),
        Index("uq_job_key", "key", unique=True, postgresql_where=IS_OPEN),
        Index("ix_job_model_id", "model_id", "id"),
    )

    id: int = identity()
    kind: str
    key: str | None = None
    model_id: int | None = Field(default=None, foreign_key="territory_model.id", ondelete="SET NULL", sa_type=BigInt)
    arguments: dict[str, Any] = Field(sa_type=Json)
    state: str
    run_after: datetime = Field(sa_type=Timestamp, sa_column_kwargs={"server_default": text("now()")})
    done: int = Field(default=0, sa_type=BigInt)
    total: int | None = Field(default=None, sa_type=BigInt)
    step: str | None = None
    error: str | None = None
    attempts: int = 0
    seq: int = Field(default=0, sa_type=BigInt, sa_column_kwargs={"server_default": "0"})
    epoch: UUID = Field(sa_column_kwargs={"server_default": text("gen_random_uuid()")})
    lease_until: datetime | None = Field(default=None, sa_type=Timestamp)
    cancel_requested_at: datetime | None = Field(default=None, sa_type=Timestamp)
    cancelled_by: int | None = Field(default=None, sa_type=BigInt)
    created_by: int | None = Field(default=None, sa_type=BigInt)
    created_at: datetime = Field(sa_type=Timestamp)
    finished_at: datetime | None = Field(default=None, sa_type=Timestamp)


class JobEventRow(Table, table=True):
    """How a job stood after its event number `seq`."""

    __tablename__ = "job_event"

    job_id: int = Field(primary_key=True, foreign_key="job.id", ondelete="CASCADE", sa_type=BigInt)
    seq: int = Field(primary_key=True, sa_type=BigInt)
    at: datetime = Field(sa_type=Timestamp)
    state: str
    step: str | None = None
    done: int = Field(sa_type=BigInt)
    total: int | None = Field(default=None, sa_type=BigInt)
    error: str | None = None
    attempts: int


job = core_table(JobRow)
job_event = core_table(JobEventRow)
