"""Batch resolvers: a field's function gets all parents of a level and answers with one statement.

`batched(function)` makes a Strawberry field of `async function(parents, context, **arguments) -> one answer a parent`.
An executor that works level by level can call the function itself: it is the field's `batch_function`.
"""

import inspect
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
    own = list(signature.parameters.values())[_OWN_PARAMETERS:]

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
    field.__class__ = type("BatchedField", (type(field),), {"batch_function": staticmethod(function)})
    return field
