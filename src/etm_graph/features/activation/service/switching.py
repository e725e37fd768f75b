"""The switch: assignments are computed and written beside the readers, then one transaction flips the state.

At every instant readers see the old model or the new one. A process that dies leaves the model ACTIVATING and rows that
nobody sees; the job's next worker begins again.
"""

from sqlalchemy import text

from etm_graph.core.changes import CRM_STREAM
from etm_graph.core.errors import WrongState
from etm_graph.core.lifecycle import ModelState
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.alignment.service import Engine, run_accounts, run_all
from etm_graph.features.crm import queries as crm
from etm_graph.features.models import service as models
from etm_graph.features.models.queries import active_model_id

ROUND_MAX = 5_000
"""Accounts that may have changed meanwhile for the switch to bring in; more make another round."""


async def prepare_activation(work: UnitOfWork, engine: Engine, model_id: int) -> int:
    """Write the assignments of an ACTIVATING model; returns the number of the crm stream that they reflect.

    Takes no stream's turn: the model cannot be edited meanwhile, and the CRM goes on.
    """
    await work.session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
    snapshot = await engine.snapshot(work.session)
    await run_all(work, engine, model_id)
    return snapshot.seq


async def switch(work: UnitOfWork, engine: Engine, model_id: int, archive_id: int | None, prepared_at: int) -> bool:
    """Bring in what the CRM did since and flip: the old model is archived, the new one active.

    False when too much happened, so that it has to be prepared again. Raises `WrongState` when the models are not as
    the activation was asked for.
    """
    for stream_id in sorted({CRM_STREAM, model_id, *([] if archive_id is None else [archive_id])}):
        await work.lock_stream(stream_id)
    model = await models.lock_for_system(work, model_id)
    if model.state is ModelState.ACTIVE:
        return True  # an earlier worker of this job got this far before it died
    if await active_model_id(work.session) != archive_id:
        raise WrongState("Another model came into force meanwhile; activate again with it as the expected one.")
    changed = await crm.accounts_changed_since(work.session, prepared_at)
    if len(changed) > ROUND_MAX:
        return False
    if changed:
        await run_accounts(work, engine, model_id, changed)
    who = work.principal.user_id
    if archive_id is not None:
        current = await models.lock_for_system(work, archive_id)
        await models.change_state(work, current, ModelState.ARCHIVED, archived_at=work.now, archived_by=who)
    await models.change_state(
        work, model, ModelState.ACTIVE, activated_at=work.now, activated_by=who, last_run_at=work.now
    )
    return True


async def fail_activation(work: UnitOfWork, model_id: int, reason: str) -> None:
    """Note why an activation failed; everything else is as before."""
    model = await models.lock_for_system(work, model_id)
    if model.state is ModelState.ACTIVATING:
        await models.change_state(work, model, ModelState.ACTIVATING_FAILED, reason=reason)
