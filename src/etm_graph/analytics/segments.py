"""A segment: objects in columns, dictionary-encoded, with an inverted list of each column that rules look at.

A column is its distinct values in order, and for every row the place of its value among them, so that whatever a
criterion asks is answered once for each distinct value, and ranges and prefixes are stretches of places.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from etm_graph.analytics.arrays import Floats, Ints, Rows, Truths
from etm_graph.analytics.preparing import LATITUDE, LONGITUDE, column_of

LISTED_MAX = 200_000
"""Up to so many distinct values are kept as a list of Python's, too."""

CELL_DEGREES = 0.25
"""Size of the cells by which locations are found."""


class Column:
    """A dictionary-encoded column.

    values: distinct and ascending, without null. codes: for every row 0 when its value is missing, else 1 + its place.
    """

    def __init__(self, series: pl.Series) -> None:
        self.values = series.drop_nulls().unique().sort()
        places = pl.DataFrame({"value": self.values, "code": np.arange(1, len(self.values) + 1, dtype=np.int32)})
        coded = series.alias("value").to_frame().join(places, on="value", how="left", maintain_order="left")
        self.codes: Rows = coded["code"].fill_null(0).to_numpy()
        self._formats: dict[str, Truths] = {}

    @property
    def size(self) -> int:
        """How many codes there are."""
        return len(self.values) + 1

    @cached_property
    def starts(self) -> Ints:
        """Where the rows of each code begin in `order`; one more entry says where the last ends."""
        counts = np.bincount(self.codes, minlength=self.size)
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])

    @cached_property
    def order(self) -> Rows:
        """All rows by code, those of one code ascending."""
        return np.argsort(self.codes, kind="stable").astype(np.int32)

    @cached_property
    def ordered(self) -> Sequence[Any]:
        """The values in the form that is fastest to look up one by one."""
        if len(self.values) <= LISTED_MAX:
            return self.values.to_list()
        return self.values.to_numpy() if self.values.dtype.is_numeric() else self.values  # type: ignore[return-value]  # both have length and items

    @cached_property
    def _shapes(self) -> tuple[pl.Series, Ints]:
        """The distinct formats of values (`core.criteria.postal_shape`), and for each value its format's place."""
        shapes = self.values.str.replace_all(r"\D", "a").str.replace_all(r"\d", "9")
        distinct = shapes.unique().sort()
        return distinct, distinct.search_sorted(shapes).cast(pl.Int64).to_numpy()

    def of_format(self, shape: str) -> Truths:
        """For each value whether it begins in a format."""
        found = self._formats.get(shape)
        if found is None:
            distinct, places = self._shapes
            found = self._formats[shape] = distinct.str.starts_with(shape).to_numpy()[places]
        return found

    @cached_property
    def joined(self) -> bytes:
        """All values after each other, each followed by a NUL, which none contains."""
        return "".join(f"{value}\0" for value in self.values).encode()

    @cached_property
    def joined_starts(self) -> Ints:
        """Where each value begins in `joined`."""
        lengths = self.values.str.len_bytes().cast(pl.Int64).to_numpy() + 1
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)[:-1]])


@dataclass(frozen=True, slots=True)
class Places:
    """Where objects are, in degrees (not a number where unknown), and the cells of a grid they lie in."""

    latitude: Floats
    longitude: Floats
    cells: Column

    @property
    def known(self) -> Truths:
        """Which objects have a location."""
        return ~np.isnan(self.latitude)


def cell_of(latitude: Floats, longitude: Floats) -> Ints:
    """The number of the grid's cell; rows of cells follow each other by latitude."""
    width = int(360 / CELL_DEGREES) + 1
    row = np.floor((latitude + 90) / CELL_DEGREES).astype(np.int64)
    return row * width + np.floor((longitude + 180) / CELL_DEGREES).astype(np.int64)


ROWS_KEPT_BYTES = 256 * 2**20
"""Memory for the rows that rules select in one segment; the ones used longest ago are forgotten."""


class RowsKept:
    """Rows by what selected them, within a budget of bytes."""

    def __init__(self, budget: int = ROWS_KEPT_BYTES) -> None:
        self._budget = budget
        self._bytes = 0
        self._kept: OrderedDict[object, Rows] = OrderedDict()

    def get(self, key: object) -> Rows | None:
        """What is kept."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._bytes = 0

    def keep(self, key: object, rows: Rows) -> None:
        """Keep rows, and forget old ones for it."""
        self._kept[key] = rows
        self._bytes += rows.nbytes
        while self._bytes > self._budget and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes


@dataclass(eq=False)
class Segment:
    """Objects as rules see them: `id`, ascending, prepared columns (analytics/preparing.py), latitude, longitude.

    terms: criteria that were compiled for it, by criterion. rows_kept: the rows that rules select.
    """

    frame: pl.DataFrame
    terms: dict[object, Any] = field(default_factory=dict)
    rows_kept: RowsKept = field(default_factory=RowsKept)
    _columns: dict[str, Column] = field(default_factory=dict)

    @property
    def height(self) -> int:
        """How many objects it holds."""
        return self.frame.height

    @cached_property
    def ids(self) -> Ints:
        """The objects' ids by row."""
        return self.frame["id"].to_numpy()

    def column(self, name: str) -> Column:
        """The encoded column of a field."""
        found = self._columns.get(name)
        if found is None:
            found = self._columns[name] = Column(self.frame[column_of(name)])
        return found

    @cached_property
    def places(self) -> Places:
        """Where the objects are; one without latitude or longitude is nowhere."""
        known = self.frame[LATITUDE].is_not_null() & self.frame[LONGITUDE].is_not_null()
        latitude = self.frame[LATITUDE].cast(pl.Float64).set(~known, None).fill_null(float("nan")).to_numpy()
        longitude = self.frame[LONGITUDE].cast(pl.Float64).set(~known, None).fill_null(float("nan")).to_numpy()
        cells = pl.Series(cell_of(np.nan_to_num(latitude), np.nan_to_num(longitude))).set(~known, None)
        return Places(latitude, longitude, Column(cells))
