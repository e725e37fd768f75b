"""The GraphQL of activation and of the jobs that it starts."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Self

import strawberry
from sqlalchemy import Row
from strawberry.types import Info

from etm_graph.core.access import Act, Kind
from etm_graph.core.errors import NotFound
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.activation import service
from etm_graph.features.models.schema.feed import ChangeEvent, load_change
from etm_graph.features.models.schema.roots import KEY_MEANING, TerritoryModelPayload, model_payload
from etm_graph.features.models.schema.types import TerritoryModel, load_models
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.enums import describe
from etm_graph.graphql.ids import Node, decode_id, decode_optional_id, encode_id
from etm_graph.graphql.mutations import Outcome, UserError, mutate
from etm_graph.graphql.scalars import BigInt
from etm_graph.jobs.queue import OPEN, JobState, read_jobs
from etm_graph.jobs.worker import Worker

ContextInfo = Info[Context, None]
WATCH_S = 0.25
"""Seconds between two looks at a job that somebody watches."""

describe(
    JobState,
    "Where a job is in its life.",
    {
        "QUEUED": "Waiting for a worker.",
        "RUNNING": "Being worked on.",
        "SUCCEEDED": "Done.",
        "FAILED": "Given up; nothing was changed.",
        "CANCELLED": "Stopped by a person.",
    },
)


@strawberry.type(description="A long-running piece of work.")
@needs(Act.READ, Kind.JOB)
class Job(Node):
    """A row of job."""

    model_key: strawberry.Private[int | None]
    kind: str = strawberry.field(description="What is done.")
    state: JobState = strawberry.field(description="Where it is.")
    step: str | None = strawberry.field(description="What it is doing now.")
    done: BigInt = strawberry.field(description="How much of `total` is done.")
    total: BigInt | None = strawberry.field(description="How much there is to do; null while unknown.")
    error: str | None = strawberry.field(description="Why it failed.")
    attempts: int = strawberry.field(description="How many workers began it; more than 1 after a take-over.")
    created_at: datetime = strawberry.field(description="When it was asked for.")
    finished_at: datetime | None = strawberry.field(description="When it ended.")
    model: TerritoryModel | None = batched(
        lambda jobs, context: load_models([job.model_key for job in jobs], context),
        description="The model it works on.",
    )

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The job of a row."""
        return cls(
            id=encode_id("Job", row.id),
            model_key=row.model_id,
            kind=row.kind,
            state=JobState(row.state),
            step=row.step,
            done=BigInt(row.done),
            total=None if row.total is None else BigInt(row.total),
            error=row.error,
            attempts=row.attempts,
            created_at=row.created_at,
            finished_at=row.finished_at,
        )


async def load_jobs(ids: Sequence[int], context: Context) -> list[Job | None]:
    """Jobs by id; None for unknown ones and for those who may not read jobs and did not ask for it."""
    found = await read_jobs(await context.session(), set(ids))
    every = context.viewer.may(Act.READ, Kind.JOB)
    return [
        Job.of(row)
        if (row := found.get(number)) is not None and (every or row.created_by == context.principal.user_id)
        else None
        for number in ids
    ]


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


@strawberry.type
class JobSubscription:
    """Root fields that watch jobs."""

    @strawberry.subscription(description="A job whenever it gets on; completes when it has ended.")
    @needs(Act.READ, Kind.JOB)
    async def job_progress(
        self, info: ContextInfo, job_id: Annotated[strawberry.ID, strawberry.argument(description="The job.")]
    ) -> AsyncGenerator[Job, None]:
        """Watch a job."""
        context, seen = info.context, None
        number = decode_id(job_id, "Job", field="jobId")
        while True:
            found = (await load_jobs([number], context))[0]
            if found is None:
                raise NotFound("There is no such job.", field=["jobId"])
            looks = (found.state, found.step, found.done)
            if looks != seen:
                seen = looks
                yield found
            await context.release()
            if found.state.value not in OPEN:
                return
            await asyncio.sleep(WATCH_S)


@strawberry.type(description="What a request for long-running work started.")
class JobPayload:
    """Job, or errors."""

    job: Job | None = strawberry.field(description="The job; follow it with `jobProgress`.")
    territory_model: TerritoryModel | None = strawberry.field(description="The model as it is now.")
    change: ChangeEvent | None = strawberry.field(description="The change that was made in its stream.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.input(description="A draft to put in force.")
class TerritoryModelActivateInput:
    """Input of territoryModelActivate."""

    id: strawberry.ID = strawberry.field(description="The draft, or a model whose activation failed.")
    expected_structure_head: BigInt = strawberry.field(description="The `structureHead` that you saw.")
    expected_active_model_id: strawberry.ID | None = strawberry.field(
        description="The active model that you saw; null when there was none."
    )
    archive_current: bool = strawberry.field(default=False, description="Archive the active model in the same switch.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="An archived model to put in force again.")
class TerritoryModelRestoreInput:
    """Input of territoryModelRestore."""

    id: strawberry.ID = strawberry.field(description="The archived model.")
    expected_active_model_id: strawberry.ID | None = strawberry.field(
        description="The active model that you saw; null when there was none."
    )
    archive_current: bool = strawberry.field(default=False, description="Archive the active model in the same switch.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="A model.")
class TerritoryModelInput:
    """Input of mutations that need no more than a model."""

    id: strawberry.ID = strawberry.field(description="The model.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


async def _start(
    context: Context,
    given: object,
    model_id: str,
    use_case: Callable[[UnitOfWork], Awaitable[int]],
) -> JobPayload:
    outcome: Outcome = await mutate(context, given, use_case)
    if outcome.result is not None:
        context.services.get(Worker).wake()
    job = None if outcome.result is None else (await load_jobs([outcome.result], context))[0]
    model = (await load_models([decode_optional_id(model_id, "TerritoryModel")], context))[0]
    change = await load_change(context, outcome.changes)
    return JobPayload(job=job, territory_model=model, change=change, user_errors=outcome.errors)


@strawberry.type
class ActivationMutation:
    """Root fields that put models in and out of force."""

    @strawberry.mutation(description="Put a draft in force: computed beside the readers, then one atomic switch.")
    @needs(Act.ACTIVATE, Kind.MODEL)
    async def territory_model_activate(self, info: ContextInfo, input: TerritoryModelActivateInput) -> JobPayload:
        """Activate a draft."""
        return await _start(
            info.context,
            input,
            input.id,
            lambda work: service.request_activation(
                work,
                decode_id(input.id, "TerritoryModel"),
                input.expected_structure_head,
                decode_optional_id(input.expected_active_model_id, "TerritoryModel", field="expectedActiveModelId"),
                archive_current=input.archive_current,
            ),
        )

    @strawberry.mutation(description="Put an archived model in force again, at once, with its stored assignments.")
    @needs(Act.RESTORE, Kind.MODEL)
    async def territory_model_restore(self, info: ContextInfo, input: TerritoryModelRestoreInput) -> JobPayload:
        """Restore an archived model."""
        return await _start(
            info.context,
            input,
            input.id,
            lambda work: service.request_restore(
                work,
                decode_id(input.id, "TerritoryModel"),
                decode_optional_id(input.expected_active_model_id, "TerritoryModel", field="expectedActiveModelId"),
                archive_current=input.archive_current,
            ),
        )

    @strawberry.mutation(description="Compute the active model's assignments anew, for all accounts.")
    @needs(Act.RUN, Kind.MODEL)
    async def territory_model_run(self, info: ContextInfo, input: TerritoryModelInput) -> JobPayload:
        """Run the active model."""
        return await _start(
            info.context,
            input,
            input.id,
            lambda work: service.request_run(work, decode_id(input.id, "TerritoryModel")),
        )

    @strawberry.mutation(description="Take the active model out of force.")
    @needs(Act.ARCHIVE, Kind.MODEL)
    async def territory_model_archive(self, info: ContextInfo, input: TerritoryModelInput) -> TerritoryModelPayload:
        """Archive the active model."""
        outcome = await mutate(
            info.context, input, lambda work: service.archive_model(work, decode_id(input.id, "TerritoryModel"))
        )
        return await model_payload(info.context, outcome)

    @strawberry.mutation(description="Make a draft again of a model whose activation failed.")
    @needs(Act.ACTIVATE, Kind.MODEL)
    async def territory_model_activation_abandon(
        self,
        info: ContextInfo,
        input: TerritoryModelInput,
    ) -> TerritoryModelPayload:
        """Go back to planning."""
        outcome = await mutate(
            info.context, input, lambda work: service.abandon_activation(work, decode_id(input.id, "TerritoryModel"))
        )
        return await model_payload(info.context, outcome)
