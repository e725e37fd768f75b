"""Computing balance, suggesting moves, and putting them into a draft."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import Any

import polars as pl
from sqlalchemy import Row, text

from etm_graph.access.filters import to_polars, visible_predicate
from etm_graph.access.viewer import Viewer
from etm_graph.core.access import Act, Kind
from etm_graph.core.balance import Evenness, Move, Unit, evenness, index, suggest
from etm_graph.core.errors import Forbidden, Invalid, LimitExceeded, NotFound, WrongState
from etm_graph.core.lifecycle import ModelState
from etm_graph.db.sessions import ReadSession
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.alignment.service import Engine, assign_account, exclude_account, unassign_account
from etm_graph.features.forecasts.queries import people
from etm_graph.features.models import service as models
from etm_graph.features.reports.queries import rows
from etm_graph.features.reports.queries.kept import weights_of
from etm_graph.features.reports.service import Sources, territory_loads
from etm_graph.features.territories import queries as territories

MEASURES = ("accounts", "revenue", "pipeline", "effort")
MOVES_MAX = 200
UNITS_MAX = 300
"""Accounts of a territory that are looked at for moving, the largest first."""


@dataclass(frozen=True, slots=True)
class TerritoryBalance:
    """One territory in which work is done. index: the mean is 1. quota: in whole cents. members: user ids."""

    id: int
    path: str
    load: Mapping[str, Fraction]
    index: Fraction
    quota: Fraction
    members: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Balance:
    """A model's balance, of the territories that the caller may see: for potential and for quota, and by person."""

    territories: Sequence[TerritoryBalance]
    potential: Evenness
    quota: Evenness
    people: Mapping[int, Fraction]
    by_person: Evenness


def _weights(row: Row[Any]) -> dict[str, Fraction]:
    return {name: Fraction(getattr(row, name)) for name in MEASURES}


def _leaves(frame: pl.DataFrame) -> pl.DataFrame:
    """Territories in which work is done: those without others below, and those that have accounts themselves."""
    paths = frame["path"].to_list()
    above = {path[: path.rstrip("/").rfind("/") + 1] for path in paths}
    return frame.filter(~pl.col("path").is_in(sorted(above)) | (pl.col("accounts") > 0)).sort("path")


async def balance_of(sources: Sources, viewer: Viewer, *, within: str = "/", day: date | None = None) -> Balance:
    """The balance of a model's territories below a path. day: quotas of periods that it is in are compared.

    Raises `Forbidden` for those who may not read money of reports.
    """
    allowed = visible_predicate(viewer.access, viewer.principal, Kind.REPORT, Act.READ_MONEY, viewer.now)
    if not allowed.regions:
        raise Forbidden("Balance tells amounts; it takes a role that may see the money of reports.")
    weights = await weights_of(sources.session, sources.model_id)
    frame = _leaves(await territory_loads(sources, weights.effort_field))
    seen = frame.with_columns(
        pl.lit(sources.state.value).alias("state_"), pl.lit(sources.model_id).alias("model_")
    ).filter(
        to_polars(allowed, state="state_", model_id="model_", path="path", owner=None),
        pl.col("path").str.starts_with(within),
    )
    loads = [{name: Fraction(row[name]) for name in MEASURES} for row in seen.iter_rows(named=True)]
    indices = index(loads, _weights(weights))
    quotas = await _quotas(sources, day)
    members = await territories.member_ids(sources.session, sources.model_id)
    found = [
        TerritoryBalance(number, path, load, value, quotas.get(number, Fraction(0)), tuple(members.get(number, ())))
        for number, path, load, value in zip(
            seen["territory_id"].to_list(), seen["path"].to_list(), loads, indices, strict=True
        )
    ]
    shared = _by_person(found)
    return Balance(
        found,
        evenness(indices),
        evenness([territory.quota for territory in found]),
        shared,
        evenness(list(shared.values())),
    )


def _by_person(found: Sequence[TerritoryBalance]) -> Mapping[int, Fraction]:
    """The index of each person: a territory's is shared equally by its members."""
    shares: dict[int, Fraction] = {}
    for territory in found:
        for user in territory.members:
            shares[user] = shares.get(user, Fraction(0)) + territory.index / len(territory.members)
    return shares


async def _quotas(sources: Sources, day: date | None) -> Mapping[int, Fraction]:
    kinds = {row.id: row.developer_name for row in await people.list_quota_kinds(sources.session)}
    told = await people.quotas_within(sources.session, [sources.model_id], date.min, date.max)
    sums: dict[int, Fraction] = {}
    for row in told:
        whole = row.user_id is None and row.product_family is None and kinds[row.kind_id] == people.DEFAULT_KIND
        if whole and (day is None or row.period_start <= day <= row.period_end):
            sums[row.territory_id] = sums.get(row.territory_id, Fraction(0)) + Fraction(row.amount) * 100
    return sums


async def _units(sources: Sources, found: Sequence[TerritoryBalance], effort_field: str | None) -> list[Unit]:
    """Accounts that are in exactly one territory, with their loads, the largest revenue first."""
    place_of = {territory.id: place for place, territory in enumerate(found)}
    assigned = await sources.engine.assignments(sources.session, sources.model_id, sources.state)
    single = assigned.pairs.filter(pl.len().over("object_id") == 1).select(
        pl.col("object_id").alias("account_id"), "territory_id"
    )
    book = await sources.cube.book(sources.session, sources.model_id, sources.state)
    is_open = ~pl.col("category").is_in(["CLOSED", "OMITTED"])
    money = book.rows().filter(is_open & pl.col("territory_id").is_not_null())
    pipeline = money.group_by("account_id").agg(pl.col("cents").sum().alias("pipeline"))
    frame = (
        single.filter(pl.col("territory_id").is_in(list(place_of)))
        .join(await rows.accounts(sources.session, effort_field), on="account_id")
        .join(pipeline, on="account_id", how="left")
        .with_columns(pl.col("pipeline").fill_null(0), accounts=pl.lit(1))
        .sort("revenue", "account_id", descending=[True, False])
        .group_by("territory_id", maintain_order=True)
        .head(UNITS_MAX)
    )
    return [
        Unit(row["account_id"], place_of[row["territory_id"]], {name: Fraction(row[name]) for name in MEASURES})
        for row in frame.iter_rows(named=True)
    ]


async def suggest_moves(
    sources: Sources, viewer: Viewer, *, within: str = "/", most: int = 10
) -> tuple[Balance, list[Move]]:
    """Moves of accounts between territories under the same parent that make a model more even, best first."""
    if not 0 < most <= MOVES_MAX:
        raise LimitExceeded(f"At most {MOVES_MAX} moves are suggested at a time; {most} were asked for.")
    balance = await balance_of(sources, viewer, within=within)
    found = balance.territories
    weights = await weights_of(sources.session, sources.model_id)
    units = await _units(sources, found, weights.effort_field)
    parents: dict[str, list[int]] = {}
    for place, territory in enumerate(found):
        parents.setdefault(territory.path[: territory.path.rstrip("/").rfind("/") + 1], []).append(place)
    targets = {place: [other for other in group if other != place] for group in parents.values() for place in group}
    loads = [territory.load for territory in found]
    return balance, await asyncio.to_thread(suggest, loads, units, _weights(weights), targets, most)


@dataclass(frozen=True, slots=True)
class MoveWish:
    """An account to move from one territory to another."""

    account_id: int
    source_id: int
    target_id: int


async def apply_moves(work: UnitOfWork, engine: Engine, model_id: int, wishes: Sequence[MoveWish]) -> int:
    """Put moves into a draft as one change set; returns the model's id.

    What a rule assigns is excluded from where it was, what a hand did is taken back; then it is assigned by hand.
    Raises `WrongState` outside PLANNING, `NotFound` when an account is not where it is moved from, `Invalid`.
    """
    if not 0 < len(wishes) <= MOVES_MAX:
        raise LimitExceeded(f"A change set has 1 to {MOVES_MAX} moves; these are {len(wishes)}.")
    if len({wish.account_id for wish in wishes}) != len(wishes):
        raise Invalid("An account is moved once.", field=["moves"])
    model = await models.lock_model(work, model_id)
    if model.state is not ModelState.PLANNING:
        raise WrongState(f"{model.name} is {model.state}; moves are put into a draft. Clone it and use the clone.")
    assigned = await engine.assignments(work.session, model_id, model.state)
    places = {row.id: row.model_id for row in await territories.places_of(work.session, {w.target_id for w in wishes})}
    for wish in wishes:
        here = (pl.col("object_id") == wish.account_id) & (pl.col("territory_id") == wish.source_id)
        pair = assigned.pairs.filter(here)
        if pair.is_empty() or places.get(wish.target_id) != model_id:
            raise NotFound(
                "An account is not where it is to be moved from, or the target is not there.", field=["moves"]
            )
        manual, by_rule = pair["manual"][0], pair["by_rule"][0]
        await assign_account(work, engine, wish.target_id, wish.account_id)
        if manual:
            await unassign_account(work, engine, wish.source_id, wish.account_id)
        if by_rule:
            await exclude_account(work, engine, wish.source_id, wish.account_id, "Moved for balance")
    return model_id


async def history(sources: Sources, viewer: Viewer, moments: Sequence[datetime]) -> list[Evenness]:
    """How even accounts and their revenue were at earlier moments: who was assigned then, at today's amounts.

    Nothing for who may see the money of no territory.
    """
    balance = await balance_of(sources, viewer)
    known = {territory.id: place for place, territory in enumerate(balance.territories)}
    if not known:
        return []
    weights = await weights_of(sources.session, sources.model_id)
    revenue = dict((await rows.accounts(sources.session)).select("account_id", "revenue").iter_rows())
    standing = await _standing(sources.session, sources.model_id)
    answer = []
    for moment in moments:
        loads = [dict.fromkeys(MEASURES, Fraction(0)) for _ in known]
        for row in standing:
            place = known.get(row.territory_id)
            if place is not None and row.since <= moment and (row.until is None or row.until > moment):
                loads[place]["accounts"] += 1
                loads[place]["revenue"] += revenue.get(row.account_id, 0)
        answer.append(evenness(index(loads, _weights(weights))))
    return answer


async def _standing(session: ReadSession, model_id: int) -> Sequence[Row[Any]]:
    statement = "SELECT account_id, territory_id, since, until FROM account_assignment WHERE model_id = :model"
    return await session.rows(text(statement).bindparams(model=model_id))
