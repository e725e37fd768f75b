"""Criteria as sets of rows: how many there are is known at once, and which ones without a scan of all rows.

The meaning is core/criteria.py's.
"""

from dataclasses import dataclass
from functools import cached_property
from math import cos, degrees, radians
from typing import Protocol

import numpy as np

from etm_graph.analytics.arrays import NO_ROWS, Ints, Rows, Truths
from etm_graph.analytics.segments import CELL_DEGREES, Column, Places
from etm_graph.core.criteria import EARTH_KM

MARGIN_DEGREES = 1e-6
"""Added to a circle's box, so that rounding loses nobody on its edge."""

FEW = 64
"""Up to so many stretches of codes are followed one by one."""


class Term(Protocol):
    """The rows that satisfy a criterion, or that do not."""

    @property
    def count(self) -> int:
        """At least how many rows there are."""

    def rows(self) -> Rows:
        """The rows, in no particular order."""

    def check(self, rows: Rows) -> Truths:
        """Which of these rows are among them."""

    def opposite(self) -> "Term":
        """All other rows."""


@dataclass(eq=False)
class CodedTerm:
    """The rows whose code lies in one of some stretches, ascending and apart from each other; ends are exclusive."""

    column: Column
    lows: Ints
    highs: Ints

    @cached_property
    def count(self) -> int:
        """How many rows there are."""
        starts = self.column.starts
        return int((starts[self.highs] - starts[self.lows]).sum())

    @cached_property
    def table(self) -> Truths:
        """For every code whether its rows are among them."""
        edges = np.zeros(self.column.size + 1, np.int8)
        np.add.at(edges, self.lows, 1)
        np.subtract.at(edges, self.highs, 1)
        return np.cumsum(edges[:-1], dtype=np.int8).astype(np.bool_)

    def rows(self) -> Rows:
        """The rows, in no particular order."""
        if not len(self.lows):
            return NO_ROWS
        column = self.column
        if len(self.lows) > FEW or self.count > len(column.codes) // 8:
            return np.flatnonzero(self.check(column.codes, coded=True)).astype(np.int32)
        starts, order = column.starts, column.order
        parts = [
            order[starts[low] : starts[high]] for low, high in zip(self.lows.tolist(), self.highs.tolist(), strict=True)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def check(self, rows: Rows, *, coded: bool = False) -> Truths:
        """Which of these rows are among them; coded: the codes of rows are given instead."""
        codes = rows if coded else self.column.codes[rows]
        if not len(self.lows):
            return np.zeros(len(codes), np.bool_)
        if len(self.lows) == 1:
            return np.asarray((codes >= self.lows[0]) & (codes < self.highs[0]))
        return self.table[codes]

    def opposite(self) -> "CodedTerm":
        """All other rows."""
        bounds = np.concatenate([np.zeros(1, np.int64), np.stack([self.lows, self.highs], 1).ravel()])
        edges = np.append(bounds, self.column.size).reshape(-1, 2)
        kept = edges[edges[:, 0] < edges[:, 1]]
        return CodedTerm(self.column, kept[:, 0], kept[:, 1])


@dataclass(eq=False)
class CircleTerm:
    """The objects within a distance of a point, or (outside) all others, those without a location among them."""

    places: Places
    latitude: float
    longitude: float
    limit_km: float
    outside: bool = False

    @cached_property
    def near(self) -> Rows:
        """The rows of the cells that the circle touches."""
        rise = degrees(self.limit_km / EARTH_KM) + MARGIN_DEGREES
        south, north = self.latitude - rise, self.latitude + rise
        widest = max(abs(south), abs(north))
        narrow = widest < 89 and rise < 60  # noqa: PLR2004 - near a pole, or half around the globe, every longitude is near
        reach = degrees(2 * np.arcsin(min(1.0, np.sin(radians(rise) / 2) / cos(radians(widest))))) if narrow else 360.0
        west, east = self.longitude - reach, self.longitude + reach
        if west < -180 or east > 180:  # noqa: PLR2004 - degrees
            west, east = -180.0, 180.0
        width = int(360 / CELL_DEGREES) + 1
        first, last = (int(np.floor((bound + 180) / CELL_DEGREES)) for bound in (west, east))
        bottom, top = (int(np.floor((bound + 90) / CELL_DEGREES)) for bound in (max(south, -90), min(north, 90)))
        cells = self.places.cells
        bands = np.arange(bottom, top + 1) * width
        numbers = cells.values.to_numpy()
        lows = np.searchsorted(numbers, bands + first) + 1
        highs = np.searchsorted(numbers, bands + last, side="right") + 1
        some = lows < highs
        return CodedTerm(cells, lows[some], highs[some]).rows()

    @cached_property
    def inside(self) -> Rows:
        """The rows within the distance."""
        return self.near[self._within(self.near)]

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.places.latitude) - len(self.inside) if self.outside else len(self.inside)

    def _within(self, rows: Rows) -> Truths:
        phi, centre = np.radians(self.places.latitude[rows]), radians(self.latitude)
        half = np.sin((centre - phi) / 2) ** 2
        across = np.radians(self.longitude - self.places.longitude[rows])
        half += np.cos(phi) * cos(centre) * np.sin(across / 2) ** 2
        with np.errstate(invalid="ignore"):
            return np.asarray(2 * EARTH_KM * np.arcsin(np.minimum(1.0, np.sqrt(half))) <= self.limit_km)

    def rows(self) -> Rows:
        """The rows, in no particular order."""
        if not self.outside:
            return self.inside
        others = np.ones(len(self.places.latitude), np.bool_)
        others[self.inside] = False
        return np.flatnonzero(others).astype(np.int32)

    def check(self, rows: Rows) -> Truths:
        """Which of these rows are among them."""
        return np.asarray(self._within(rows) != self.outside)

    def opposite(self) -> "CircleTerm":
        """All other rows."""
        return CircleTerm(self.places, self.latitude, self.longitude, self.limit_km, not self.outside)
