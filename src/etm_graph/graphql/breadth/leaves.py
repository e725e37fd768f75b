"""Completing columns of scalars and enums: whole columns at once where every value is plainly right."""

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLString,
    Undefined,
)
from graphql.pyutils import inspect

from etm_graph.graphql.breadth.columns import Failure, Kind, kinds_in, tidy

INT_MAX = 2**31 - 1
INT_MIN = -(2**31)
_NULL = type(None)
_REMEMBERED_MAX = 1000

Complete = Callable[[Sequence[Any]], Sequence[Any]]
"""A column of what resolvers gave → a column for JSON, with `Failure` where a value is wrong."""


def _within_int(values: Sequence[Any]) -> bool:
    present = [value for value in values if value is not None]
    return not present or (min(present) >= INT_MIN and max(present) <= INT_MAX)


def _finite(values: Sequence[Any]) -> bool:
    return all(isfinite(value) for value in values if value is not None)


def _always(_values: Sequence[Any]) -> bool:
    return True


_PLAIN: dict[GraphQLLeafType, tuple[type, Callable[[Sequence[Any]], bool]]] = {
    GraphQLString: (str, _always),
    GraphQLID: (str, _always),
    GraphQLBoolean: (bool, _always),
    GraphQLInt: (int, _within_int),
    GraphQLFloat: (float, _finite),
}


def leaf_completion(leaf: GraphQLLeafType) -> Complete:
    """How columns of a leaf type are completed."""
    if leaf in _PLAIN:
        return _plain(leaf)
    return _remembered(leaf) if isinstance(leaf, GraphQLEnumType) else _converted(leaf)


def _plain(leaf: GraphQLLeafType) -> Complete:
    cls, sound = _PLAIN[leaf]
    good, nullable = {cls}, {cls, _NULL}

    def complete(values: Sequence[Any]) -> Sequence[Any]:
        types = set(map(type, values))
        if (types == good or types <= nullable) and sound(values):
            return values
        return one_by_one(leaf, values)

    return complete


def _converted(leaf: GraphQLLeafType) -> Complete:
    coerce: Callable[[Any], Any] = leaf.coerce_output_value

    def complete(values: Sequence[Any]) -> Sequence[Any]:
        if kinds_in(values) <= {Kind.VALUE}:
            try:
                found = list(map(coerce, values))
            except Exception:  # noqa: BLE001 - found out value by value
                return one_by_one(leaf, values)
            if not any(value is None or value is Undefined for value in found):
                return found
        return one_by_one(leaf, values)

    return complete


def _remembered(leaf: GraphQLEnumType) -> Complete:
    coerce: Callable[[Any], Any] = leaf.coerce_output_value
    known: dict[type, dict[Any, Any]] = {}

    def complete(values: Sequence[Any]) -> Sequence[Any]:
        types = set(map(type, values)) - {_NULL}
        if len(types) != 1:
            return one_by_one(leaf, values)
        memory = known.setdefault(types.pop(), {None: None})
        try:
            for value in set(values) - memory.keys():
                memory[value] = coerce(value)
            found = [memory[value] for value in values]
        except Exception:  # noqa: BLE001 - found out value by value
            return one_by_one(leaf, values)
        if len(memory) > _REMEMBERED_MAX:
            known.clear()
        return found

    return complete


def one_by_one(leaf: GraphQLLeafType, values: Sequence[Any]) -> list[Any]:
    """A column completed value by value, as graphql-core does it."""
    return [value if value is None or type(value) is Failure else _coerced(leaf, value) for value in tidy(values)]


def _coerced(leaf: GraphQLLeafType, value: Any) -> Any:  # noqa: ANN401 - any value
    try:
        found = leaf.coerce_output_value(value)
    except Exception as error:  # noqa: BLE001 - becomes an error of the field
        return Failure(error)
    if found is None or found is Undefined:
        return Failure(
            TypeError(
                f"Expected `{inspect(leaf)}.coerce_output_value({inspect(value)})` to return non-nullable value,"
                f" returned: {inspect(found)}"
            )
        )
    return found
