"""Columns: the values of one field for all parents of a level, and what can be wrong with a value."""

from collections.abc import Callable, Sequence
from enum import Enum, auto
from functools import lru_cache
from types import CoroutineType
from typing import Any

from graphql import Undefined


class Failure:
    """Stands in a column where a value could not be had."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


class Kind(Enum):
    """What a value's type says about it."""

    VALUE = auto()
    NULL = auto()
    UNDEFINED = auto()
    FAILURE = auto()
    EXCEPTION = auto()
    AWAITABLE = auto()
    STREAM = auto()


_KINDS: dict[type, Kind] = {type(None): Kind.NULL, type(Undefined): Kind.UNDEFINED, Failure: Kind.FAILURE}


@lru_cache(maxsize=4096)
def kind_of(cls: type) -> Kind:
    """The kind of a type's instances."""
    plain = _KINDS.get(cls)
    if plain is not None:
        return plain
    if issubclass(cls, Exception):
        return Kind.EXCEPTION
    if issubclass(cls, CoroutineType) or hasattr(cls, "__await__"):
        return Kind.AWAITABLE
    return Kind.STREAM if hasattr(cls, "__aiter__") else Kind.VALUE


def kind_at(value: object) -> Kind:
    """The kind of one value."""
    cls: type = type(value)
    return kind_of(cls)


def kinds_in(values: Sequence[Any]) -> set[Kind]:
    """The kinds that occur in a column."""
    return {kind_of(cls) for cls in set(map(type, values))}


def tidy(values: Sequence[Any]) -> list[Any]:
    """The column with exceptions as failures and undefined as null."""
    return [_tidy(value) for value in values]


def _tidy(value: Any) -> Any:  # noqa: ANN401 - any value
    if isinstance(value, Exception):
        return Failure(value)
    return None if value is Undefined else value


def attempt(function: Callable[..., Any], *given: Any, **named: Any) -> Any:  # noqa: ANN401 - any function's
    """What a function gives, or a failure with what it raised."""
    try:
        return function(*given, **named)
    except Exception as error:  # noqa: BLE001 - becomes an error of the field
        return Failure(error)
