"""A view: a grid with what people say about it, quotas and adjustments, carried up the tree."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from sqlalchemy import Row

from etm_graph.core.calendar import Period, PeriodKind, is_finer
from etm_graph.core.carrying import Said, carry
from etm_graph.core.lifecycle import ModelState
from etm_graph.core.money import to_cents
from etm_graph.core.rollup import MEASURED, ZERO, Measure, adjust, bottom_up
from etm_graph.db.sessions import ReadSession
from etm_graph.features.crm import queries as crm
from etm_graph.features.forecasts.queries import people
from etm_graph.features.forecasts.service.cube import Book, ForecastCube
from etm_graph.features.forecasts.service.grid import Grid
from etm_graph.features.models.queries import active_model_id


class Basis(StrEnum):
    """Which of a cell's amounts."""

    OWN = "OWN"
    ROLLED_UP = "ROLLED_UP"
    WITHOUT_MANAGER = "WITHOUT_MANAGER"
    ADJUSTED = "ADJUSTED"


@dataclass(frozen=True, slots=True)
class Quotas:
    """One period's quotas of one kind by place: the territory's, its people's, and what is below it.

    inherited: places whose quota is the active model's.
    """

    territory: Mapping[int, Decimal]
    people: Mapping[int, Decimal]
    below: Mapping[int, Decimal]
    inherited: frozenset[int]


@dataclass(frozen=True, slots=True)
class View:
    """A grid with quotas and adjustments.

    without, whole: by how many cents adjustments move a total, by (period, measure, place). unadjustable: periods that
    are finer than adjustments are.
    """

    book: Book
    grid: Grid
    family: str | None
    quotas: Sequence[Quotas]
    without: Mapping[tuple[int, Measure, int], int] = field(default_factory=dict)
    whole: Mapping[tuple[int, Measure, int], int] = field(default_factory=dict)
    unadjustable: frozenset[int] = frozenset()

    def cents(self, basis: Basis, measure: Measure, period: int, place: int) -> int | None:
        """An amount in cents; None where adjustments say nothing about such a period."""
        if basis is Basis.OWN:
            return self.grid.sums(measure, period, place, own=True)[0]
        total = self.grid.sums(measure, period, place, own=False)[0]
        if basis is Basis.ROLLED_UP:
            return total
        if self.family is not None or period in self.unadjustable:
            return None
        moved = self.without if basis is Basis.WITHOUT_MANAGER else self.whole
        return total + moved.get((period, measure, place), 0)


def local_day(now: datetime, time_zone: str) -> Any:  # noqa: ANN401 - a date
    """The day that it is in a time zone."""
    return now.astimezone(ZoneInfo(time_zone)).date()


async def make_view(
    session: ReadSession,
    cube: ForecastCube,
    model_id: int,
    state: ModelState,
    periods: Sequence[Period],
    *,
    family: str | None = None,
    kind: str = people.DEFAULT_KIND,
) -> View:
    """The forecast of a model for some periods, which do not overlap: a fixed number of statements."""
    book = await cube.book(session, model_id, state)
    grid = await cube.grid(book, periods, family)
    start, end = min(p.start for p in periods), max(p.end for p in periods)
    sources = await _sources(session, model_id, state)
    quotas = _own_and_inherited(
        await people.quotas_within(session, list(sources), start, end), model_id, sources, quota_key
    )
    kinds = {row.id: row.developer_name for row in await people.list_quota_kinds(session)}
    wanted = [row for row in quotas if kinds[row.row.kind_id] == kind and row.row.product_family == family]
    counted = [_quotas(wanted, book, period) for period in periods]
    view = View(book, grid, family, counted)
    adjustments = _own_and_inherited(
        await people.adjustments_within(session, list(sources), start, end), model_id, sources, adjustment_key
    )
    finest = PeriodKind((await crm.organisation_of(session)).adjustment_period)
    coarse = frozenset(place for place, period in enumerate(periods) if is_finer(period.kind, finest))
    if family is not None:
        return view
    if not adjustments:
        return View(book, grid, family, counted, unadjustable=coarse)
    without, whole = await _adjusted(cube, book, grid, adjustments)
    return View(book, grid, family, counted, without, whole, coarse)


@dataclass(frozen=True, slots=True)
class Spoken:
    """A quota or adjustment in the model that it is shown in. inherited: it is that of the active model's namesake."""

    row: Row[Any]
    developer_name: str
    inherited: bool


async def _sources(session: ReadSession, model_id: int, state: ModelState) -> Mapping[int, Any]:
    """The models whose words count: the model's own and, for a draft, the active one's; with today."""
    active = await active_model_id(session) if people.shows_inherited(state) else None
    zone = (await crm.organisation_of(session)).time_zone
    today = local_day(datetime.now(UTC), zone)
    return {model_id: today} if active is None else {model_id: today, active: today}


def quota_key(row: Row[Any]) -> tuple[object, ...]:
    """What a quota is known by, beside its territory."""
    return ("quota", row.period, row.kind_id, row.user_id, row.product_family)


def adjustment_key(row: Row[Any]) -> tuple[object, ...]:
    """What an adjustment is known by, beside its territory."""
    return ("adjustment", row.period, row.measure, row.user_id, row.owner_id)


def said_of(rows: Sequence[Row[Any]], key: Any) -> list[Said]:  # noqa: ANN401 - quota_key or adjustment_key
    """Rows as what is carried from model to model."""
    return [Said(row.developer_name, key(row), row.period_end, row.written_at, place) for place, row in enumerate(rows)]


def _own_and_inherited(
    rows: Sequence[Row[Any]],
    model_id: int,
    sources: Mapping[int, Any],
    key: Any,  # noqa: ANN401 - quota_key or adjustment_key
) -> list[Spoken]:
    own = [row for row in rows if row.model_id == model_id]
    spoken = [Spoken(row, row.developer_name, row.inherited_from is not None) for row in own]
    former = [row for row in rows if row.model_id != model_id]
    names = {row.developer_name for row in former}
    carried = carry(said_of(former, key), said_of(own, key), names, next(iter(sources.values())), latest_wins=False)
    return [*spoken, *(Spoken(former[said.row], said.territory, inherited=True) for said in carried.copies)]


def _within(row: Row[Any], period: Period) -> bool:
    return bool(period.start <= row.period_start and row.period_end <= period.end)


def _places(book: Book) -> Mapping[str, int]:
    return {name: place for place, name in enumerate(book.tree.names)}


def _quotas(spoken: Sequence[Spoken], book: Book, period: Period) -> Quotas:
    places = _places(book)
    territory: dict[int, Decimal] = {}
    persons: dict[int, Decimal] = {}
    inherited = set()
    for item in spoken:
        place = places.get(item.developer_name)
        if place is None or not _within(item.row, period):
            continue
        into = territory if item.row.user_id is None else persons
        into[place] = into.get(place, ZERO) + item.row.amount
        if item.inherited:
            inherited.add(place)
    return Quotas(territory, persons, bottom_up(book.tree.parents, territory, persons), frozenset(inherited))


Moves = dict[tuple[int, Measure, int], int]


async def _adjusted(cube: ForecastCube, book: Book, grid: Grid, spoken: Sequence[Spoken]) -> tuple[Moves, Moves]:
    """By how much adjustments move totals; those of a finer period than a cell's are added up in it."""
    spans = {(item.row.period_start, item.row.period_end): item.row.period for item in spoken}
    exact = {(period.start, period.end): place for place, period in enumerate(grid.periods)}
    if set(spans) <= set(exact):
        fine, at = grid, exact
    else:
        kinds = [Period(PeriodKind.QUARTER, spans[span], *span) for span in sorted(spans)]
        fine, at = await cube.grid(book, kinds), {span: place for place, span in enumerate(sorted(spans))}
    without: Moves = defaultdict(int)
    whole: Moves = defaultdict(int)
    places = _places(book)
    grouped: dict[tuple[tuple[Any, Any], Measure], list[Spoken]] = defaultdict(list)
    for item in spoken:
        if item.developer_name in places:
            grouped[(item.row.period_start, item.row.period_end), Measure(item.row.measure)].append(item)
    for (span, measure), items in grouped.items():
        cell = next(place for place, p in enumerate(grid.periods) if p.start <= span[0] and span[1] <= p.end)
        owner, manager = _words(book, places, items, span, measure)
        period = at[span]

        def total(place: int, measure: Measure = measure, period: int = period) -> int:
            return fine.sums(measure, period, place, own=False)[0]

        moved = adjust(book.tree.parents, total, owner, manager)
        for place, cents in moved.without_manager.items():
            without[cell, measure, place] += cents
        for place, cents in moved.with_all.items():
            whole[cell, measure, place] += cents
    return without, whole


def _words(
    book: Book, places: Mapping[str, int], items: Sequence[Spoken], span: tuple[Any, Any], measure: Measure
) -> tuple[dict[int, int], dict[int, int]]:
    """What owners move and managers say, by place; the manager highest in the tree is heard."""
    owner: dict[int, int] = defaultdict(int)
    manager: dict[int, int] = {}
    for item in items:
        place = places[item.developer_name]
        cents = to_cents(item.row.amount)
        if item.row.owner_id is None:
            manager.setdefault(place, cents)
        else:
            owner[place] += cents - owned(book, book.tree.ids[place], item.row.owner_id, span, measure)
    return owner, manager


def owned(book: Book, territory_id: int, owner_id: int, span: tuple[Any, Any], measure: Measure) -> int:
    """The cents of a person's own opportunities in a territory, from one day to another."""
    chosen = (
        (pl.col("territory_id") == territory_id)
        & (pl.col("owner_id") == owner_id)
        & pl.col("close_date").is_between(*span)
        & pl.col("category").is_in([category.value for category in MEASURED[measure]])
    )
    return int(book.rows().filter(chosen)["cents"].sum() or 0)
