"""Flattening a column of nested lists to one row of objects, and folding what came of them back into its shape."""

from collections.abc import AsyncIterable, Sequence
from itertools import chain, islice
from typing import Any

from graphql import GraphQLError
from graphql.pyutils import Path, is_iterable

from etm_graph.graphql.breadth.columns import Failure

_HERE = object()
"""Marks a place whose value is the next of the flat row."""

_HOLES = frozenset({type(None), Failure})
_READY = _HOLES | {list, tuple}


class Layer:
    """One step of a flattening.

    marks: None when every value went on, else what stands in its place, or `_HERE`. lengths: of the lists, None when
    this was the innermost place.
    """

    __slots__ = ("lengths", "marks")

    def __init__(self, marks: list[Any] | None, lengths: list[int] | None) -> None:
        self.marks = marks
        self.lengths = lengths

    def fold(self, row: Sequence[Any]) -> Sequence[Any]:
        """Undo this step."""
        if self.lengths is not None:
            row = _cut(row, self.lengths)
        if self.marks is None:
            return row
        rest = iter(row)
        return [next(rest) if mark is _HERE else mark for mark in self.marks]

    def paths(self, outer: Sequence[Path]) -> Sequence[Path]:
        """The path of every value of the flat row, from those of the values before this step."""
        kept = outer
        if self.marks is not None:
            kept = [path for path, mark in zip(outer, self.marks, strict=True) if mark is _HERE]
        if self.lengths is None:
            return kept
        counted = zip(kept, self.lengths, strict=True)
        return [path.add_key(index) for path, length in counted for index in range(length)]


def _cut(row: Sequence[Any], lengths: list[int]) -> list[Any]:
    if len(lengths) == 1:
        return [list(row)]
    rest = iter(row)
    return [list(islice(rest, length)) for length in lengths]


def drop_marks(values: Sequence[Any]) -> tuple[list[Any] | None, Sequence[Any]]:
    """The nulls and failures of a column as marks, and the rest; values are tidy."""
    if _HOLES.isdisjoint(map(type, values)):
        return None, values
    marks = [value if type(value) in _HOLES else _HERE for value in values]
    return marks, [value for value, mark in zip(values, marks, strict=True) if mark is _HERE]


def as_lists(values: Sequence[Any], where: str) -> list[Any]:
    """The column with every iterable as a list and everything else that is not null as a failure."""
    return [value if type(value) in _READY else _as_list(value, where) for value in values]


def _as_list(value: Any, where: str) -> Any:  # noqa: ANN401 - any value
    if not is_iterable(value):
        return Failure(GraphQLError(f"Expected Iterable, but did not find one for field '{where}'."))
    try:
        return list(value)
    except Exception as error:  # noqa: BLE001 - becomes an error of the field
        return Failure(error)


def flatten(values: Sequence[Any]) -> tuple[Layer, list[Any]]:
    """One list level off a tidy column of lists."""
    marks, lists = drop_marks(values)
    return Layer(marks, list(map(len, lists))), list(chain.from_iterable(lists))


async def collected(stream: AsyncIterable[Any]) -> list[Any]:
    """All items of an asynchronous iterable."""
    return [item async for item in stream]
