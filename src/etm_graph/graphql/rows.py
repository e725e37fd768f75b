"""Objects that are rows of the database: what is not asked of them is not computed.

A Strawberry type with `RowBacked` names in `readers` how each of its attributes comes from a row's column. One object
costs the keeping of its row; the executor reads a field for all objects of a level from their rows at once.
"""

from binascii import b2a_base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any, ClassVar, Self

from sqlalchemy import Row

_ROW = attrgetter("row")


@dataclass(frozen=True, slots=True)
class Reader:
    """Where an attribute comes from. convert: from a column's values to the attribute's; None leaves them."""

    column: str
    convert: Callable[[Sequence[Any]], list[Any]] | None = None

    def read(self, rows: Sequence[Row[Any]]) -> list[Any]:
        """The attribute of every row."""
        values = list(map(attrgetter(self.column), rows))
        return values if self.convert is None else self.convert(values)


def as_ids(type_name: str) -> Callable[[Sequence[Any]], list[Any]]:
    """Row numbers to global ids of a type; None stays None."""
    return partial(_as_ids, f"{type_name}:".encode())


def _as_ids(prefix: bytes, numbers: Sequence[int | None]) -> list[str | None]:
    return [
        None if number is None else b2a_base64(b"%b%d" % (prefix, number), newline=False).decode() for number in numbers
    ]


def each(convert: Callable[[Any], Any]) -> Callable[[Sequence[Any]], list[Any]]:
    """A conversion of one value, for columns."""
    return lambda values: [convert(value) for value in values]


class RowBacked:
    """An object made of one row."""

    readers: ClassVar[Mapping[str, Reader]]
    row: ClassVar[Row[Any]]
    """Its row; a class variable only for dataclasses, which would make a field of it."""

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The object of a row."""
        made = cls.__new__(cls)
        made.row = row  # type: ignore[misc]  # see above
        return made

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the attribute's type
        reader = type(self).readers.get(name)
        if reader is None or "row" not in self.__dict__:
            raise AttributeError(name)
        return reader.read([self.__dict__["row"]])[0]


def column_of(cls: type, name: str) -> Callable[[Sequence[Any]], list[Any]] | None:
    """A function that reads an attribute of objects of a row-backed class from their rows; None for others."""
    readers: Mapping[str, Reader] = getattr(cls, "readers", {}) if issubclass(cls, RowBacked) else {}
    return partial(_read, name, readers[name]) if name in readers else None


def values_of(name: str, parents: Sequence[RowBacked]) -> list[Any]:
    """An attribute of objects of one row-backed class."""
    return _read(name, type(parents[0]).readers[name], parents) if parents else []


def _read(name: str, reader: Reader, parents: Sequence[Any]) -> list[Any]:
    try:
        rows = list(map(_ROW, parents))
    except AttributeError:  # some were made without a row
        return list(map(attrgetter(name), parents))
    return reader.read(rows)
