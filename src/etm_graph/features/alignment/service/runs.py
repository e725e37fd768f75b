"""Runs: bringing a model's stored assignments and alignment up to its rules and the CRM."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl
from sqlalchemy import text

from etm_graph.core.changes import CRM_STREAM
from etm_graph.db.sessions import WriteSession
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.alignment import queries
from etm_graph.features.alignment.service.answers import Assignments
from etm_graph.features.alignment.service.engine import Engine
from etm_graph.features.alignment.service.writing import difference, write_alignment, write_difference
from etm_graph.features.crm import queries as crm
from etm_graph.features.models import service as models
from etm_graph.features.models.queries import active_model_id

FEW = 20
"""Up to so many accounts are followed one by one, without columns."""

STEPS = 4
"""Steps that a run reports."""

RULED = {"object_id": pl.Int64, "territory_id": pl.Int64, "rules": pl.String}


@dataclass(frozen=True, slots=True)
class RunScope:
    """What a run computes; everything without a condition.

    territory_id: only what its subtree has. changed_since: only accounts changed after a number of the crm stream.
    """

    territory_id: int | None = None
    changed_since: int | None = None


EVERYTHING = RunScope()
"""A full run."""


def _unnoticed(_step: str, _done: int, _total: int) -> None:
    """Nobody is told how a run gets on."""


async def run_all(work: UnitOfWork, engine: Engine, model_id: int) -> int:
    """Compute a locked model for all accounts and write the difference; returns how many assignments changed."""
    session = work.session
    await session.execute(text("SET LOCAL statement_timeout = 0"))  # as long as it takes for all accounts
    return await _write(work, model_id, await engine.derive(session, model_id), None)


async def run_accounts(work: UnitOfWork, engine: Engine, model_id: int, account_ids: Sequence[int]) -> int:
    """Compute a locked model for some accounts and write the difference; returns how many assignments changed."""
    found = await engine.derive_some(work.session, model_id, account_ids)
    return await _write(work, model_id, found, account_ids)


async def _write(
    work: UnitOfWork,
    model_id: int,
    found: Assignments,
    account_ids: Sequence[int] | None,
    report: Callable[[str, int, int], None] = _unnoticed,
) -> int:
    session: WriteSession = work.session
    report("comparing with what stands", 1, STEPS)
    standing = await queries.standing_assignments(session, model_id, account_ids)
    changes = await asyncio.to_thread(lambda: difference(standing, found.ruled()))
    report(f"writing {changes.count} assignments", 2, STEPS)
    changed = await write_difference(session, model_id, changes, work.now)
    report("aligning opportunities", 3, STEPS)
    source = await active_model_id(session)
    return changed + await write_alignment(session, model_id, found.decisions, account_ids, source)


async def follow_accounts(work: UnitOfWork, engine: Engine, model_id: int, account_ids: Sequence[int]) -> int:
    """Bring a few accounts' rows in the locked active model up to its rules; returns how many changed.

    Frozen accounts keep what rules made of them (docs/domain.md, "Rules" 5).
    """
    session: WriteSession = work.session
    judged = await engine.judge(session, model_id, account_ids)
    standing = await queries.standing_assignments(session, model_id, account_ids)
    excluded = set((await queries.exclusions(session, model_id, account_ids)).iter_rows())
    frozen = [account.account_id for account in judged if account.frozen]
    wanted = [
        (account.account_id, territory_id, " ".join(map(str, rules)))
        for account in judged
        if not account.frozen
        for territory_id, rules in account.territories.items()
        if (account.account_id, territory_id) not in excluded
    ]
    frame = pl.DataFrame(wanted, schema=RULED, orient="row")
    loose = standing.filter(~pl.col("object_id").is_in(frozen))
    changed = await write_difference(session, model_id, difference(loose, frame), work.now)
    kept = standing.filter(pl.col("manual") | (pl.col("by_rule") & pl.col("object_id").is_in(frozen)))
    pairs = {
        *frame.select("object_id", "territory_id").iter_rows(),
        *kept.select("object_id", "territory_id").iter_rows(),
    }
    decisions = await engine.decide(session, model_id, sorted(pairs))
    return changed + await write_alignment(session, model_id, decisions, account_ids)


async def align_accounts(work: UnitOfWork, engine: Engine, model_id: int, account_ids: Sequence[int]) -> int:
    """Align the opportunities of some accounts with the assignments that stand; returns how many changed."""
    standing = await queries.standing_assignments(work.session, model_id, account_ids)
    pairs = list(standing.select("object_id", "territory_id").iter_rows())
    decisions = await engine.decide(work.session, model_id, pairs)
    return await write_alignment(work.session, model_id, decisions, account_ids)


async def reassign_accounts(work: UnitOfWork, engine: Engine, account_ids: Sequence[int]) -> None:
    """Re-evaluate changed accounts in the active model, in the transaction that changed them."""
    model_id = await active_model_id(work.session)
    if model_id is None or not account_ids:
        return
    await work.lock_stream(model_id)
    follow = follow_accounts if len(account_ids) <= FEW else run_accounts
    if await follow(work, engine, model_id, account_ids):
        await models.note_run(work, await models.lock_for_system(work, model_id))


async def realign_opportunities(work: UnitOfWork, engine: Engine, opportunity_ids: Sequence[int]) -> None:
    """Align changed opportunities of the active model anew: their accounts decide."""
    model_id = await active_model_id(work.session)
    found = sorted(await crm.accounts_of_opportunities(work.session, opportunity_ids))
    if model_id is None or not found:
        return
    await work.lock_stream(model_id)
    if await align_accounts(work, engine, model_id, found):
        await models.note_run(work, await models.lock_for_system(work, model_id))


async def run_model(
    work: UnitOfWork,
    engine: Engine,
    model_id: int,
    scope: RunScope = EVERYTHING,
    report: Callable[[str, int, int], None] = _unnoticed,
) -> int:
    """A run of a model whose assignments are rows; returns how many changed. Streams are locked in order.

    One transaction: what stops it leaves everything as before, and running it again does the rest. report: is told the
    step, how many are done and how many there are.
    """
    await work.lock_stream(CRM_STREAM)
    model = await models.lock_for_system(work, model_id)
    await work.session.execute(text("SET LOCAL statement_timeout = 0"))  # as long as it takes for all accounts
    report("computing assignments", 0, STEPS)
    if scope.changed_since is not None:
        changed = await run_changed(work, engine, model_id, scope.changed_since)
    elif scope.territory_id is not None:
        changed = await run_subtree(work, engine, model_id, scope.territory_id)
    else:
        found = await engine.derive(work.session, model_id)
        changed = await _write(work, model_id, found, None, report)
    await models.note_run(work, model)
    report("done", STEPS, STEPS)
    return changed


async def run_changed(work: UnitOfWork, engine: Engine, model_id: int, since: int) -> int:
    """Compute only accounts that changed, or whose opportunities did, after a number of the crm stream."""
    accounts = await crm.accounts_changed_since(work.session, since)
    return await run_accounts(work, engine, model_id, accounts) if accounts else 0


async def run_subtree(work: UnitOfWork, engine: Engine, model_id: int, territory_id: int) -> int:
    """Compute only what a territory and those below it have; assignments elsewhere stay as they are."""
    session: WriteSession = work.session
    found = await engine.derive(session, model_id)
    inside = pl.Series(found.subtree(territory_id), dtype=pl.Int64).implode()
    here = pl.col("territory_id").is_in(inside)
    standing = await queries.standing_assignments(session, model_id)
    wanted = found.ruled()
    changes = await asyncio.to_thread(lambda: difference(standing.filter(here), wanted.filter(here)))
    touched = {*wanted.filter(here)["object_id"].to_list(), *standing.filter(here)["object_id"].to_list()}
    changed = await write_difference(session, model_id, changes, work.now)
    return changed + await align_accounts(work, engine, model_id, sorted(touched))
