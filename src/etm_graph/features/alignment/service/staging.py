"""Writing a whole model's assignments in short transactions, so that nobody waits for them.

What is to be written is computed at one position beside everybody; each step then takes a few hundred accounts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import polars as pl
from sqlalchemy import select, text

from etm_graph.core.changes import CRM_STREAM, EntityType
from etm_graph.db.sessions import ReadSession, WriteSession
from etm_graph.events.log import read_heads
from etm_graph.events.tables import change
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.alignment import queries
from etm_graph.features.alignment.service.engine import Engine
from etm_graph.features.alignment.service.writing import write_alignment, write_assignments
from etm_graph.features.crm import queries as crm
from etm_graph.features.models.queries import active_model_id

STEP_MS = 25.0
"""Milliseconds that a step is meant to take: half of the most that it may."""

STEP_ACCOUNTS = (100, 2_000)
"""Fewest and most accounts of a step."""

DISCARD_ROWS = 2_000
"""Rows thrown away by one statement."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a model's assignments are to be, for some accounts or for all.

    pairs, decisions: as the engine gives them. accounts: whom it is about, in order. head, crm_seq: the position of the
    model's and of the crm stream that it reflects.
    """

    pairs: pl.DataFrame
    decisions: pl.DataFrame
    accounts: Sequence[int]
    head: int
    crm_seq: int


async def plan_model(
    session: ReadSession, engine: Engine, model_id: int, account_ids: Sequence[int] | None = None
) -> Plan:
    """Compute a model by its rules for some accounts or for all, as the session sees everything."""
    heads = await read_heads(session, [model_id, CRM_STREAM])
    if account_ids is None:
        found = await engine.derive(session, model_id)
    else:
        found = await engine.derive_some(session, model_id, account_ids)
    return Plan(
        found.pairs.sort("object_id"),
        found.decisions.sort("account_id"),
        sorted(found.snapshot.frame["id"].to_list()),
        heads[model_id].head,
        heads[CRM_STREAM].head,
    )


async def only_differing(session: ReadSession, model_id: int, plan: Plan) -> Plan:
    """The part of a plan about accounts whose stored assignments or opportunities are not as planned."""
    keys = ["object_id", "territory_id", "rules"]
    causes = pl.col("rule_ids").cast(pl.List(pl.String)).list.join(" ").alias("rules")
    standing = (await queries.standing_assignments(session, model_id)).filter("by_rule").select(keys)
    planned = plan.pairs.filter("by_rule").with_columns(causes).select(keys)
    moved = pl.concat([standing.join(planned, on=keys, how="anti"), planned.join(standing, on=keys, how="anti")])
    realigned = await queries.accounts_aligned_otherwise(session, model_id, plan.decisions)
    unlike = {*moved["object_id"].to_list(), *realigned}
    left = [account for account in plan.accounts if account in unlike]
    return replace(
        plan,
        pairs=plan.pairs.filter(pl.col("object_id").is_in(left)),
        decisions=plan.decisions.filter(pl.col("account_id").is_in(left)),
        accounts=left,
    )


class Steps:
    """Cuts a plan into steps that take about as long as they should, whatever the machine."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._size = 200
        self.done = 0

    @property
    def total(self) -> int:
        """How many accounts there are in all."""
        return len(self._plan.accounts)

    def __iter__(self) -> Iterator[Plan]:
        accounts = self._plan.accounts
        pair_ids, decided_ids = self._plan.pairs["object_id"], self._plan.decisions["account_id"]
        while self.done < len(accounts):
            part = accounts[self.done : self.done + self._size]
            low, high = part[0], part[-1] + 1
            pairs = slice(pair_ids.search_sorted(low), pair_ids.search_sorted(high))
            decided = slice(decided_ids.search_sorted(low), decided_ids.search_sorted(high))
            step = Plan(
                self._plan.pairs[pairs], self._plan.decisions[decided], part, self._plan.head, self._plan.crm_seq
            )
            began = perf_counter()
            yield step
            self.done += len(part)
            self._adapt((perf_counter() - began) * 1000)

    def _adapt(self, took_ms: float) -> None:
        wanted = int(self._size * min(max(STEP_MS / max(took_ms, 1.0), 0.25), 1.5))
        fewest, most = STEP_ACCOUNTS
        self._size = min(max(wanted, fewest), most)


async def write_step(work: UnitOfWork, model_id: int, step: Plan) -> int:
    """Write one step of a plan of a model that nobody else writes to; returns how many rows changed."""
    if not step.accounts:
        return 0
    changed = await write_assignments(work.session, model_id, step.pairs, work.now, step.accounts)
    source = await active_model_id(work.session)
    return changed + await write_alignment(work.session, model_id, step.decisions, step.accounts, source)


async def still_planned(session: WriteSession, model_id: int, step: Plan) -> Plan:
    """A step without the accounts that were evaluated anew since its plan was made: theirs is newer than the plan.

    The model must be locked: whatever changes an account evaluates it under the same lock.
    """
    newer = set(await crm.accounts_changed_since(session, step.crm_seq))
    by_hand = select(change.c.entity_id).where(
        change.c.stream_id == model_id,
        change.c.seq > step.head,
        change.c.entity_type.in_([EntityType.ASSIGNMENT.value, EntityType.EXCLUSION.value]),
    )
    newer |= {row.entity_id for row in await session.rows(by_hand)}
    if newer.isdisjoint(step.accounts):
        return step
    left = [account for account in step.accounts if account not in newer]
    return Plan(
        step.pairs.filter(pl.col("object_id").is_in(left)),
        step.decisions.filter(pl.col("account_id").is_in(left)),
        left,
        step.head,
        step.crm_seq,
    )


async def discard_some(session: WriteSession, model_id: int) -> int:
    """Throw away some of what was written for a model that did not come into force; 0 when nothing is left.

    Assignments by hand stay.
    """
    some = f"LIMIT {DISCARD_ROWS}"
    mine = "model_id = :model"
    statements = (
        f"DELETE FROM account_assignment WHERE id IN (SELECT id FROM account_assignment WHERE {mine} AND NOT manual {some})",
        (
            "UPDATE account_assignment SET by_rule = false, rule_ids = '{}' WHERE id IN "
            f"(SELECT id FROM account_assignment WHERE {mine} AND manual AND by_rule {some})"
        ),
        (
            f"DELETE FROM opportunity_alignment WHERE {mine} AND opportunity_id IN "
            f"(SELECT opportunity_id FROM opportunity_alignment WHERE {mine} AND cause <> 'MANUAL' {some})"
        ),
    )
    gone = 0
    for statement in statements:
        gone += (await session.execute(text(statement).bindparams(model=model_id))).rowcount
    return gone
