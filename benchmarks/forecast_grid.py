"""Summing up 1,000,000 opportunities by 10,000 territories and 8 quarters, in memory; the columns are there already."""

from datetime import date, timedelta
from random import Random

import polars as pl

from benchmarks.harness import Company, Result, timed
from etm_graph.core.calendar import parse_period
from etm_graph.core.rollup import ForecastCategory, Measure
from etm_graph.features.forecasts.service import Grid, Tree, make_grid

OPPORTUNITIES, TERRITORIES, BRANCHES = 1_000_000, 10_000, 10
PERIODS = [parse_period(f"FY{year}-Q{quarter}", 1) for year in (2026, 2027) for quarter in range(1, 5)]
FIRST = date(2026, 1, 1)


def tree() -> Tree:
    """Four levels of ten branches each, below ten roots, in tree order."""
    rows: list[tuple[int, str, int | None, str]] = []

    def grow(parent: int | None, path: str, depth: int) -> None:
        for branch in range(BRANCHES):
            if len(rows) == TERRITORIES:
                return
            number = len(rows) + 1
            rows.append((number, f"{path}T{branch}/", parent, f"T{number}"))
            if depth:
                grow(number, f"{path}T{branch}/", depth - 1)

    grow(None, "/", 3)
    return Tree.of(rows)


def opportunities() -> pl.DataFrame:
    random = Random(1)  # noqa: S311 - sizes, not secrets
    categories = [category.value for category in ForecastCategory]
    count = range(OPPORTUNITIES)
    return pl.DataFrame(
        {
            "id": count,
            "account_id": [number // 3 for number in count],
            "territory_id": [random.randrange(1, TERRITORIES + 1) for _ in count],
            "close_date": [FIRST + timedelta(days=random.randrange(730)) for _ in count],
            "category": [categories[random.randrange(6)] for _ in count],
            "cents": [random.randrange(10**8) for _ in count],
            "quantity": [100] * OPPORTUNITIES,
        }
    ).with_columns(pl.col("cents", "quantity").cast(pl.Int128))


def by_hand(frame: pl.DataFrame, shape: Tree) -> pl.DataFrame:
    """The query that one would write: grouped, joined with every ancestor, grouped again."""
    above = [
        (shape.ids[place], shape.ids[ancestor]) for place in range(len(shape.ids)) for ancestor in shape.line(place)
    ]
    lines = pl.DataFrame(above, schema={"territory_id": pl.Int64, "above": pl.Int64}, orient="row")
    own = frame.group_by("territory_id", pl.col("close_date").dt.truncate("1q"), "category").agg(
        pl.col("cents").sum(), pl.col("quantity").sum(), pl.len()
    )
    return (
        own.join(lines, on="territory_id")
        .group_by("above", "close_date", "category")
        .agg(pl.col("cents").sum(), pl.col("quantity").sum(), pl.col("len").sum())
    )


def touch(grid: Grid, last: int) -> None:
    for place in range(last):
        for period in range(len(PERIODS)):
            grid.sums(Measure.COMMIT_FORECAST, period, place, own=False)


async def measure_grid(company: Company) -> Result:
    del company
    shape, frame = tree(), opportunities()

    async def grid() -> object:
        return make_grid(frame, shape, PERIODS)

    async def hand() -> object:
        return by_hand(frame, shape)

    value, other = await timed(grid, 3), await timed(hand, 3)
    made = make_grid(frame, shape, PERIODS)
    touch(made, TERRITORIES)

    async def subtree() -> object:
        return touch(made, shape.ends[1])

    return Result(
        "forecast-grid",
        value,
        "ms",
        "lower",
        "1,000,000 opportunities in columns, 10,000 territories, 8 quarters, 6 categories, all subtree totals",
        {"hand-written Polars query": other, "one subtree from the kept grid": await timed(subtree)},
        {"target": 1500, "target, twice the query by hand": round(2 * other, 2), "target of a subtree": 10},
    )


async def measure_delta(company: Company) -> Result:
    del company
    shape, frame = tree(), opportunities()
    grid = make_grid(frame, shape, PERIODS)
    touch(grid, TERRITORIES)
    gone = frame.head(1)
    come = gone.with_columns(cents=pl.lit(1, dtype=pl.Int128))

    async def follow() -> object:
        return grid.moved(gone, come)

    async def anew() -> object:
        return make_grid(frame, shape, PERIODS)

    return Result(
        "forecast-delta",
        await timed(follow),
        "ms",
        "lower",
        "one of 1,000,000 opportunities changed: new cells and ancestors in memory, without reading and sending",
        {"summing up anew": await timed(anew, 2)},
        {"target with reading and sending": 50},
    )
