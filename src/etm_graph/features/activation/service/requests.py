"""Asking for an activation, a restore, an archiving, a run."""

from etm_graph.core.access import Act, Kind
from etm_graph.core.errors import Conflict, WrongState
from etm_graph.core.lifecycle import ModelState
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.models import service as models
from etm_graph.features.models.queries import active_model_id, models_by_id
from etm_graph.jobs.queue import enqueue

ACTIVATE = "activate"
RUN = "run"


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


async def request_activation(
    work: UnitOfWork,
    model_id: int,
    expected_structure_head: int,
    expected_active_id: int | None,
    *,
    archive_current: bool,
) -> int:
    """Begin to activate a draft, or again after a failure; returns the job's id.

    Raises `Conflict` when the draft or the active model is not as the caller saw it, `WrongState`, `Forbidden`.
    """
    model = await models.lock_model(work, model_id)
    if model.state not in {ModelState.PLANNING, ModelState.ACTIVATING_FAILED}:
        raise WrongState(f"{model.name} is {model.state}; only a draft or a failed activation can be activated.")
    models.authorise(work, model, Act.ACTIVATE, Kind.MODEL, own=model.created_by == work.principal.user_id)
    head = work.heads[model_id].structure_head
    if head != expected_structure_head:
        raise Conflict(
            f"The structure is at change {head} by now, not {expected_structure_head}; look at what changed and decide.",
            field=["expectedStructureHead"],
        )
    await _require_one_active(work, expected_active_id, archive_current=archive_current)
    await models.change_state(work, model, ModelState.ACTIVATING)
    arguments = {"archive_id": expected_active_id}
    return await enqueue(
        work.session, ACTIVATE, arguments, now=work.now, model_id=model_id, created_by=work.principal.user_id
    )


async def abandon_activation(work: UnitOfWork, model_id: int) -> int:
    """Make a draft of a failed activation again; returns the model's id. Raises `WrongState`, `Forbidden`."""
    model = await models.lock_model(work, model_id)
    models.authorise(work, model, Act.ACTIVATE, Kind.MODEL)
    await models.change_state(work, model, ModelState.PLANNING)
    return model_id


async def archive_model(work: UnitOfWork, model_id: int) -> int:
    """Take the active model out of force; its rows stay as they are. Returns its id."""
    model = await models.lock_model(work, model_id)
    if model.state is not ModelState.ACTIVE:
        raise WrongState(f"{model.name} is {model.state}; only the active model can be archived.")
    models.authorise(work, model, Act.ARCHIVE, Kind.MODEL)
    await models.change_state(
        work, model, ModelState.ARCHIVED, archived_at=work.now, archived_by=work.principal.user_id
    )
    return model_id


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
    who = work.principal.user_id
    if expected_active_id is not None:
        current = await models.lock_for_system(work, expected_active_id)
        await models.change_state(work, current, ModelState.ARCHIVED, archived_at=work.now, archived_by=who)
    await models.change_state(
        work, model, ModelState.ACTIVE, activated_at=work.now, activated_by=who, archived_at=None, archived_by=None
    )
    return await enqueue(work.session, RUN, {}, now=work.now, model_id=model_id, created_by=who)


async def request_run(work: UnitOfWork, model_id: int) -> int:
    """Compute the active model's assignments anew; returns the job's id. Raises `WrongState`, `Forbidden`."""
    model = await models.lock_model(work, model_id)
    if model.state is not ModelState.ACTIVE:
        raise WrongState(f"{model.name} is {model.state}; drafts are always computed, only the active model is run.")
    models.authorise(work, model, Act.RUN, Kind.MODEL)
    return await enqueue(work.session, RUN, {}, now=work.now, model_id=model_id, created_by=work.principal.user_id)
