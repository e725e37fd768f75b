"""The switch: assignments are computed and written beside the readers, then one transaction flips the state.

At every instant readers see the old model or the new one. A process that dies leaves the model in transition and rows that
nobody sees; the job's next worker begins again.
"""

from etm_graph.core.changes import CRM_STREAM
from etm_graph.core.errors import WrongState
from etm_graph.core.lifecycle import ModelState
from etm_graph.db.sessions import ReadSession
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.activation.service.requests import RUN
from etm_graph.features.alignment.service import Engine, run_accounts
from etm_graph.features.crm import queries as crm
from etm_graph.features.models import service as models
from etm_graph.features.models.queries import active_model_id
from etm_graph.jobs.queue import start

SWITCH_ACCOUNTS_MAX = 50
"""Accounts that may have changed meanwhile for the switch itself to bring in; more make another round beside the readers."""


async def begin_activation(work: UnitOfWork, model_id: int) -> bool:
    """Whether there is something left to do; False when an earlier worker of the job got through before it died."""
    model = await models.lock_for_system(work, model_id)
    if model.state is ModelState.ACTIVE:
        return False
    if model.state is not ModelState.ACTIVATING:
        raise WrongState(f"{model.name} is {model.state} by now; nothing was activated.")
    return True


async def accounts_to_follow(session: ReadSession, crm_seq: int) -> list[int]:
    """Accounts that the CRM changed since a number of its stream, when they are too many for the switch; none otherwise."""
    changed = await crm.accounts_changed_since(session, crm_seq)
    return changed if len(changed) > SWITCH_ACCOUNTS_MAX else []


async def switch(work: UnitOfWork, engine: Engine, model_id: int, archive_id: int | None, prepared_at: int) -> bool:
    """Bring in what the CRM did since and flip: the old model is archived, the new one active.

    False when too much happened, so that another round is needed. Raises `WrongState` when the models are not as the
    activation was asked for.
    """
    for stream_id in sorted({CRM_STREAM, model_id, *([] if archive_id is None else [archive_id])}):
        await work.lock_stream(stream_id)
    model = await models.lock_for_system(work, model_id)
    if await active_model_id(work.session) != archive_id:
        raise WrongState("Another model came into force meanwhile; activate again with it as the expected one.")
    changed = await crm.accounts_changed_since(work.session, prepared_at)
    if len(changed) > SWITCH_ACCOUNTS_MAX:
        return False
    if changed:
        await run_accounts(work, engine, model_id, changed)
    who = work.principal.user_id or None
    if archive_id is not None:
        current = await models.lock_for_system(work, archive_id)
        await models.change_state(work, current, ModelState.ARCHIVED, archived_at=work.now, archived_by=who)
    await models.change_state(
        work, model, ModelState.ACTIVE, activated_at=work.now, activated_by=who, last_run_at=work.now
    )
    return True


async def end_activation(work: UnitOfWork, model_id: int, reason: str, *, cancelled: bool) -> None:
    """Make a draft again of a cancelled activation, or note why it failed; everything else is as before."""
    model = await models.lock_for_system(work, model_id)
    if model.state is ModelState.ACTIVATING:
        wanted = ModelState.PLANNING if cancelled else ModelState.ACTIVATING_FAILED
        await models.change_state(work, model, wanted, reason=reason)


async def archive(work: UnitOfWork, model_id: int) -> None:
    """Take an ARCHIVING model out of force; its rows stay as they are."""
    model = await models.lock_for_system(work, model_id)
    if model.state is ModelState.ARCHIVED:
        return  # an earlier worker of this job got this far before it died
    who = work.principal.user_id or None
    await models.change_state(work, model, ModelState.ARCHIVED, archived_at=work.now, archived_by=who)


async def end_archive(work: UnitOfWork, model_id: int, reason: str, *, cancelled: bool) -> None:
    """Put a model back in force whose archiving was cancelled, with what the CRM did meanwhile; note a failure.

    When another model came into force in the meantime it stays where it is.
    """
    model = await models.lock_for_system(work, model_id)
    if model.state is not ModelState.ARCHIVING:
        return
    if not cancelled or await active_model_id(work.session) is not None:
        await models.change_state(work, model, ModelState.ARCHIVING_FAILED, reason=reason)
        return
    await models.change_state(work, model, ModelState.ACTIVE)
    who = work.principal.user_id or None
    await start(work.session, RUN, {}, now=work.now, model_id=model_id, created_by=who)
