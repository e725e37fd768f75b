"""The engine: who is assigned to what in any model, at the position that an answer names.

Drafts are derived by rules and never written; active and archived models are read from their rows. Both are the same
arrays afterwards, kept for the last few positions. After an edit only what it touches is computed anew.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import polars as pl

from etm_graph.analytics.aligning import Territories, align_all
from etm_graph.analytics.arrays import Floats, Ints
from etm_graph.analytics.copies import Copy, Snapshot
from etm_graph.analytics.matching import Matches, match_again, match_all
from etm_graph.analytics.plans import Plan, make_plan
from etm_graph.analytics.pointwise import match_one
from etm_graph.analytics.preparing import prepare
from etm_graph.analytics.segments import Segment
from etm_graph.analytics.settling import FROZEN, PeoplesWill, Settled, make_pairs, places_by_id, settle, will_of
from etm_graph.core.assignment import Rule
from etm_graph.core.changes import CRM_STREAM
from etm_graph.core.criteria import FieldDef
from etm_graph.core.lifecycle import ModelState
from etm_graph.core.opportunities import AlignmentPolicy, align
from etm_graph.db.sessions import ReadSession
from etm_graph.events.log import read_heads
from etm_graph.features.alignment import queries
from etm_graph.features.alignment.service.answers import Assignments, Sums, decisions_frame
from etm_graph.features.crm import queries as crm
from etm_graph.features.models.queries import active_model_id
from etm_graph.features.rules.queries import load_rule_set

KEPT = 6
"""Positions whose answers are kept in memory."""

STORED = frozenset({ModelState.ACTIVE, ModelState.ARCHIVING, ModelState.ARCHIVING_FAILED, ModelState.ARCHIVED})
"""States in which a model's assignments are rows."""

Position = tuple[int, int, int, str]
"""Model, its head, the crm stream's head, the columns' signature."""

Kept = TypeVar("Kept")


@dataclass(frozen=True, eq=False)
class Layout:
    """A model's rules and territories. key: the number of its structure, and the fields that rules may name."""

    key: tuple[int, tuple[FieldDef, ...]]
    plan: Plan
    territories: Territories


@dataclass(frozen=True, slots=True)
class JudgedAccount:
    """An account, whether runs leave it alone, and the territories that rules give it to, with the rules behind each."""

    account_id: int
    frozen: bool
    territories: Mapping[int, tuple[int, ...]]


def _territories(plan: Plan, found: Mapping[int, tuple[int, ...]]) -> Mapping[int, tuple[int, ...]]:
    return {int(plan.territory_ids[place]): rules for place, rules in found.items()}


def located(row: Mapping[str, object]) -> Mapping[str, object]:
    """An account's facts with its location as a pair, which is missing when one side is."""
    known = row["latitude"] is not None and row["longitude"] is not None
    return {**row, "location": (row["latitude"], row["longitude"]) if known else None}


class Engine:
    """Assignments of any model, and what they sum up to. policy: decides where opportunities go."""

    def __init__(self, accounts: Copy, policy: AlignmentPolicy = align) -> None:
        self._accounts = accounts
        self._policy = policy
        self._kept: OrderedDict[Position, Assignments] = OrderedDict()
        self._sums: OrderedDict[Position, Mapping[int, Sums]] = OrderedDict()
        self._layouts: OrderedDict[int, Layout] = OrderedDict()
        self._matches: OrderedDict[int, Matches] = OrderedDict()
        self._rules: dict[tuple[int, int], Rule] = {}
        self._pipeline: tuple[int, str, pl.DataFrame] | None = None

    def forget(self) -> None:
        """Forget all that was computed, as after a start."""
        for kept in (self._kept, self._sums, self._layouts, self._matches):
            kept.clear()
        self._rules.clear()

    async def snapshot(self, session: ReadSession) -> Snapshot:
        """All accounts as rules see them, as the session sees them."""
        return await self._accounts.at(session)

    async def facts(self, session: ReadSession, account_ids: Sequence[int]) -> pl.DataFrame:
        """Some accounts as rules see them, as the session sees them, its own writes included."""
        fields = await crm.account_fields(session)
        listed = ",".join(str(int(account_id)) for account_id in account_ids)
        return prepare(await crm.account_facts(session, fields, f"a.id IN ({listed})"), fields.values())

    async def assignments(self, session: ReadSession, model_id: int, state: ModelState) -> Assignments:
        """A model's assignments as the session sees them."""
        position, snapshot = await self._position(session, model_id)
        found = self._kept.get(position)
        if found is None:
            layout = await self.layout(session, model_id)
            if state in STORED:
                settled = _stored(await queries.standing_assignments(session, model_id), snapshot, layout)
            else:
                settled = await self._derive(session, model_id, snapshot, layout)
            decided = await asyncio.to_thread(align_all, settled.rows, settled.places, layout.territories, self._policy)
            found = Assignments(snapshot, layout.territories, settled, decided, position[1], position[2])
            _keep(self._kept, position, found)
        return found

    async def _position(self, session: ReadSession, model_id: int) -> tuple[Position, Snapshot]:
        snapshot = await self.snapshot(session)
        heads = await read_heads(session, [model_id, CRM_STREAM])
        signature = snapshot.signature
        if len(snapshot.rows_where(FROZEN)):
            active = await active_model_id(session)
            signature += f":{active}:{0 if active is None else (await read_heads(session, [active]))[active].head}"
        return (model_id, heads[model_id].head, heads[CRM_STREAM].head, signature), snapshot

    async def layout(self, session: ReadSession, model_id: int) -> Layout:
        """A model's rules and territories as the session sees them; kept until its structure changes."""
        fields = await crm.account_fields(session)
        key = (await read_heads(session, [model_id]))[model_id].structure_head, tuple(fields.values())
        found = self._layouts.get(model_id)
        if found is None or found.key != key:
            rule_set = await load_rule_set(session, model_id, fields, self._rules)
            plan = await asyncio.to_thread(make_plan, rule_set)
            found = Layout(key, plan, await queries.aligned_territories(session, model_id))
            _keep(self._layouts, model_id, found)
        return found

    async def _derive(self, session: ReadSession, model_id: int, snapshot: Snapshot, layout: Layout) -> Settled:
        """What rules, hands, exclusions and freezes make of all accounts (docs/domain.md, "Rules")."""
        will = await self._will(session, model_id, snapshot, layout.plan.territory_ids)
        base, overlay = await asyncio.to_thread(self._match, model_id, snapshot, layout.plan)
        return await asyncio.to_thread(settle, snapshot, base, overlay, will)

    def _match(self, model_id: int, snapshot: Snapshot, plan: Plan) -> tuple[Matches, Matches]:
        before = self._matches.get(model_id)
        if before is None or before.segment is not snapshot.base:
            base = match_all(plan, snapshot.base)
        else:
            base = match_again(before, plan)
        _keep(self._matches, model_id, base)
        return base, match_all(plan, snapshot.overlay)

    async def derive(self, session: ReadSession, model_id: int) -> Assignments:
        """What a model's rules, hands, exclusions and freezes make of all accounts, whatever its state."""
        position, snapshot = await self._position(session, model_id)
        layout = await self.layout(session, model_id)
        settled = await self._derive(session, model_id, snapshot, layout)
        decided = await asyncio.to_thread(align_all, settled.rows, settled.places, layout.territories, self._policy)
        return Assignments(snapshot, layout.territories, settled, decided, position[1], position[2])

    async def derive_some(self, session: ReadSession, model_id: int, account_ids: Sequence[int]) -> Assignments:
        """The same of some accounts only, as the session sees them, its own writes included."""
        base = Segment(await self.facts(session, account_ids))
        snapshot = Snapshot(base, Segment(base.frame.clear()), np.empty(0, np.int64), 0, "")
        layout = await self.layout(session, model_id)
        will = await self._will(session, model_id, snapshot, layout.plan.territory_ids)
        matches = (match_all(layout.plan, snapshot.base), match_all(layout.plan, snapshot.overlay))
        settled = settle(snapshot, *matches, will)
        decided = align_all(settled.rows, settled.places, layout.territories, self._policy)
        return Assignments(snapshot, layout.territories, settled, decided, 0, 0)

    @staticmethod
    async def _will(session: ReadSession, model_id: int, snapshot: Snapshot, territory_ids: Ints) -> PeoplesWill:
        manual = await queries.manual_assignments(session, model_id)
        excluded = await queries.exclusions(session, model_id)
        carried = manual.clear()
        if len(snapshot.rows_where(FROZEN)):
            carried = await queries.frozen_assignments(session, await active_model_id(session), model_id)
        return will_of(snapshot, territory_ids, manual, excluded, carried)

    async def judge(self, session: ReadSession, model_id: int, account_ids: Sequence[int]) -> Sequence[JudgedAccount]:
        """What a model's rules make of a few accounts, as the session sees them, its own writes included."""
        facts = await self.facts(session, account_ids)
        plan = (await self.layout(session, model_id)).plan
        return [
            JudgedAccount(
                row["id"], frozen=bool(row[FROZEN]), territories=_territories(plan, match_one(plan, located(row)))
            )
            for row in facts.iter_rows(named=True)
        ]

    async def decide(self, session: ReadSession, model_id: int, pairs: Sequence[tuple[int, int]]) -> pl.DataFrame:
        """Where opportunities of accounts go: account_id, territory_id, reason. pairs: account and territory."""
        territories = (await self.layout(session, model_id)).territories
        objects, ids = np.array(sorted(pairs), np.int64).reshape(-1, 2).T
        decided = align_all(objects, places_by_id(territories.ids, ids), territories, self._policy)
        return decisions_frame(decided.rows, decided, territories)

    async def sums(self, session: ReadSession, model_id: int, state: ModelState) -> Mapping[int, Sums]:
        """Each territory's accounts, revenue and open pipeline, in corporate currency, by territory."""
        position, snapshot = await self._position(session, model_id)
        found = self._sums.get(position)
        if found is None:
            assignments = await self.assignments(session, model_id, state)
            pipeline = await self._pipeline_at(session, position[2], snapshot)
            found = await asyncio.to_thread(assignments.sums, pipeline)
            _keep(self._sums, position, found)
        return found

    async def _pipeline_at(self, session: ReadSession, crm_seq: int, snapshot: Snapshot) -> Floats:
        """Open pipeline by row of the snapshot."""
        if self._pipeline is None or self._pipeline[:2] != (crm_seq, snapshot.signature):
            self._pipeline = (crm_seq, snapshot.signature, await crm.pipeline_by_account(session))
        frame = self._pipeline[2]
        by_row = np.zeros(snapshot.base.height + snapshot.overlay.height)
        rows = snapshot.rows(frame["account_id"].to_numpy())
        by_row[rows[rows >= 0]] = frame["pipeline"].to_numpy()[rows >= 0]
        return by_row


def _keep(where: "OrderedDict[Key, Kept]", key: "Key", value: Kept) -> None:
    where[key] = value
    where.move_to_end(key)
    while len(where) > KEPT:
        where.popitem(last=False)


Key = TypeVar("Key")


def _stored(pairs: pl.DataFrame, snapshot: Snapshot, layout: Layout) -> Settled:
    """Rows of the database in the engine's form."""
    rows = snapshot.rows(pairs["object_id"].to_numpy())
    places = places_by_id(layout.plan.territory_ids, pairs["territory_id"].to_numpy())
    known = np.flatnonzero((rows >= 0) & (places >= 0))
    order = known[np.lexsort((places[known], rows[known]))]
    lists = pairs["rules"].unique().sort()
    causes = [tuple(int(number) for number in text.split()) for text in lists]
    cause = lists.search_sorted(pairs["rules"]).to_numpy()
    return Settled(
        make_pairs(rows, places),
        pairs["manual"].to_numpy()[order],
        pairs["by_rule"].to_numpy()[order],
        cause[order].astype(np.int64),
        tuple(causes),
    )
