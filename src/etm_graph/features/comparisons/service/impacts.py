"""What a change of structure does to accounts, opportunities, money and people, as one viewer may see it."""

import asyncio
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from etm_graph.access.viewer import Viewer
from etm_graph.analytics.comparing import Effect, Standing, Totals
from etm_graph.analytics.evaluating import table_of
from etm_graph.core.access import Act, Kind
from etm_graph.core.hierarchy import is_within
from etm_graph.core.lifecycle import GROUP_OF
from etm_graph.db.sessions import ReadSession
from etm_graph.features.comparisons.service.books import Book, Books, Places
from etm_graph.features.comparisons.service.comparing import Comparison, Side
from etm_graph.features.comparisons.service.visibility import rights_of

IMPACTS_KEPT = 32
"""Impacts kept in memory: one for each pair of positions, set of rights and filter."""


@dataclass(frozen=True, slots=True)
class ImpactFilter:
    """Of what an impact is; all conditions that are given must hold.

    within: a territory's developer name; what is in its subtree. user_name: what the user has as a member. account_id: the
    account and its opportunities.
    """

    within: str | None = None
    user_name: str | None = None
    account_id: int | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What a viewer may see of one side: by place, the assignments, the members, the amounts."""

    seen: frozenset[int]
    members: frozenset[int]
    money: frozenset[int]


@dataclass(frozen=True)
class Impact:
    """What a comparison does, as one viewer may see it.

    money: whether the viewer may see all the amounts in it. base_view, other_view: what may be seen of each side.
    """

    base: Side
    other: Side
    effect: Effect
    places: Places
    base_paths: Mapping[int, str]
    other_paths: Mapping[int, str]
    base_view: View
    other_view: View

    @property
    def money(self) -> bool:
        """Whether the viewer may see every amount that its sums are made of."""
        return self.base_view.seen <= self.base_view.money and self.other_view.seen <= self.other_view.money

    async def totals(self) -> Totals:
        """Everything in numbers."""
        return await asyncio.to_thread(lambda: self.effect.totals)

    async def territories(self) -> pl.DataFrame:
        """Sums by place (analytics/comparing.py), with `path` and in its order: that of the other, else of the base."""

        def compute() -> pl.DataFrame:
            frame = self.effect.territories
            paths = [self.other_paths.get(place) or self.base_paths.get(place, "") for place in frame["place"]]
            return frame.with_columns(pl.Series("path", paths, dtype=pl.String)).sort("path")

        return await asyncio.to_thread(compute)

    async def users(self) -> pl.DataFrame:
        """Sums by user name."""
        return await asyncio.to_thread(lambda: self.effect.users)

    async def accounts(self) -> pl.DataFrame:
        """Accounts whose territories differ, by id."""
        return await asyncio.to_thread(lambda: self.effect.accounts)

    async def opportunities(self) -> pl.DataFrame:
        """Opportunities that change hands, by id."""
        return await asyncio.to_thread(lambda: self.effect.opportunities)


def _view(viewer: Viewer, side: Side, book: Book) -> View:
    group = GROUP_OF[side.state]

    def places(act: Act, kind: Kind) -> frozenset[int]:
        return frozenset(
            place
            for place, path in book.paths.items()
            if viewer.may(act, kind, state=group, model_id=side.model_id, path=path)
        )

    return View(
        places(Act.READ, Kind.ASSIGNMENT), places(Act.READ, Kind.MEMBERSHIP), places(Act.READ_MONEY, Kind.ASSIGNMENT)
    )


def _restricted(
    book: Book, view: View, wanted: ImpactFilter, within: frozenset[int] | None, deals: pl.DataFrame
) -> Standing:
    standing = book.standing
    if len(view.seen) < len(book.paths):
        standing = standing.within(view.seen)
    if len(view.members) < len(book.paths):
        standing = Standing(standing.pairs, standing.hands, book.standing.within(view.members).members)
    if within is not None:
        standing = standing.within(within)
    if wanted.user_name is not None:
        standing = standing.of_user(wanted.user_name)
    if wanted.account_id is not None:
        standing = standing.of_account(wanted.account_id, deals)
    return standing


def _places_within(places: Places, root: str, *books: Book) -> frozenset[int]:
    """The places at or below a territory, in either book."""
    number = places.number(root)
    return frozenset(
        place
        for book in books
        if number in book.paths
        for place, path in book.paths.items()
        if is_within(path, book.paths[number])
    )


class Impacts:
    """Computes impacts, each once for its positions, and keeps the last ones."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._kept: OrderedDict[Hashable, Impact] = OrderedDict()
        self._turn = asyncio.Lock()
        self.computed = 0
        """How many impacts were computed so far."""

    async def of(
        self, session: ReadSession, viewer: Viewer, comparison: Comparison, wanted: ImpactFilter, today: date
    ) -> Impact:
        """The impact of a comparison, as the session and the viewer see it. today: decides which memberships are over."""
        async with self._turn:
            snapshot = await self._books.accounts(session)
            base = await self._books.open(session, comparison.base, snapshot, today)
            other = await self._books.open(session, comparison.other, snapshot, today)
            key = (base.key, other.key, wanted, rights_of(viewer))
            found = self._kept.get(key)
            if found is None:
                found = self._kept[key] = await self._compute(
                    session, viewer, comparison, wanted, (base, other), table_of(snapshot)
                )
                while len(self._kept) > IMPACTS_KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return found

    async def _compute(
        self,
        session: ReadSession,
        viewer: Viewer,
        comparison: Comparison,
        wanted: ImpactFilter,
        books: tuple[Book, Book],
        accounts: pl.DataFrame,
    ) -> Impact:
        self.computed += 1
        deals = (await self._books.deals(session)).select(
            pl.col("id").alias("opportunity_id"), "account_id", "amount", "is_open"
        )
        revenue = accounts.select(
            pl.col("id").alias("object_id"), pl.col("annual_revenue").fill_null(0).alias("revenue")
        )
        within = None if wanted.within is None else _places_within(self._books.places, wanted.within, *books)
        sides = (comparison.base, comparison.other)
        views = [_view(viewer, side, book) for side, book in zip(sides, books, strict=True)]
        standings = await asyncio.to_thread(
            lambda: [_restricted(book, view, wanted, within, deals) for book, view in zip(books, views, strict=True)]
        )
        return Impact(
            comparison.base,
            comparison.other,
            Effect(standings[0], standings[1], revenue, deals),
            self._books.places,
            books[0].paths,
            books[1].paths,
            views[0],
            views[1],
        )
