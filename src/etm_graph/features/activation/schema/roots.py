"""Mutations that put models in and out of force, and drafts into and out of the bin."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Optional

import strawberry
from strawberry.types import Info

from etm_graph.core.access import Act, Kind
from etm_graph.core.lifecycle import GROUP_OF
from etm_graph.features.activation import service
from etm_graph.features.activation.schema.preflight import ACTIVATABLE, PreflightReport, examine, report_of
from etm_graph.features.models.schema.jobs import Job, JobPayload, load_jobs, start_job
from etm_graph.features.models.schema.roots import KEY_MEANING, TerritoryModelPayload, model_payload
from etm_graph.features.models.schema.types import TerritoryModel, load_models
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.enums import describe
from etm_graph.graphql.extending import extend
from etm_graph.graphql.ids import decode_id, decode_optional_id
from etm_graph.graphql.mutations import mutate
from etm_graph.graphql.scalars import BigInt
from etm_graph.jobs.queue import open_jobs_of_keys

ContextInfo = Info[Context, None]

describe(
    service.Fate,
    "What becomes of something that belongs to what is deleted.",
    {"REFUSE": "When there is any, nothing is deleted.", "DELETE": "It goes along."},
    name="DeletionFate",
)


@strawberry.input(description="A draft to put in force.")
class TerritoryModelActivateInput:
    """Input of territoryModelActivate."""

    id: strawberry.ID = strawberry.field(description="The draft, or a model whose activation failed.")
    expected_structure_head: BigInt = strawberry.field(description="The `structureHead` that you saw.")
    expected_active_model_id: strawberry.ID | None = strawberry.field(
        description="The active model that you saw; null when there was none."
    )
    archive_current: bool = strawberry.field(default=False, description="Archive the active model in the same switch.")
    acknowledge_dropped: list[str] = strawberry.field(
        default_factory=list,
        description="Keys of `preflight { dropped }`: what the active model has and this draft does not know of.",
    )
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.type(description="What a request for an activation started, or why it was refused.")
class TerritoryModelActivatePayload(JobPayload):
    """Job and findings, or errors."""

    preflight: PreflightReport | None = strawberry.field(
        description="What pre-flight found; null when the model could not be examined."
    )


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


@strawberry.input(
    description="A draft to delete, and what becomes of what hangs on it; nothing goes that was not meant."
)
class TerritoryModelDeleteInput:
    """Input of territoryModelDelete."""

    id: strawberry.ID = strawberry.field(description="The draft.")
    decisions: service.Fate = strawberry.field(
        default=service.Fate.REFUSE, description="Its assignments by hand and exclusions."
    )
    threads: service.Fate = strawberry.field(default=service.Fate.REFUSE, description="Its threads, resolved or not.")
    clones: service.Fate = strawberry.field(
        default=service.Fate.REFUSE, description="Models cloned from it: with DELETE they forget where they came from."
    )
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="When to put a draft in force, and what is decided beforehand.")
class TerritoryModelScheduleInput:
    """Input of territoryModelSchedule."""

    id: strawberry.ID = strawberry.field(description="The draft.")
    at: str = strawberry.field(
        description="Date and time in the organisation's time zone, such as 2027-01-01T00:00; no offset."
    )
    expected_structure_head: BigInt | None = strawberry.field(
        default=None, description="The structure that it must still have then; null for whatever it has."
    )
    archive_current: bool = strawberry.field(default=False, description="Archive the model that is active then.")
    acknowledge_dropped: list[str] = strawberry.field(
        default_factory=list, description="Keys of `preflight { dropped }` that may be dropped then."
    )
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


async def _schedules(found: Sequence[TerritoryModel], context: Context) -> list[Job | None]:
    keys = [service.schedule_key(model.key) for model in found]
    ids = await open_jobs_of_keys(await context.session(), keys)
    return await load_jobs([ids.get(key) for key in keys], context)


extend(
    TerritoryModel,
    "scheduled_activation",
    Optional[Job],
    batched(
        _schedules, description="The job that waits to activate it, until `runAfter`; null when it is not scheduled."
    ),
)


async def _examined(context: Context, model_id: int) -> tuple[service.Examination | None, PreflightReport | None]:
    """What pre-flight finds in a model that the caller may activate; nothing otherwise, so that the request says why not."""
    model = (await load_models([model_id], context))[0]
    may = model is not None and context.viewer.may(
        Act.ACTIVATE, Kind.MODEL, state=GROUP_OF[model.model_state], model_id=model_id
    )
    if model is None or not may or model.model_state not in ACTIVATABLE:
        return None, None
    examination = await examine(context, model_id, model.model_state)
    report = report_of(context, examination, model)
    await context.release()
    return examination, report


@strawberry.type
class ActivationMutation:
    """Root fields that put models in and out of force."""

    @strawberry.mutation(description="Put a draft in force: computed beside the readers, then one atomic switch.")
    @needs(Act.ACTIVATE, Kind.MODEL)
    async def territory_model_activate(
        self, info: ContextInfo, input: TerritoryModelActivateInput
    ) -> TerritoryModelActivatePayload:
        """Activate a draft."""
        examination, report = await _examined(info.context, decode_id(input.id, "TerritoryModel"))
        started = await start_job(
            info.context,
            input,
            lambda work: service.request_activation(
                work,
                decode_id(input.id, "TerritoryModel"),
                service.Expected(
                    input.expected_structure_head,
                    decode_optional_id(input.expected_active_model_id, "TerritoryModel", field="expectedActiveModelId"),
                    input.archive_current,
                    frozenset(input.acknowledge_dropped),
                ),
                examination,
            ),
        )
        return TerritoryModelActivatePayload(
            job=started.job,
            territory_model=started.territory_model,
            change=started.change,
            user_errors=started.user_errors,
            preflight=report,
        )

    @strawberry.mutation(
        description="Delete a draft: into the bin at once, where it is DELETING, and for good when its job's time has come."
    )
    @needs(Act.DELETE, Kind.MODEL)
    async def territory_model_delete(self, info: ContextInfo, input: TerritoryModelDeleteInput) -> JobPayload:
        """Delete a draft."""
        fates = service.Fates(service.Fate(input.decisions), service.Fate(input.threads), service.Fate(input.clones))
        keep = timedelta(days=info.context.services.settings.deleted_model_keep_days)
        return await start_job(
            info.context,
            input,
            lambda work: service.request_deletion(work, decode_id(input.id, "TerritoryModel"), fates, keep),
        )

    @strawberry.mutation(description="Take a deleted draft out of the bin, as it was.")
    @needs(Act.DELETE, Kind.MODEL)
    async def territory_model_undelete(self, info: ContextInfo, input: TerritoryModelInput) -> TerritoryModelPayload:
        """Undelete a draft."""
        outcome = await mutate(
            info.context, input, lambda work: service.undelete(work, decode_id(input.id, "TerritoryModel"))
        )
        return await model_payload(info.context, outcome)

    @strawberry.mutation(
        description="Have a draft put in force at a time, with the checks and your rights of that moment. When it may not, "
        "it stays a draft and `stateReason` says why. A new schedule replaces the earlier one."
    )
    @needs(Act.ACTIVATE, Kind.MODEL)
    async def territory_model_schedule(self, info: ContextInfo, input: TerritoryModelScheduleInput) -> JobPayload:
        """Schedule an activation."""
        schedule = service.Schedule(
            input.at, input.expected_structure_head, input.archive_current, frozenset(input.acknowledge_dropped)
        )
        return await start_job(
            info.context,
            input,
            lambda work: service.request_schedule(work, decode_id(input.id, "TerritoryModel"), schedule),
        )

    @strawberry.mutation(description="Take the schedule of a draft's activation back.")
    @needs(Act.ACTIVATE, Kind.MODEL)
    async def territory_model_unschedule(self, info: ContextInfo, input: TerritoryModelInput) -> TerritoryModelPayload:
        """Take a schedule back."""
        outcome = await mutate(
            info.context, input, lambda work: service.unschedule(work, decode_id(input.id, "TerritoryModel"))
        )
        return await model_payload(info.context, outcome)

    @strawberry.mutation(description="Put an archived model in force again, at once, with its stored assignments.")
    @needs(Act.RESTORE, Kind.MODEL)
    async def territory_model_restore(self, info: ContextInfo, input: TerritoryModelRestoreInput) -> JobPayload:
        """Restore an archived model."""
        return await start_job(
            info.context,
            input,
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
        return await start_job(
            info.context,
            input,
            lambda work: service.request_run(work, decode_id(input.id, "TerritoryModel")),
        )

    @strawberry.mutation(description="Take the active model out of force, so that none is.")
    @needs(Act.ARCHIVE, Kind.MODEL)
    async def territory_model_archive(self, info: ContextInfo, input: TerritoryModelInput) -> JobPayload:
        """Archive the active model."""
        return await start_job(
            info.context,
            input,
            lambda work: service.request_archive(work, decode_id(input.id, "TerritoryModel")),
            short=True,
        )

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
