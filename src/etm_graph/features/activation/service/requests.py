"""Asking for an activation, a restore, an archiving, a run; the work itself is a job's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from etm_graph.core.access import Act, Kind
from etm_graph.core.errors import Blocked, Busy, Conflict, WrongState
from etm_graph.core.lifecycle import ModelState
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.activation.service.dropping import require_acknowledged
from etm_graph.features.activation.service.preflight import Examination
from etm_graph.features.models import service as models
from etm_graph.features.models.queries import active_model_id, models_by_id
from etm_graph.jobs.queue import Job, start

ACTIVATE = "activate"
ARCHIVE = "archive"
RUN = "run"


@dataclass(frozen=True, slots=True)
class Expected:
    """What the caller saw and decided on.

    structure_head: of the model. active_id: the active model, None for none; it is archived when `archive_current`.
    acknowledged: keys of what may be dropped (dropping.py).
    """

    structure_head: int
    active_id: int | None
    archive_current: bool = False
    acknowledged: frozenset[str] = frozenset()


async def _require_one_active(work: UnitOfWork, expected_active_id: int | None, *, archive_current: bool) -> None:
    """Pass when the active model is the one that the caller saw, and may be archived."""
    active = await active_model_id(work.session)
    name = "none"
    if active is not None:
        found = await models_by_id(work.session, models.viewer_of(work), [active])
        name = found[active].name if active in found else f"model {active}"
    if active != expected_active_id:
        raise Conflict(f"The active model is {name} by now; look at it and decide.", field=["expectedActiveModelId"])
    if active is not None and not archive_current:
        raise WrongState(f"{name} is active; say archiveCurrent: true to archive it.", field=["archiveCurrent"])


async def _start(work: UnitOfWork, kind: str, model_id: int, arguments: Mapping[str, Any]) -> int:
    who = work.principal.user_id or None
    return await start(work.session, kind, arguments, now=work.now, model_id=model_id, created_by=who)


async def request_activation(
    work: UnitOfWork, model_id: int, expected: Expected, examination: Examination | None = None
) -> int:
    """Begin to activate a draft, or again after a failure; returns the job's id.

    examination: what pre-flight found in this structure; None only where it was looked at before.
    Raises `Blocked` for what it found, `Conflict` when the draft or the active model is not as the caller saw it or when
    something would be dropped that was not acknowledged, `WrongState`, `Forbidden`.
    """
    model = await models.lock_model(work, model_id)
    if model.state not in {ModelState.PLANNING, ModelState.ACTIVATING_FAILED}:
        raise WrongState(f"{model.name} is {model.state}; only a draft or a failed activation can be activated.")
    models.authorise(work, model, Act.ACTIVATE, Kind.MODEL, own=model.created_by == work.principal.user_id)
    head = work.heads[model_id].structure_head
    if head != expected.structure_head:
        raise Conflict(
            f"The structure is at change {head} by now, not {expected.structure_head}; look at what changed and decide.",
            field=["expectedStructureHead"],
        )
    await _require_one_active(work, expected.active_id, archive_current=expected.archive_current)
    if examination is not None:
        _require_clear(examination, expected)
    await work.announce(models.ModelActivating(model))
    await models.change_state(work, model, ModelState.ACTIVATING)
    arguments = {"archive_id": expected.active_id, "structure_head": head}
    return await _start(work, ACTIVATE, model_id, arguments)


def _require_clear(examination: Examination, expected: Expected) -> None:
    """Pass when pre-flight stands in the way of nothing."""
    if (examination.structure_head, examination.active_id) != (expected.structure_head, expected.active_id):
        raise Busy("Something changed while the model was examined; nothing was done, try again.")
    blockers = [f"{found.check.meaning} ({len(found.subjects)})" for found in examination.blockers]
    if blockers:
        raise Blocked(f"Pre-flight refuses the activation: {' '.join(blockers)} Read `preflight` of the model.")
    require_acknowledged(examination.dropped, expected.acknowledged)


async def retry_activation(work: UnitOfWork, job: Job) -> int:
    """Ask for a failed activation again, as it was asked for; returns the new job's id. Raises as the first one did."""
    arguments = job.arguments
    expected = Expected(arguments["structure_head"], arguments["archive_id"], archive_current=True)
    return await request_activation(work, int(job.model_id or 0), expected)


async def abandon_activation(work: UnitOfWork, model_id: int) -> int:
    """Make a draft of a failed activation again; returns the model's id. Raises `WrongState`, `Forbidden`."""
    model = await models.lock_model(work, model_id)
    if model.state is not ModelState.ACTIVATING_FAILED:
        raise WrongState(f"{model.name} is {model.state}; only a failed activation can be abandoned.")
    models.authorise(work, model, Act.ACTIVATE, Kind.MODEL)
    await models.change_state(work, model, ModelState.PLANNING)
    return model_id


async def request_archive(work: UnitOfWork, model_id: int) -> int:
    """Begin to take the active model out of force, or again after a failure; returns the job's id.

    Raises `WrongState`, `Forbidden`.
    """
    model = await models.lock_model(work, model_id)
    if model.state not in {ModelState.ACTIVE, ModelState.ARCHIVING_FAILED}:
        raise WrongState(f"{model.name} is {model.state}; only the active model can be archived.")
    models.authorise(work, model, Act.ARCHIVE, Kind.MODEL)
    await models.change_state(work, model, ModelState.ARCHIVING)
    return await _start(work, ARCHIVE, model_id, {})


async def retry_archive(work: UnitOfWork, job: Job) -> int:
    """Ask for a failed archiving again; returns the new job's id. Raises as the first one did."""
    return await request_archive(work, int(job.model_id or 0))


async def request_restore(
    work: UnitOfWork, model_id: int, expected_active_id: int | None, *, archive_current: bool
) -> int:
    """Put an archived model in force again at once, with its stored assignments.

    Returns the id of the job that catches up with the CRM. Raises `Conflict`, `WrongState`, `Forbidden`.
    """
    for stream_id in sorted({model_id, *([] if expected_active_id is None else [expected_active_id])}):
        await work.lock_stream(stream_id)
    model = await models.lock_model(work, model_id)
    if model.state is not ModelState.ARCHIVED:
        raise WrongState(f"{model.name} is {model.state}; only an archived model can be restored.")
    models.authorise(work, model, Act.RESTORE, Kind.MODEL)
    await _require_one_active(work, expected_active_id, archive_current=archive_current)
    who = work.principal.user_id or None
    if expected_active_id is not None:
        current = await models.lock_for_system(work, expected_active_id)
        await models.change_state(work, current, ModelState.ARCHIVED, archived_at=work.now, archived_by=who)
    await models.change_state(
        work, model, ModelState.ACTIVE, activated_at=work.now, activated_by=who, archived_at=None, archived_by=None
    )
    return await _start(work, RUN, model_id, {})


async def request_run(work: UnitOfWork, model_id: int) -> int:
    """Compute the active model's assignments anew; returns the job's id. Raises `WrongState`, `Forbidden`."""
    model = await models.lock_model(work, model_id)
    if model.state is not ModelState.ACTIVE:
        raise WrongState(f"{model.name} is {model.state}; drafts are always computed, only the active model is run.")
    models.authorise(work, model, Act.RUN, Kind.MODEL)
    return await _start(work, RUN, model_id, {})


async def retry_run(work: UnitOfWork, job: Job) -> int:
    """Ask for a failed run again; returns the new job's id. Raises as the first one did."""
    return await request_run(work, int(job.model_id or 0))
