"""The ways in which a field can be read from its parents."""

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLField, GraphQLObjectType

from etm_graph.graphql.breadth.selections import Selection

Loader = Callable[[Sequence[Any], Any, Mapping[str, Any], Selection], Awaitable[Sequence[Any]]]
"""(parents, context, arguments, selection) → one answer a parent; an answer that is an exception fails its parent."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """The parent's attribute of that name; a parent without it is an error."""

    name: str


@dataclass(frozen=True, slots=True)
class Property:
    """graphql-core's default: a map's key or an object's attribute, null when there is none, called when callable."""

    name: str


@dataclass(frozen=True, slots=True)
class Column:
    """A function of all parents at once, without waiting: one value a parent."""

    read: Callable[[Sequence[Any]], Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Batch:
    """An asynchronous function of all parents of a level.

    identity: fields of one level whose batches have the same identity and equal arguments share one call.
    convert: from GraphQL's coerced arguments to the function's.
    """

    load: Loader
    identity: Hashable
    convert: Callable[[dict[str, Any]], Mapping[str, Any]] = dict


@dataclass(frozen=True, slots=True)
class Call:
    """An ordinary resolver, called for every parent with (parent, info, **arguments); it may give an awaitable."""

    resolve: Callable[..., Any]


Resolution = Attribute | Property | Column | Batch | Call

Classify = Callable[[GraphQLObjectType, str, GraphQLField], Resolution]


def by_resolver(_parent: GraphQLObjectType, name: str, field: GraphQLField) -> Resolution:
    """How graphql-core itself reads a field: its resolver, or the property of its name."""
    return Property(name) if field.resolve is None else Call(field.resolve)
