"""A grid: opportunities summed up by territory, period and category, with every total of the tree, in whole cents.

Territories stand in tree order, so that a subtree is a range and its total a difference of two running sums. Sums are
128-bit integers: exact, whatever their order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from etm_graph.core.calendar import Period
from etm_graph.core.rollup import MEASURED, ForecastCategory, Measure

CATEGORIES = tuple(ForecastCategory)
_WIDTH = len(CATEGORIES)
_PLACE_OF = {category: place for place, category in enumerate(CATEGORIES)}
SUMS = ("cents", "quantity", "count")
"""What is summed up; quantity is in hundredths."""

Sums = tuple[int, int, int]
NOTHING: Sums = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Tree:
    """A model's territories in tree order. ends: for each, the place after its subtree."""

    ids: tuple[int, ...]
    paths: tuple[str, ...]
    names: tuple[str, ...]
    parents: tuple[int | None, ...]
    ends: tuple[int, ...]
    place_of: Mapping[int, int]

    @classmethod
    def of(cls, rows: Sequence[tuple[int, str, int | None, str]]) -> "Tree":
        """The tree of (id, path, parent's id, developer name), parents first, subtrees together."""
        place_of = {row[0]: place for place, row in enumerate(rows)}
        parents = tuple(None if row[2] is None else place_of[row[2]] for row in rows)
        ends = list(range(1, len(rows) + 1))
        for place in range(len(rows) - 1, -1, -1):
            above = parents[place]
            if above is not None:
                ends[above] = max(ends[above], ends[place])
        ids, paths, names = tuple(r[0] for r in rows), tuple(r[1] for r in rows), tuple(r[3] for r in rows)
        return cls(ids, paths, names, parents, tuple(ends), place_of)

    def line(self, place: int) -> list[int]:
        """A territory's place and those of its ancestors, from below."""
        found: list[int] = []
        above: int | None = place
        while above is not None:
            found.append(above)
            above = self.parents[above]
        return found


@dataclass(frozen=True, slots=True)
class Block:
    """The sums of one period and category, a list over the tree for each of `SUMS`; the last place is unassigned."""

    own: tuple[list[int], list[int], list[int]]
    total: tuple[list[int], list[int], list[int]]

    def moved(self, tree: Tree, changes: Sequence[tuple[int, Sums]]) -> "Block":
        """The block after some opportunities came (positive) or went (negative), by place."""
        own = (list(self.own[0]), list(self.own[1]), list(self.own[2]))
        total = (list(self.total[0]), list(self.total[1]), list(self.total[2]))
        for place, sums in changes:
            places = [place] if place == len(tree.ids) else tree.line(place)
            for what, value in enumerate(sums):
                own[what][place] += value
                for above in places:
                    total[what][above] += value
        return Block(own, total)


@dataclass(slots=True)
class _Lazy:
    """Blocks that are made from columns when somebody looks at them."""

    own: pl.DataFrame
    total: pl.DataFrame
    size: int

    def block(self, number: int) -> Block:
        start = number * (self.size + 1)

        def lists(frame: pl.DataFrame) -> tuple[list[int], list[int], list[int]]:
            part = frame.slice(start, self.size + 1)
            return part["cents"].to_list(), part["quantity"].to_list(), part["count"].to_list()

        return Block(lists(self.own), lists(self.total))


@dataclass(frozen=True, slots=True)
class Grid:
    """The sums of some periods over a tree."""

    tree: Tree
    periods: tuple[Period, ...]
    lazy: _Lazy
    blocks: dict[int, Block] = field(default_factory=dict)

    def block(self, period: int, category: ForecastCategory) -> Block:
        """The sums of a period, by its place, and a category."""
        number = period * _WIDTH + _PLACE_OF[category]
        found = self.blocks.get(number)
        if found is None:
            found = self.blocks[number] = self.lazy.block(number)
        return found

    def sums(self, measure: Measure, period: int, place: int, *, own: bool) -> Sums:
        """Cents, quantity in hundredths, and count of a measure. place: in the tree, its size for unassigned."""
        cents = quantity = count = 0
        for category in MEASURED[measure]:
            block = self.block(period, category)
            lists = block.own if own else block.total
            cents, quantity, count = cents + lists[0][place], quantity + lists[1][place], count + lists[2][place]
        return cents, quantity, count

    def count(self, period: int, place: int, *, own: bool = False) -> int:
        """How many opportunities there are, omitted ones included."""
        found = 0
        for category in CATEGORIES:
            block = self.block(period, category)
            found += (block.own if own else block.total)[2][place]
        return found

    def moved(self, gone: pl.DataFrame, come: pl.DataFrame) -> "Grid":
        """The grid after some opportunities went and others came: only their cells and ancestors are touched."""
        changes: dict[int, list[tuple[int, Sums]]] = {}
        for frame, sign in ((gone, -1), (come, 1)):
            found = _keyed(frame, self.tree, self.periods)
            for number, place, cents, quantity in found.select("number", "place", "cents", "quantity").iter_rows():
                changes.setdefault(number, []).append((place, (sign * (cents or 0), sign * (quantity or 0), sign)))
        moved = {
            number: self.block(number // _WIDTH, CATEGORIES[number % _WIDTH]).moved(self.tree, found)
            for number, found in changes.items()
        }
        return replace(self, blocks={**self.blocks, **moved})


def _keyed(frame: pl.DataFrame, tree: Tree, periods: Sequence[Period]) -> pl.DataFrame:
    """The opportunities in the periods with `number` of the block and `place` in the tree."""
    day = pl.col("close_date")
    period = pl.coalesce(
        [pl.when(day.is_between(p.start, p.end)).then(pl.lit(n, pl.Int64)) for n, p in enumerate(periods)]
    )
    places = pl.DataFrame(
        {"territory_id": tree.ids, "place": range(len(tree.ids))}, schema={"territory_id": pl.Int64, "place": pl.Int64}
    )
    start, end = min(p.start for p in periods), max(p.end for p in periods)
    category = pl.col("category").replace_strict(
        [c.value for c in CATEGORIES], list(range(_WIDTH)), return_dtype=pl.Int64
    )
    return (
        frame.lazy()
        .filter(day.is_between(start, end))
        .select("territory_id", "cents", "quantity", number=period * _WIDTH + category)
        .filter(pl.col("number").is_not_null())
        .join(places.lazy(), on="territory_id", how="left")
        .with_columns(pl.col("place").fill_null(len(tree.ids)))
        .collect()
    )


def make_grid(frame: pl.DataFrame, tree: Tree, periods: Sequence[Period]) -> Grid:
    """Sum up opportunities. frame: territory_id, close_date, category, cents, quantity. periods do not overlap."""
    size = len(tree.ids)
    slots = len(periods) * _WIDTH * (size + 1)
    keyed = _keyed(frame, tree, periods).lazy()
    summed = (
        keyed.select("cents", "quantity", slot=pl.col("number") * (size + 1) + pl.col("place"))
        .group_by("slot")
        .agg(pl.col("cents").sum(), pl.col("quantity").sum(), count=pl.len().cast(pl.Int128))
    )
    every = pl.LazyFrame({"slot": pl.int_range(slots, eager=True, dtype=pl.Int64)})
    own = (
        every.join(summed, on="slot", how="left", maintain_order="left")
        .select(pl.col(name).fill_null(0) for name in SUMS)
        .collect()
    )
    return Grid(tree, tuple(periods), _Lazy(own, _totals(own, tree, len(periods) * _WIDTH), size))


def _totals(own: pl.DataFrame, tree: Tree, blocks: int) -> pl.DataFrame:
    """Every subtree's sum as the difference of two running sums; unassigned is its own total."""
    size = len(tree.ids)
    ends = pl.Series([*tree.ends, size + 1], dtype=pl.Int64)
    starts = pl.int_range(size + 1, eager=True, dtype=pl.Int64)
    offsets = pl.DataFrame({"block": pl.int_range(blocks, eager=True, dtype=pl.Int64)}).join(
        pl.DataFrame({"start": starts, "end": ends}), how="cross"
    )
    first = offsets["block"] * (size + 1) + offsets["start"]
    last = offsets["block"] * (size + 1) + offsets["end"]
    zero = pl.Series([0], dtype=pl.Int128)
    columns = {}
    for name in SUMS:
        running = pl.concat([zero, own[name].cast(pl.Int128).cum_sum()])
        columns[name] = running.gather(last) - running.gather(first)
    return pl.DataFrame(columns)
