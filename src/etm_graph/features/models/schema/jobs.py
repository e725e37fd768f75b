"""The GraphQL of jobs: what they do, how far they are, stopping and repeating them."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import datetime
from time import monotonic
from typing import Annotated, Any, Self

import strawberry
from sqlalchemy import Row
from strawberry.types import Info

from etm_graph.core.access import Act, Kind
from etm_graph.core.errors import NotFound
from etm_graph.events.cursors import decode_cursor, encode_cursor
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm.schema.types import User, load_users
from etm_graph.features.models import service
from etm_graph.features.models.schema.feed import ChangeEvent, load_change
from etm_graph.features.models.schema.roots import KEY_MEANING
from etm_graph.features.models.schema.types import TerritoryModel, load_models
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.enums import describe
from etm_graph.graphql.ids import Node, decode_id, decode_optional_id, encode_id
from etm_graph.graphql.mutations import Outcome, UserError, mutate
from etm_graph.graphql.pages import After, Before, Connection, First, Last, connect, make_page
from etm_graph.graphql.scalars import BigInt
from etm_graph.jobs.queue import NEWEST, JobState, count_jobs, list_jobs, read_jobs
from etm_graph.jobs.worker import Worker

ContextInfo = Info[Context, None]
RECHECK_S = 5.0
"""Seconds after which a stream looks again at its reader's grants."""
SHORT_S = 3.0
"""Seconds that an answer waits for a job that is usually short."""

describe(
    JobState,
    "Where a job is in its life.",
    {
        "QUEUED": "Waiting for a worker, or for its time.",
        "RUNNING": "Being worked on.",
        "SUCCEEDED": "Done.",
        "FAILED": "Given up; nothing was changed.",
        "CANCELLED": "Stopped by a person; nothing was changed.",
    },
)


@strawberry.type(description="A long-running piece of work.")
@needs(Act.READ, Kind.JOB)
class Job(Node):
    """A row of job."""

    model_key: strawberry.Private[int | None]
    creator_key: strawberry.Private[int | None]
    kind: str = strawberry.field(description="What is done.")
    state: JobState = strawberry.field(description="Where it is.")
    step: str | None = strawberry.field(description="What it is doing now.")
    done: BigInt = strawberry.field(description="How much of `total` is done.")
    total: BigInt | None = strawberry.field(description="How much there is to do; null while unknown.")
    error: str | None = strawberry.field(description="Why it failed.")
    attempts: int = strawberry.field(description="How many workers began it; more than 1 after a take-over.")
    run_after: datetime = strawberry.field(description="It is not begun before then.")
    created_at: datetime = strawberry.field(description="When it was asked for.")
    cancel_requested_at: datetime | None = strawberry.field(description="When a person asked for it to stop.")
    finished_at: datetime | None = strawberry.field(description="When it ended.")
    model: TerritoryModel | None = batched(
        lambda jobs, context: load_models([job.model_key for job in jobs], context),
        description="The model it works on.",
    )
    created_by: User | None = batched(
        lambda jobs, context: load_users([job.creator_key for job in jobs], context),
        description="Who asked for it; null for the system.",
    )

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The job of a row."""
        return cls(
            id=encode_id("Job", row.id),
            model_key=row.model_id,
            creator_key=row.created_by,
            kind=row.kind,
            state=JobState(row.state),
            step=row.step,
            done=BigInt(row.done),
            total=None if row.total is None else BigInt(row.total),
            error=row.error,
            attempts=row.attempts,
            run_after=row.run_after,
            created_at=row.created_at,
            cancel_requested_at=row.cancel_requested_at,
            finished_at=row.finished_at,
        )


def _sees(context: Context, row: Row[Any]) -> bool:
    return row.created_by == context.principal.user_id or context.viewer.may(Act.READ, Kind.JOB)


async def load_jobs(ids: Sequence[int | None], context: Context) -> list[Job | None]:
    """Jobs by id; None for unknown ones and for those who may not read jobs and did not ask for it."""
    found = await read_jobs(await context.session(), {number for number in ids if number is not None})
    return [
        Job.of(row) if number is not None and (row := found.get(number)) is not None and _sees(context, row) else None
        for number in ids
    ]


@strawberry.type(description="How a job stood at a moment.")
class JobEvent:
    """A row of job_event."""

    job_key: strawberry.Private[int]
    cursor: str = strawberry.field(description="Resumes `jobProgress` after this event.")
    sequence: BigInt = strawberry.field(description="Its number: consecutive for the job, from 1.")
    at: datetime = strawberry.field(description="When it was.")
    state: JobState = strawberry.field(description="Where the job was.")
    step: str | None = strawberry.field(description="What it was doing.")
    done: BigInt = strawberry.field(description="How much of `total` was done.")
    total: BigInt | None = strawberry.field(description="How much there was to do; null while unknown.")
    error: str | None = strawberry.field(description="Why it failed.")
    attempts: int = strawberry.field(description="How many workers had begun it; more than 1 after a take-over.")
    job: Job | None = batched(
        lambda events, context: load_jobs([event.job_key for event in events], context),
        description="The job as it is now.",
    )

    @classmethod
    def of(cls, row: Row[Any], cursor: str) -> Self:
        """The event of a row."""
        return cls(
            job_key=row.job_id,
            cursor=cursor,
            sequence=BigInt(row.seq),
            at=row.at,
            state=JobState(row.state),
            step=row.step,
            done=BigInt(row.done),
            total=None if row.total is None else BigInt(row.total),
            error=row.error,
            attempts=row.attempts,
        )


async def _count(parents: Sequence[tuple[Any, ...]], context: Context) -> list[int]:
    return [await count_jobs(await context.session(), *parent) for parent in parents]


@strawberry.type
class JobQuery:
    """Root fields that read jobs."""

    @strawberry.field(description="One job; null when there is none that you may read.")
    @needs(Act.READ, Kind.JOB)
    async def job(
        self,
        info: ContextInfo,
        id: Annotated[strawberry.ID, strawberry.argument(description="Its global id.")],
    ) -> Job | None:
        """One job."""
        return (await load_jobs([decode_id(id, "Job")], info.context))[0]

    @strawberry.field(description="Jobs, newest first: all of them for those who may read jobs, your own otherwise.")
    @needs(Act.READ, Kind.JOB)
    async def jobs(
        self,
        info: ContextInfo,
        model_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only those of this territory model.")
        ] = None,
        states: Annotated[list[JobState] | None, strawberry.argument(description="Only those in these states.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Job]:
        """A page of jobs."""
        context = info.context
        page = make_page(context, first, after, last, before)
        own = None if context.viewer.may(Act.READ, Kind.JOB) else context.principal.user_id
        wanted = (
            decode_optional_id(model_id, "TerritoryModel", field="modelId"),
            None if states is None else tuple(JobState(state) for state in states),
            own,
        )
        rows = await list_jobs(await context.session(), *wanted, page)
        return connect(rows, NEWEST, page, Job.of, (_count, wanted, {}))


async def _readable(context: Context, number: int) -> Row[Any]:
    row = (await read_jobs(await context.session(), [number])).get(number)
    await context.release()
    if row is None or not _sees(context, row):
        raise NotFound("There is no such job.", field=["jobId"])
    return row


@strawberry.type
class JobSubscription:
    """Root fields that watch jobs."""

    @strawberry.subscription(
        description="A job's events, live and in order, from any process that works on it; completes when it has ended."
    )
    @needs(Act.READ, Kind.JOB)
    async def job_progress(
        self,
        info: ContextInfo,
        job_id: Annotated[strawberry.ID, strawberry.argument(description="The job.")],
        after: Annotated[
            str | None,
            strawberry.argument(
                description="Resume after this cursor, without gap or duplicate; null starts with how the job stands now. "
                "A cursor that is not one of this job gives RESYNC_REQUIRED."
            ),
        ] = None,
    ) -> AsyncGenerator[JobEvent, None]:
        """Watch a job."""
        context, number, checked = info.context, decode_id(job_id, "Job", field="jobId"), monotonic()
        row = await _readable(context, number)
        told = max(row.seq - 1, 0) if after is None else decode_cursor(row.epoch, number, after)
        async for events in context.services.get(Worker).board.follow(number, told):
            if monotonic() - checked > RECHECK_S:
                context.principal = await context.services.refresh(context.principal)
                await _readable(context, number)
                checked = monotonic()
            for event in events:
                yield JobEvent.of(event, encode_cursor(row.epoch, number, event.seq))
                await context.release()


@strawberry.type(description="What a request for long-running work started.")
class JobPayload:
    """Job, or errors."""

    job: Job | None = strawberry.field(description="The job; follow it with `jobProgress`.")
    territory_model: TerritoryModel | None = strawberry.field(description="The model as it is now.")
    change: ChangeEvent | None = strawberry.field(description="The change that was made in its stream.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


async def start_job(
    context: Context, given: object, use_case: Callable[[UnitOfWork], Awaitable[int]], *, short: bool = False
) -> JobPayload:
    """Run a use case that enqueues a job and returns its id; the payload shows the job and its model.

    short: the answer waits up to `SHORT_S` seconds for the end, so that quick work looks as quick as it is.
    """
    outcome: Outcome = await mutate(context, given, use_case)
    if outcome.result is None:
        return JobPayload(job=None, territory_model=None, change=None, user_errors=outcome.errors)
    worker = context.services.get(Worker)
    worker.wake()
    if short and worker.running:
        await _wait(context, outcome.result)
    row = (await read_jobs(await context.session(), [outcome.result])).get(outcome.result)
    model = None if row is None else (await load_models([row.model_id], context))[0]
    change = await load_change(context, outcome.changes)
    return JobPayload(job=None if row is None else Job.of(row), territory_model=model, change=change, user_errors=[])


async def _wait(context: Context, job_id: int) -> None:
    async def until_ended() -> None:
        async for _ in context.services.get(Worker).board.follow(job_id, 0):
            pass

    try:
        async with asyncio.timeout(SHORT_S):
            await until_ended()
    except TimeoutError:
        pass


@strawberry.input(description="Which job.")
class JobInput:
    """Input of jobCancel and jobRetry."""

    id: strawberry.ID = strawberry.field(description="The job.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.type
class JobMutation:
    """Root fields that stop and repeat jobs."""

    @strawberry.mutation(
        description="Stop a job that is waiting or running, before it takes effect; what it did so far is put back."
    )
    @needs(Act.ACTIVATE, Kind.MODEL)
    async def job_cancel(self, info: ContextInfo, input: JobInput) -> JobPayload:
        """Cancel a job."""
        kinds = info.context.services.get(Worker).kinds
        number = decode_id(input.id, "Job")
        return await start_job(info.context, input, lambda work: service.cancel_job(work, kinds, number), short=True)

    @strawberry.mutation(description="Ask for the same again after a job failed; the right to it is checked again.")
    @needs(Act.ACTIVATE, Kind.MODEL)
    async def job_retry(self, info: ContextInfo, input: JobInput) -> JobPayload:
        """Retry a job."""
        kinds = info.context.services.get(Worker).kinds
        number = decode_id(input.id, "Job")
        return await start_job(info.context, input, lambda work: service.retry_job(work, kinds, number))
