"""The arrays that the engine computes with: their types, and set operations that NumPy lacks."""

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int32]
"""Numbers of rows in a segment, ascending and distinct unless said otherwise."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]

NO_ROWS: Rows = np.empty(0, np.int32)


def union(parts: list[Rows]) -> Rows:
    """Every row that is in one of the parts, ascending."""
    if len(parts) == 1:
        return parts[0]
    return np.unique(np.concatenate(parts)) if parts else NO_ROWS


def runs(truths: Truths) -> tuple[Ints, Ints]:
    """Where stretches of true begin and end (exclusive)."""
    padded = np.zeros(len(truths) + 2, np.int8)
    padded[1:-1] = truths
    edges = np.diff(padded)
    return np.flatnonzero(edges == 1).astype(np.int64), np.flatnonzero(edges == -1).astype(np.int64)


def among(values: Ints, wanted: Ints) -> Truths:
    """Which values are wanted; both ascending."""
    if not len(wanted):
        return np.zeros(len(values), np.bool_)
    places = np.searchsorted(wanted, values)
    places[places == len(wanted)] = 0
    return np.asarray(wanted[places] == values)
