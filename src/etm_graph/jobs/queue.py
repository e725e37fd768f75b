"""The queue of durable jobs: enqueued in the transaction that wants them, claimed under a lease.

Every write of a job appends an event, so that its progress can be followed from any process and resumed.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from etm_graph.core.errors import NotFound, WrongState
from etm_graph.db.paging import Order, Page, apply_page
from etm_graph.db.sessions import ReadSession, WriteSession
from etm_graph.jobs.tables import IS_OPEN, job, job_event


class JobState(StrEnum):
    """Where a job is in its life."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


OPEN = (JobState.QUEUED.value, JobState.RUNNING.value)
_TOLD = ("state", "step", "done", "total", "error", "attempts")


class LeaseLost(Exception):
    """Another worker has the job by now: whatever this one still does must leave no trace."""


class JobCancelled(Exception):
    """A person asked for the job to stop, and it can."""


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job. attempts: 1 for the first worker, more after a take-over; with the id it names this claim."""

    id: int
    kind: str
    model_id: int | None
    arguments: Mapping[str, Any]
    attempts: int
    created_by: int | None
    cancel_requested_at: datetime | None = None
    run_after: datetime | None = None


_CLAIMED = tuple(Job.__dataclass_fields__)


async def enqueue(
    session: WriteSession,
    kind: str,
    arguments: Mapping[str, Any],
    *,
    now: datetime,
    model_id: int | None = None,
    created_by: int | None = None,
    run_after: datetime | None = None,
    key: str | None = None,
) -> int | None:
    """Queue a job in this transaction; returns its id, or None when an open job has the same key.

    run_after: not to be begun before then; None at once.
    """
    values = {
        "kind": kind,
        "key": key,
        "model_id": model_id,
        "arguments": dict(arguments),
        "state": JobState.QUEUED.value,
        "created_by": created_by,
        "created_at": now,
        "run_after": now if run_after is None else run_after,
        "seq": 1,
        "done": 0,
        "attempts": 0,
    }
    unless_open = insert(job).values(**values).on_conflict_do_nothing(index_elements=[job.c.key], index_where=IS_OPEN)
    row = await session.row(unless_open.returning(job))
    if row is None:
        return None
    await _tell(session, row)
    return int(row.id)


async def start(
    session: WriteSession,
    kind: str,
    arguments: Mapping[str, Any],
    *,
    now: datetime,
    model_id: int | None = None,
    created_by: int | None = None,
) -> int:
    """Queue a job without a key, to be begun at once; returns its id."""
    job_id = await enqueue(session, kind, arguments, now=now, model_id=model_id, created_by=created_by)
    if job_id is None:
        raise RuntimeError("a job without a key cannot be refused")
    return job_id


async def _tell(session: WriteSession, row: Row[Any]) -> None:
    told = {name: row._mapping[name] for name in _TOLD}
    await session.execute(insert(job_event).values(job_id=row.id, seq=row.seq, at=func.clock_timestamp(), **told))


async def _advance(session: WriteSession, where: ColumnElement[bool], **values: object) -> Row[Any] | None:
    """Change one job and append the event of it; None when the condition does not hold."""
    statement = update(job).where(where).values(seq=job.c.seq + 1, **values).returning(job)
    row = await session.row(statement)
    if row is not None:
        await _tell(session, row)
    return row


def _held(claimed: Job) -> ColumnElement[bool]:
    return and_(job.c.id == claimed.id, job.c.attempts == claimed.attempts, job.c.state == JobState.RUNNING.value)


def _until(lease_s: float) -> ColumnElement[datetime]:
    until: ColumnElement[datetime] = func.clock_timestamp() + timedelta(seconds=lease_s)
    return until


async def claim(session: WriteSession, lease_s: float) -> Job | None:
    """Claim the job that is due longest, or whose worker fell silent; None when there is none.

    Jobs of one model run one after another: an index raises `IntegrityError` for the worker that claims a second one in
    the same moment. Time is the database's, so that the clocks of workers do not matter.
    """
    due, other = job.alias("due"), job.alias("other")
    busy = exists().where(
        other.c.model_id == due.c.model_id, other.c.id != due.c.id, other.c.state == JobState.RUNNING.value
    )
    free = or_(
        and_(due.c.state == JobState.QUEUED.value, due.c.run_after <= func.clock_timestamp(), ~busy),
        and_(due.c.state == JobState.RUNNING.value, due.c.lease_until < func.clock_timestamp()),
    )
    first = select(due.c.id).where(free).order_by(due.c.run_after, due.c.id).limit(1).with_for_update(skip_locked=True)
    claimed = await _advance(
        session,
        job.c.id == first.scalar_subquery(),
        state=JobState.RUNNING.value,
        attempts=job.c.attempts + 1,
        lease_until=_until(lease_s),
        error=None,
    )
    return None if claimed is None else _job(claimed)


def _job(row: Row[Any]) -> Job:
    return Job(**{name: row._mapping[name] for name in _CLAIMED})


async def hold(session: WriteSession, claimed: Job, *, cancellable: bool = True) -> None:
    """Make sure in a step's transaction that the job is still this worker's, until that transaction ends.

    Raises `LeaseLost` when another worker has it, `JobCancelled` when it is to stop. While the step's transaction is open
    nobody can claim the job, whatever the lease says; the lease can be renewed and a cancellation be asked for.
    """
    row = await session.row(
        select(job.c.cancel_requested_at).where(_held(claimed)).with_for_update(key_share=True, read=True)
    )
    if row is None:
        raise LeaseLost(f"job {claimed.id} is another worker's by now")
    if cancellable and row.cancel_requested_at is not None:
        raise JobCancelled


@dataclass(frozen=True, slots=True)
class Renewed:
    """held: whether the job is still this worker's. cancelled: whether it is to stop. seq: number of its last event."""

    held: bool
    cancelled: bool
    seq: int


async def renew(
    session: WriteSession, claimed: Job, lease_s: float, *, step: str | None, done: int, total: int | None, told: bool
) -> Renewed:
    """Keep the lease; told: whether the progress is the one told last, so that there is no new event."""
    values = {"lease_until": _until(lease_s)}
    if told:
        row = await session.row(update(job).where(_held(claimed)).values(**values).returning(job))
    else:
        row = await _advance(session, _held(claimed), step=step, done=done, total=total, **values)
    return Renewed(row is not None, row is not None and row.cancel_requested_at is not None, row.seq if row else 0)


async def finish(session: WriteSession, claimed: Job, state: JobState, error: str | None = None) -> bool:
    """End a job; False when it is no longer this worker's."""
    ended = await _advance(
        session,
        _held(claimed),
        state=state.value,
        error=error,
        finished_at=func.clock_timestamp(),
        lease_until=None,
    )
    return ended is not None


async def postpone(session: WriteSession, claimed: Job, seconds: float, error: str) -> bool:
    """Put a job back into the queue after a passing failure; False when it is no longer this worker's."""
    put_back = await _advance(
        session,
        _held(claimed),
        state=JobState.QUEUED.value,
        error=error,
        run_after=_until(seconds),
        lease_until=None,
    )
    return put_back is not None


async def release(session: WriteSession, claimed: Job) -> None:
    """End the lease of a job that this worker stops in the middle, so that another goes on with it at once."""
    await session.execute(update(job).where(_held(claimed)).values(lease_until=func.clock_timestamp()))


async def cancel(session: WriteSession, job_id: int, by: int) -> JobState:
    """Ask a job to stop; returns its state then. A queued one is taken up at once to be ended.

    Raises `WrongState` when it has ended, `NotFound`.
    """
    row = await session.row(select(job).where(job.c.id == job_id).with_for_update())
    if row is None:
        raise NotFound("There is no such job.", field=["id"])
    if row.state not in OPEN:
        raise WrongState(f"The job is {row.state}; only a queued or running one can be cancelled.", field=["id"])
    stopping = {"cancel_requested_at": func.clock_timestamp(), "cancelled_by": by}
    if row.state == JobState.QUEUED.value:
        stopping |= {"run_after": func.clock_timestamp()}
    await _advance(session, job.c.id == job_id, **stopping)
    return JobState(row.state)


async def withdraw(session: WriteSession, key: str, by: int) -> Mapping[str, Any] | None:
    """End the waiting job of a key at once, without its worker; returns its arguments, None when there is none.

    Raises `WrongState` when it is being worked on.
    """
    row = await session.row(select(job).where(job.c.key == key, job.c.state.in_(OPEN)).with_for_update())
    if row is None:
        return None
    if row.state != JobState.QUEUED.value:
        raise WrongState("It is being done in this moment; wait for its end.")
    ended = {"state": JobState.CANCELLED.value, "cancelled_by": by, "finished_at": func.clock_timestamp()}
    await _advance(session, job.c.id == row.id, **ended)
    arguments: Mapping[str, Any] = row.arguments
    return arguments


async def read_jobs(session: ReadSession, ids: Collection[int]) -> dict[int, Row[Any]]:
    """Jobs by id."""
    return {row.id: row for row in await session.rows(select(job).where(job.c.id.in_(ids)))}


async def open_jobs_of_keys(session: ReadSession, keys: Collection[str]) -> dict[str, int]:
    """The ids of open jobs by key."""
    rows = await session.rows(select(job.c.key, job.c.id).where(job.c.key.in_(keys), job.c.state.in_(OPEN)))
    return {row.key: row.id for row in rows}


NEWEST = Order("jobs", (job.c.id,), descending=True)


def _listed(
    statement: Select[Any], model_id: int | None, states: Collection[JobState] | None, created_by: int | None
) -> Select[Any]:
    if model_id is not None:
        statement = statement.where(job.c.model_id == model_id)
    if states is not None:
        statement = statement.where(job.c.state.in_([state.value for state in states]))
    return statement if created_by is None else statement.where(job.c.created_by == created_by)


async def list_jobs(
    session: ReadSession,
    model_id: int | None,
    states: Collection[JobState] | None,
    created_by: int | None,
    page: Page,
) -> Sequence[Row[Any]]:
    """A page of jobs, newest first; each condition counts unless it is None."""
    return await session.rows(apply_page(_listed(select(job), model_id, states, created_by), NEWEST, page))


async def count_jobs(
    session: ReadSession, model_id: int | None, states: Collection[JobState] | None, created_by: int | None
) -> int:
    """How many jobs `list_jobs` has in all."""
    return int(await session.scalar(_listed(select(func.count()).select_from(job), model_id, states, created_by)))


async def read_events(session: ReadSession, job_id: int, after: int, limit: int = 500) -> Sequence[Row[Any]]:
    """Events of a job after a number, in order."""
    columns = job_event.c
    return await session.rows(
        select(job_event).where(columns.job_id == job_id, columns.seq > after).order_by(columns.seq).limit(limit)
    )
