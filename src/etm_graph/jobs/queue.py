"""The queue of durable jobs: enqueued in the transaction that wants them, claimed under a lease."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, func, insert, or_, select, update

from etm_graph.db.sessions import ReadSession, WriteSession
from etm_graph.jobs.tables import job


class JobState(StrEnum):
    """Where a job is in its life."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


OPEN = (JobState.QUEUED.value, JobState.RUNNING.value)


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job. attempts: 1 for the first worker, more after a take-over."""

    id: int
    kind: str
    model_id: int | None
    arguments: Mapping[str, Any]
    attempts: int
    created_by: int | None


async def enqueue(
    session: WriteSession,
    kind: str,
    arguments: Mapping[str, Any],
    *,
    now: datetime,
    model_id: int | None = None,
    created_by: int | None = None,
) -> int:
    """Queue a job in this transaction; returns its id."""
    values = {
        "kind": kind,
        "model_id": model_id,
        "arguments": dict(arguments),
        "state": JobState.QUEUED.value,
        "created_by": created_by,
        "created_at": now,
    }
    return int(await session.scalar(insert(job).values(**values).returning(job.c.id)))


async def claim(session: WriteSession, lease_s: float) -> Job | None:
    """Claim the oldest job that is queued or whose worker fell silent; None when there is none.

    Time is the database's, so that the clocks of workers do not matter.
    """
    free = or_(
        job.c.state == JobState.QUEUED.value,
        (job.c.state == JobState.RUNNING.value) & (job.c.lease_until < func.clock_timestamp()),
    )
    oldest = select(job.c.id).where(free).order_by(job.c.id).limit(1).with_for_update(skip_locked=True)
    claimed = await session.row(
        update(job)
        .where(job.c.id == oldest.scalar_subquery())
        .values(
            state=JobState.RUNNING.value,
            attempts=job.c.attempts + 1,
            lease_until=func.clock_timestamp() + timedelta(seconds=lease_s),
            error=None,
        )
        .returning(job.c.id, job.c.kind, job.c.model_id, job.c.arguments, job.c.attempts, job.c.created_by)
    )
    return None if claimed is None else Job(**claimed._mapping)


async def renew(
    session: WriteSession, claimed: Job, lease_s: float, *, step: str | None, done: int, total: int | None
) -> bool:
    """Keep the lease and note the progress; False when the job is somebody else's or was cancelled."""
    held = await session.execute(
        update(job)
        .where(job.c.id == claimed.id, job.c.attempts == claimed.attempts, job.c.state == JobState.RUNNING.value)
        .values(lease_until=func.clock_timestamp() + timedelta(seconds=lease_s), step=step, done=done, total=total)
    )
    return held.rowcount == 1


async def finish(session: WriteSession, claimed: Job, state: JobState, error: str | None = None) -> bool:
    """End a job; False when it is no longer this worker's."""
    ended = await session.execute(
        update(job)
        .where(job.c.id == claimed.id, job.c.attempts == claimed.attempts, job.c.state == JobState.RUNNING.value)
        .values(state=state.value, error=error, finished_at=func.clock_timestamp(), lease_until=None)
    )
    return ended.rowcount == 1


async def read_jobs(session: ReadSession, ids: Collection[int]) -> dict[int, Row[Any]]:
    """Jobs by id."""
    return {row.id: row for row in await session.rows(select(job).where(job.c.id.in_(ids)))}
