"""Activation at a time: once, with the checks and the rights that its scheduler has at that moment.

The schedule is a job that waits. It begins an activation like any other; when it may not, the draft stays a draft.
"""

from dataclasses import dataclass

from etm_graph.core.access import Act, Kind
from etm_graph.core.errors import Invalid, WrongState
from etm_graph.core.lifecycle import ModelState
from etm_graph.core.local_time import moment_of
from etm_graph.events.log import read_heads
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.activation.service.preflight import Examination
from etm_graph.features.activation.service.requests import Expected, request_activation
from etm_graph.features.crm import queries as crm
from etm_graph.features.models import service as models
from etm_graph.jobs.queue import Job, enqueue, withdraw

SCHEDULED = "activate-scheduled"


def schedule_key(model_id: int) -> str:
    """The key of the one schedule that a model can have."""
    return f"{SCHEDULED}:{model_id}"


@dataclass(frozen=True, slots=True)
class Schedule:
    """When to activate, and what was decided beforehand.

    at: local time of the organisation. structure_head: the structure that it must have then, None for whatever it has.
    """

    at: str
    structure_head: int | None = None
    archive_current: bool = False
    acknowledged: frozenset[str] = frozenset()


async def request_schedule(work: UnitOfWork, model_id: int, schedule: Schedule) -> int:
    """Have a draft activated at a time, instead of any earlier schedule; returns the id of the job that waits.

    Raises `Invalid` for a time that is past or that no clock shows, `WrongState`, `NotFound`, `Forbidden`.
    """
    model = await models.lock_model(work, model_id)
    if model.state is not ModelState.PLANNING:
        raise WrongState(f"{model.name} is {model.state}; only a draft can be scheduled.")
    models.authorise(work, model, Act.ACTIVATE, Kind.MODEL, own=model.created_by == work.principal.user_id)
    organisation = await crm.organisation_of(work.session)
    at = moment_of(schedule.at, organisation.time_zone)
    if at <= work.now:
        raise Invalid(
            f"{schedule.at} is past in {organisation.time_zone}; activate at once, or choose a later time.",
            field=["at"],
        )
    await withdraw(work.session, schedule_key(model_id), by=work.principal.user_id)
    arguments = {
        "structure_head": schedule.structure_head,
        "archive_current": schedule.archive_current,
        "acknowledged": sorted(schedule.acknowledged),
    }
    job_id = await enqueue(
        work.session,
        SCHEDULED,
        arguments,
        now=work.now,
        model_id=model_id,
        created_by=work.principal.user_id,
        run_after=at,
        key=schedule_key(model_id),
    )
    if job_id is None:
        raise WrongState(f"{model.name} is being scheduled by somebody else in this moment; try again.")
    return job_id


async def unschedule(work: UnitOfWork, model_id: int) -> int:
    """Take a schedule back; returns the model's id. Raises `WrongState` when there is none, `NotFound`, `Forbidden`."""
    model = await models.lock_model(work, model_id)
    models.authorise(work, model, Act.ACTIVATE, Kind.MODEL, own=model.created_by == work.principal.user_id)
    if await withdraw(work.session, schedule_key(model_id), by=work.principal.user_id) is None:
        raise WrongState(f"{model.name} is not scheduled.")
    return model_id


async def begin_scheduled(work: UnitOfWork, job: Job, examination: Examination) -> None:
    """Ask for the activation as the scheduler, who must have the right to it now. Raises as `request_activation` does."""
    model_id = int(job.model_id or 0)
    model = await models.lock_model(work, model_id)
    if model.state is not ModelState.PLANNING:
        return  # an earlier worker of this job got this far before it died, or a person was faster
    pinned = job.arguments["structure_head"]
    head = (await read_heads(work.session, [model_id]))[model_id].structure_head
    expected = Expected(
        head if pinned is None else pinned,
        examination.active_id,
        job.arguments["archive_current"],
        frozenset(job.arguments["acknowledged"]),
    )
    await request_activation(work, model_id, expected, examination)


async def note_failure(work: UnitOfWork, model_id: int, reason: str) -> None:
    """Say in a draft why it was not activated at its time."""
    model = await models.lock_for_system(work, model_id)
    if model.state is ModelState.PLANNING:
        await models.note_reason(work, model, f"The scheduled activation did not begin: {reason}")
