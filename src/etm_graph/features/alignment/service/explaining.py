"""Explaining assignments and the alignment of opportunities, one at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import Row

from etm_graph.core.errors import NotFound
from etm_graph.core.explaining import Circumstances, PairExplanation, explain_pair
from etm_graph.core.lifecycle import ModelState
from etm_graph.core.opportunities import (
    AlignmentCause,
    AlignmentReason,
    Candidate,
    Standing,
    align,
    judge,
)
from etm_graph.db.sessions import ReadSession
from etm_graph.features.alignment import queries
from etm_graph.features.alignment.service.engine import STORED, Engine
from etm_graph.features.crm import queries as crm
from etm_graph.features.models import queries as models
from etm_graph.features.rules.queries import load_rule_set
from etm_graph.features.territories import queries as territories


@dataclass(frozen=True, slots=True)
class ExplainedAssignment:
    """Why an account is or is not in a territory.

    pair: verdict and reasons. excluded, note: of the exclusion. frozen: whether runs leave the account alone. since: when
    the stored assignment began.
    """

    pair: PairExplanation
    frozen: bool
    excluded: bool
    note: str | None
    since: datetime | None


@dataclass(frozen=True, slots=True)
class ExplainedCandidate:
    """A territory of an opportunity's account, and how far it came."""

    candidate: Candidate
    standing: Standing


@dataclass(frozen=True, slots=True)
class ExplainedOpportunity:
    """Where an opportunity rolls up in a model, and why. candidates: best first."""

    territory_id: int | None
    cause: AlignmentCause
    reason: AlignmentReason
    candidates: Sequence[ExplainedCandidate]


def _values(frame: pl.DataFrame) -> Mapping[str, object]:
    """An account's fields as rules see them; a place without both coordinates is missing."""
    row = frame.row(0, named=True)
    known = row["latitude"] is not None and row["longitude"] is not None
    return {**row, "location": (row["latitude"], row["longitude"]) if known else None}


async def explain_assignment(
    session: ReadSession, engine: Engine, territory_id: int, model: Row[Any], account_id: int
) -> ExplainedAssignment:
    """Why an account is or is not in a territory, as the session sees it; whoever asks.

    model: of the territory: id, state. Raises `NotFound` for an unknown account.
    """
    frame = await engine.facts(session, [account_id])
    if frame.is_empty():
        raise NotFound("There is no such account.", field=["accountId"])
    rule_set = await load_rule_set(session, model.id, await crm.account_fields(session))
    active = await models.active_model_id(session)
    pair = await queries.pair_of(session, territory_id, account_id, active)
    stored = ModelState(model.state) in STORED
    found = Circumstances(
        manual=bool(pair.manual),
        excluded=bool(pair.excluded),
        frozen=bool(pair.frozen),
        carried=bool(pair.carried),
        stored=bool(pair.by_rule) if stored else None,
    )
    explained = explain_pair(rule_set, _values(frame), territory_id, found)
    return ExplainedAssignment(explained, found.frozen, found.excluded, pair.note, pair.since)


async def _candidates(session: ReadSession, engine: Engine, model: Row[Any], account_id: int) -> list[Candidate]:
    found = await engine.assignments(session, model.id, ModelState(model.state))
    ids = set(found.pairs.filter(pl.col("object_id") == account_id)["territory_id"].to_list())
    priorities = {row.type_id: row.priority for row in await models.type_priorities(session, [model.id])}
    nodes = [row for row in await territories.all_nodes(session, model.id) if row.id in ids]
    candidates = [Candidate(row.id, priorities.get(row.type_id, 0), row.depth) for row in nodes]
    return sorted(candidates, key=lambda one: (-one.type_priority, -one.depth, one.territory_id))


async def _kept(
    session: ReadSession, model: Row[Any], opportunity: Row[Any]
) -> tuple[int | None, AlignmentCause, AlignmentReason] | None:
    """What holds whatever the policy says: what is stored, and in a draft what people or exclusions keep."""
    stored = ModelState(model.state) in STORED
    source = model.id if stored else await models.active_model_id(session)
    row = (
        None if source is None else (await queries.alignments_of(session, source, [opportunity.id])).get(opportunity.id)
    )
    if row is not None and (stored or row.cause != AlignmentCause.POLICY.value):
        here = row.territory_id
        if not stored and here is not None:
            here = await territories.namesake(session, here, model.id)
        return here, AlignmentCause(row.cause), AlignmentReason(row.reason)
    if opportunity.excluded_from_territory_assignment:
        return None, AlignmentCause.KEPT, AlignmentReason.EXCLUDED
    return None


async def explain_opportunity(
    session: ReadSession, engine: Engine, model: Row[Any], opportunity: Row[Any]
) -> ExplainedOpportunity:
    """Where an opportunity rolls up in a model and why, as the session sees it; whoever asks."""
    candidates = await _candidates(session, engine, model, opportunity.account_id)
    shown = [
        ExplainedCandidate(candidate, standing)
        for candidate, standing in zip(candidates, judge(candidates), strict=True)
    ]
    kept = await _kept(session, model, opportunity)
    if kept is not None:
        return ExplainedOpportunity(*kept, shown)
    decision = align(candidates)
    return ExplainedOpportunity(decision.territory_id, AlignmentCause.POLICY, decision.reason, shown)
