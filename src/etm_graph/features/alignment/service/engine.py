"""The engine: who is assigned to what in any model, at the position that an answer names.

Drafts are derived by rules and never written; active and archived models are read from their rows. Both are the same
frame afterwards, kept for the last few positions.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import polars as pl

from etm_graph.analytics.aligning import align_all
from etm_graph.analytics.copies import Copy, Snapshot
from etm_graph.analytics.matching import match_all
from etm_graph.analytics.predicates import prepare
from etm_graph.core.assignment import RuleSet
from etm_graph.core.changes import CRM_STREAM
from etm_graph.core.lifecycle import ModelState
from etm_graph.db.sessions import ReadSession
from etm_graph.events.log import read_heads
from etm_graph.features.alignment import queries
from etm_graph.features.crm import queries as crm
from etm_graph.features.models.queries import active_model_id
from etm_graph.features.rules.queries import load_rule_set

KEPT = 8
"""Positions whose answers are kept in memory."""

STORED = frozenset({ModelState.ACTIVE, ModelState.ARCHIVING, ModelState.ARCHIVING_FAILED, ModelState.ARCHIVED})
"""States in which a model's assignments are rows."""


@dataclass(frozen=True, slots=True)
class Assignments:
    """A model's assignments at one position.

    pairs: object_id, territory_id, manual, by_rule, rule_ids. decisions: account_id, territory_id, reason.
    accounts: how many accounts there are. head: of the model's stream. crm_seq: of the crm stream.
    """

    pairs: pl.DataFrame
    decisions: pl.DataFrame
    accounts: int
    head: int
    crm_seq: int

    def of_territory(self, territory_id: int) -> pl.DataFrame:
        """A territory's pairs, by account."""
        return self.pairs.filter(pl.col("territory_id") == territory_id).sort("object_id")


Position = tuple[int, int, int, str]
"""Model, its head, the crm stream's head, the columns' signature."""

Kept = TypeVar("Kept")


class Engine:
    """Assignments of any model, and what they sum up to."""

    def __init__(self, accounts: Copy) -> None:
        self._accounts = accounts
        self._kept: OrderedDict[Position, Assignments] = OrderedDict()
        self._sums: OrderedDict[Position, Mapping[int, Sums]] = OrderedDict()
        self._pipeline: tuple[int, str, pl.DataFrame] | None = None

    async def snapshot(self, session: ReadSession) -> Snapshot:
        """All accounts as rules see them, as the session sees them."""
        return await self._accounts.at(session)

    async def facts(self, session: ReadSession, account_ids: Sequence[int]) -> pl.DataFrame:
        """Some accounts as rules see them, as the session sees them, its own writes included."""
        fields = await crm.account_fields(session)
        listed = ",".join(str(int(account_id)) for account_id in account_ids)
        return prepare(await crm.account_facts(session, fields, f"a.id IN ({listed})"), fields.values())

    async def _position(self, session: ReadSession, model_id: int) -> tuple[Position, Snapshot]:
        heads = await read_heads(session, [model_id, CRM_STREAM])
        snapshot = await self.snapshot(session)
        return (model_id, heads[model_id].head, heads[CRM_STREAM].head, snapshot.signature), snapshot

    async def assignments(self, session: ReadSession, model_id: int, state: ModelState) -> Assignments:
        """A model's assignments as the session sees them."""
        position, snapshot = await self._position(session, model_id)
        found = self._kept.get(position)
        if found is None:
            if state in STORED:
                pairs = await queries.standing_assignments(session, model_id)
            else:
                pairs = await self.derive(session, model_id, snapshot.frame)
            places = await queries.places(session, model_id)
            decisions = await asyncio.to_thread(align_all, pairs, places)
            found = Assignments(pairs, decisions, snapshot.frame.height, position[1], position[2])
            _keep(self._kept, position, found)
        return found

    async def derive(self, session: ReadSession, model_id: int, frame: pl.DataFrame) -> pl.DataFrame:
        """What rules, hands, exclusions and freezes make of these accounts (docs/domain.md, "Rules")."""
        rule_set = await load_rule_set(session, model_id, await crm.account_fields(session))
        manual = await queries.manual_assignments(session, model_id)
        excluded = await queries.exclusions(session, model_id)
        frozen = await queries.frozen_accounts(session)
        kept = await queries.frozen_assignments(session, await active_model_id(session), model_id) if frozen else None
        return await asyncio.to_thread(_derive, rule_set, frame, manual, excluded, frozen, kept)

    async def sums(self, session: ReadSession, model_id: int, state: ModelState) -> "Mapping[int, Sums]":
        """Each territory's accounts, revenue and open pipeline, in corporate currency, by territory."""
        position, snapshot = await self._position(session, model_id)
        found = self._sums.get(position)
        if found is None:
            assignments = await self.assignments(session, model_id, state)
            pipeline = await self._pipeline_at(session, position[2], snapshot.signature)
            found = await asyncio.to_thread(_sum_up, assignments, snapshot.frame, pipeline)
            _keep(self._sums, position, found)
        return found

    async def _pipeline_at(self, session: ReadSession, crm_seq: int, signature: str) -> pl.DataFrame:
        if self._pipeline is None or self._pipeline[:2] != (crm_seq, signature):
            self._pipeline = (crm_seq, signature, await crm.pipeline_by_account(session))
        return self._pipeline[2]


def _keep(where: OrderedDict[Position, Kept], position: Position, value: Kept) -> None:
    where[position] = value
    while len(where) > KEPT:
        where.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Sums:
    """What a territory has: accounts, their revenue, and open pipeline of the opportunities aligned to it."""

    accounts: int = 0
    annual_revenue: float = 0.0
    pipeline: float = 0.0


def _derive(
    rule_set: RuleSet,
    frame: pl.DataFrame,
    manual: pl.DataFrame,
    excluded: pl.DataFrame,
    frozen: Sequence[int],
    kept: pl.DataFrame | None,
) -> pl.DataFrame:
    ruled = match_all(rule_set, frame, excluded)
    if kept is not None:
        here = frame["id"]
        carried = kept.filter(pl.col("object_id").is_in(here.implode())).with_columns(
            pl.lit([], dtype=pl.List(pl.Int64)).alias("rule_ids")
        )
        ruled = pl.concat([ruled.filter(~pl.col("object_id").is_in(list(frozen))), carried])
    by_hand = manual.filter(pl.col("object_id").is_in(frame["id"].implode()))
    keys = ["object_id", "territory_id"]
    marked = ruled.with_columns(by_rule=pl.lit(True)).join(
        by_hand.with_columns(manual=pl.lit(True)),
        on=keys,
        how="full",
        coalesce=True,
    )
    return marked.select(
        *keys,
        pl.col("manual").fill_null(value=False),
        pl.col("by_rule").fill_null(value=False),
        pl.col("rule_ids").fill_null(pl.lit([], dtype=pl.List(pl.Int64))),
    )


def _sum_up(assignments: Assignments, frame: pl.DataFrame, pipeline: pl.DataFrame) -> Mapping[int, Sums]:
    revenue = frame.select(pl.col("id").alias("object_id"), pl.col("annual_revenue"))
    accounts = (
        assignments.pairs.join(revenue, on="object_id", how="left")
        .group_by("territory_id")
        .agg(pl.len().alias("accounts"), pl.col("annual_revenue").sum())
    )
    money = (
        assignments.decisions.drop_nulls("territory_id")
        .join(pipeline, on="account_id")
        .group_by("territory_id")
        .agg(pl.col("pipeline").sum())
    )
    rows = accounts.join(money, on="territory_id", how="full", coalesce=True).fill_null(0)
    return {row[0]: Sums(row[1], row[2], row[3]) for row in rows.iter_rows()}
