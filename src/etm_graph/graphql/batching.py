"""Fields whose functions get all parents of a level: batches wait for the database, columns compute.

`batched(function)` makes a Strawberry field of `async function(parents, context, **arguments) -> one answer a parent`; a
function that also has a parameter `selection` is told which fields are selected below, to read no more than those.
`computed(function)` makes one of `function(parents) -> one value a parent`. The executor calls these functions itself,
once a level; the fields' resolvers do the same for graphql-core, parent by parent.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import strawberry
from strawberry.types import Info
from strawberry.types.field import StrawberryField

from etm_graph.graphql.context import BatchFunction, Context

_OWN_PARAMETERS = 2


class BatchedField(StrawberryField):
    """A field whose answers for a whole level come from one call."""

    batch_function: BatchFunction


def batched(function: BatchFunction, *, description: str, deprecation_reason: str | None = None) -> Any:  # noqa: ANN401 - what dataclass fields are declared with
    """A field answered by a batch function; its GraphQL arguments are the function's after (parents, context)."""
    signature = inspect.signature(function)
    own = [one for one in list(signature.parameters.values())[_OWN_PARAMETERS:] if one.name != "selection"]

    def resolve(self: object, info: Info[Context, None], **arguments: object) -> Any:  # noqa: ANN401 - the field's type
        return info.context.load(function, self, arguments)

    parameters = [
        inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD),
        inspect.Parameter("info", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Info),
        *(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own),
    ]
    resolve.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # read by Strawberry
    resolve.__dict__.update(vars(function))  # what it declares (declaring.py)
    resolve.__module__ = function.__module__
    resolve.__name__ = function.__name__
    field = strawberry.field(resolver=resolve, description=description, deprecation_reason=deprecation_reason)
    field.__class__ = type("OwnBatch", (BatchedField,), {"batch_function": staticmethod(function)})
    return field


class ColumnField(StrawberryField):
    """A field whose values for a whole level are computed at once."""

    read_column: Callable[[Sequence[Any]], Sequence[Any]]


def computed(function: Callable[[Sequence[Any]], Sequence[Any]], *, description: str) -> Any:  # noqa: ANN401 - what dataclass fields are declared with
    """A field without arguments that is a function of its parents."""

    def resolve(self: object) -> Any:  # noqa: ANN401 - the field's type
        return function([self])[0]

    resolve.__module__ = function.__module__
    resolve.__name__ = function.__name__
    field = strawberry.field(resolver=resolve, description=description)
    field.__class__ = type("OwnColumn", (ColumnField,), {"read_column": staticmethod(function)})
    return field
