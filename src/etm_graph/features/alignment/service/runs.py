"""Runs: bringing a model's stored assignments and alignment up to its rules and the CRM."""

from collections.abc import Sequence

from sqlalchemy import text

from etm_graph.core.changes import CRM_STREAM
from etm_graph.db.sessions import WriteSession
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.alignment.service.answers import Assignments
from etm_graph.features.alignment.service.engine import Engine
from etm_graph.features.alignment.service.writing import write_alignment, write_assignments
from etm_graph.features.crm import queries as crm
from etm_graph.features.models import service as models
from etm_graph.features.models.queries import active_model_id


async def run_all(work: UnitOfWork, engine: Engine, model_id: int) -> int:
    """Compute a locked model for all accounts and write the difference; returns how many assignments changed."""
    session = work.session
    await session.execute(text("SET LOCAL statement_timeout = 0"))  # as long as it takes for all accounts
    return await _write(work, model_id, await engine.derive(session, model_id), None)


async def run_accounts(work: UnitOfWork, engine: Engine, model_id: int, account_ids: Sequence[int]) -> int:
    """Compute a locked model for some accounts and write the difference; returns how many assignments changed."""
    found = await engine.derive_some(work.session, model_id, account_ids)
    return await _write(work, model_id, found, account_ids)


async def _write(work: UnitOfWork, model_id: int, found: Assignments, account_ids: Sequence[int] | None) -> int:
    session: WriteSession = work.session
    changed = await write_assignments(session, model_id, found.pairs, work.now, account_ids)
    return changed + await write_alignment(session, model_id, found.decisions, account_ids)


async def reassign_accounts(work: UnitOfWork, engine: Engine, account_ids: Sequence[int]) -> None:
    """Re-evaluate changed accounts in the active model, in the transaction that changed them."""
    model_id = await active_model_id(work.session)
    if model_id is None or not account_ids:
        return
    await work.lock_stream(model_id)
    if await run_accounts(work, engine, model_id, account_ids):
        await models.note_run(work, await models.lock_for_system(work, model_id))


async def realign_opportunities(work: UnitOfWork, engine: Engine, opportunity_ids: Sequence[int]) -> None:
    """Align changed opportunities of the active model anew: their accounts decide."""
    found = await crm.accounts_of_opportunities(work.session, opportunity_ids)
    await reassign_accounts(work, engine, sorted(found))


async def run_model(work: UnitOfWork, engine: Engine, model_id: int) -> int:
    """A full run of a model whose assignments are rows; returns how many changed. Streams are locked in order."""
    await work.lock_stream(CRM_STREAM)
    model = await models.lock_for_system(work, model_id)
    changed = await run_all(work, engine, model_id)
    await models.note_run(work, model)
    return changed
