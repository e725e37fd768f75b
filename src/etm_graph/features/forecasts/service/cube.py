"""The cube: every model's opportunities in columns, kept up to the two streams, and the grids summed up from them."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from etm_graph.analytics.copies import Copy
from etm_graph.core.calendar import Period
from etm_graph.core.changes import CRM_STREAM
from etm_graph.core.lifecycle import ModelState
from etm_graph.db.sessions import ReadSession
from etm_graph.events.log import read_heads
from etm_graph.features.alignment.service import STORED, Engine
from etm_graph.features.crm import queries as crm
from etm_graph.features.forecasts.queries.aligned import alignment, moved_since
from etm_graph.features.forecasts.service.grid import Grid, Tree, make_grid
from etm_graph.features.territories import queries as territories

KEPT = 6
"""Models whose opportunities are kept in memory."""

GRIDS_KEPT = 12
"""Grids kept of each model."""

MOVED_MAX = 2_000
"""Accounts whose opportunities are brought in one by one; more load the model anew."""

OVERLAY_MAX = 20_000
"""Opportunities read anew beside the others before both are put together."""

GridKey = tuple[tuple[Period, ...], str | None]


@dataclass(frozen=True, slots=True)
class Position:
    """What a book reflects: heads of the model's and the crm stream, and the rates."""

    head: int
    crm_seq: int
    signature: str


@dataclass(slots=True)
class Book:
    """A model's opportunities with `territory_id`, null for none, at one position.

    frame: all of them but those of `replaced` accounts. fresh: those of replaced accounts. grids: summed up from both.
    """

    position: Position
    tree: Tree
    frame: pl.DataFrame
    fresh: pl.DataFrame
    replaced: frozenset[int] = frozenset()
    gone: frozenset[int] = frozenset()
    grids: "OrderedDict[GridKey, Grid]" = field(default_factory=OrderedDict)

    def rows(self) -> pl.DataFrame:
        """All opportunities."""
        if not self.replaced and not self.gone:
            return self.frame
        return pl.concat([self.frame.filter(self._kept()), self.fresh])

    def _kept(self) -> pl.Expr:
        replaced, gone = pl.Series(list(self.replaced), dtype=pl.Int64), pl.Series(list(self.gone), dtype=pl.Int64)
        return ~pl.col("account_id").is_in(replaced.implode()) & ~pl.col("id").is_in(gone.implode())

    def of_accounts(self, account_ids: Sequence[int], ids: Sequence[int]) -> pl.DataFrame:
        """The opportunities of some accounts, and those with some ids."""
        accounts, wanted = pl.Series(account_ids, dtype=pl.Int64), pl.Series(ids, dtype=pl.Int64)
        which = pl.col("account_id").is_in(accounts.implode()) | pl.col("id").is_in(wanted.implode())
        if not self.replaced and not self.gone:
            return self.frame.filter(which)
        return pl.concat([self.frame.filter(which).filter(self._kept()), self.fresh.filter(which)])


class ForecastCube:
    """Books of models and their grids, one of each in a process."""

    def __init__(self, opportunities: Copy, engine: Engine) -> None:
        self._opportunities = opportunities
        self._engine = engine
        self._books: OrderedDict[int, Book] = OrderedDict()
        self._turns: dict[int, asyncio.Lock] = {}

    async def book(self, session: ReadSession, model_id: int, state: ModelState) -> Book:
        """A model's opportunities exactly as the session sees them."""
        heads = await read_heads(session, [model_id, CRM_STREAM])
        signature = f"{await crm.deals_signature(session)}:{state in STORED}"
        position = Position(heads[model_id].head, heads[CRM_STREAM].head, signature)
        async with self._turns.setdefault(model_id, asyncio.Lock()):
            kept = self._books.get(model_id)
            if kept is not None and kept.position == position:
                return kept
            book = await self._advance(session, model_id, state, kept, position)
            if kept is None or kept.position.signature != signature or position.crm_seq >= kept.position.crm_seq:
                self._books[model_id] = book
                self._books.move_to_end(model_id)
                while len(self._books) > KEPT:
                    self._books.popitem(last=False)
            return book

    async def _advance(
        self, session: ReadSession, model_id: int, state: ModelState, kept: Book | None, position: Position
    ) -> Book:
        if state not in STORED:
            return await self._derived(session, model_id, state, position)
        if kept is None or kept.position.signature != position.signature or position.crm_seq < kept.position.crm_seq:
            return await self._loaded(session, model_id, position)
        moved = await moved_since(session, model_id, kept.position.head, kept.position.crm_seq)
        if moved.accounts is None or len(moved.accounts) > MOVED_MAX or kept.fresh.height > OVERLAY_MAX:
            return await self._loaded(session, model_id, position)
        return await self._moved(session, model_id, kept, position, moved.accounts, moved.deleted)

    async def _tree(self, session: ReadSession, model_id: int) -> Tree:
        rows = await territories.all_nodes(session, model_id)
        return Tree.of([(row.id, row.path, row.parent_id, row.developer_name) for row in rows])

    async def _loaded(self, session: ReadSession, model_id: int, position: Position) -> Book:
        tree = await self._tree(session, model_id)
        found = (await self._opportunities.at(session)).frame
        aligned = await alignment(session, model_id)
        frame = await asyncio.to_thread(lambda: found.join(aligned, on="id", how="left"))
        return Book(position, tree, frame, frame.clear())

    async def _derived(self, session: ReadSession, model_id: int, state: ModelState, position: Position) -> Book:
        """A draft's book: its opportunities follow what the engine decides for their accounts."""
        tree = await self._tree(session, model_id)
        found = (await self._opportunities.at(session)).frame
        assignments = await self._engine.assignments(session, model_id, state)
        decided = assignments.decisions.select("account_id", "territory_id")

        def join() -> pl.DataFrame:
            joined = found.join(decided, on="account_id", how="left")
            kept_out = pl.when(~pl.col("excluded")).then(pl.col("territory_id"))
            return joined.with_columns(territory_id=kept_out)

        frame = await asyncio.to_thread(join)
        return Book(position, tree, frame, frame.clear())

    async def _moved(
        self,
        session: ReadSession,
        model_id: int,
        kept: Book,
        position: Position,
        accounts: Sequence[int],
        deleted: Sequence[int],
    ) -> Book:
        gone = kept.of_accounts(accounts, deleted)
        come = kept.frame.clear()
        if accounts:
            read = await crm.deals_of_accounts(session, accounts)
            come = read.join(await alignment(session, model_id, accounts), on="id", how="left").select(come.columns)
        book = Book(
            position,
            kept.tree,
            kept.frame,
            pl.concat([kept.fresh.filter(~pl.col("id").is_in(gone["id"].implode())), come]),
            kept.replaced | set(accounts),
            kept.gone | set(deleted),
        )
        book.grids.update((key, grid.moved(*_of_family(gone, come, key[1]))) for key, grid in kept.grids.items())
        return book

    async def grid(self, book: Book, periods: Sequence[Period], family: str | None = None) -> Grid:
        """A book summed up by these periods, which do not overlap. family: only opportunities of a product family."""
        key: GridKey = (tuple(periods), family)
        found = book.grids.get(key)
        if found is None:
            rows = book.rows() if family is None else book.rows().filter(pl.col("family") == family)
            found = book.grids[key] = await asyncio.to_thread(make_grid, rows, book.tree, key[0])
            while len(book.grids) > GRIDS_KEPT:
                book.grids.popitem(last=False)
        return found


def _of_family(gone: pl.DataFrame, come: pl.DataFrame, family: str | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    if family is None:
        return gone, come
    return gone.filter(pl.col("family") == family), come.filter(pl.col("family") == family)
