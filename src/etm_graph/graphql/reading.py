"""How Strawberry's fields are read by the breadth-first executor: attributes as columns, batches whole, the rest called."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from inspect import signature
from typing import Any

import strawberry
from graphql import GraphQLField, GraphQLObjectType, specified_rules
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField

from etm_graph.graphql.batching import BatchedField, ColumnField
from etm_graph.graphql.breadth import Attribute, Batch, Call, Column, Engine, Resolution, Selection
from etm_graph.graphql.breadth.resolutions import by_resolver
from etm_graph.graphql.context import BatchFunction
from etm_graph.graphql.rows import column_of

_DEFINITION = GraphQLCoreConverter.DEFINITION_BACKREF

RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
"""What documents for a Strawberry schema are validated by."""


def make_engine(schema: strawberry.Schema, *, fell_back: Callable[[str], None], hide_suggestions: bool) -> Engine:
    """The executor of a Strawberry schema without extensions of the schema or of fields."""
    return Engine(
        schema._schema,
        classify=partial(_classify, schema),
        trusts=_trusts,
        fell_back=fell_back,
        hide_suggestions=hide_suggestions,
    )


def _classify(schema: strawberry.Schema, parent: GraphQLObjectType, name: str, field: GraphQLField) -> Resolution:
    definition = field.extensions.get(_DEFINITION)
    if isinstance(definition, BatchedField):
        return Batch(
            _loader(definition.batch_function), definition.batch_function, partial(_convert, schema, definition)
        )
    if isinstance(definition, ColumnField):
        return Column(definition.read_column)
    if isinstance(definition, StrawberryField) and definition.is_basic_field and definition.default_resolver is getattr:
        own = column_of(parent.extensions[_DEFINITION].origin, str(definition.python_name))
        return Attribute(str(definition.python_name)) if own is None else Column(own)
    return by_resolver(parent, name, field) if field.resolve is None else Call(field.resolve)


def _convert(schema: strawberry.Schema, definition: StrawberryField, given: dict[str, Any]) -> Mapping[str, Any]:
    converter = schema.schema_converter
    return convert_arguments(
        given, definition.arguments, scalar_registry=converter.scalar_registry, config=converter.config
    )


@lru_cache(maxsize=1024)
def _loader(function: BatchFunction) -> Callable[..., Any]:
    """The batch function as the executor calls it; one that has a parameter `selection` is told what is selected."""
    if "selection" in signature(function).parameters:

        async def load(
            parents: Sequence[Any], context: object, arguments: Mapping[str, Any], selection: Selection
        ) -> Sequence[Any]:
            return await function(parents, context, selection=selection, **arguments)

        return load

    async def load_all(
        parents: Sequence[Any], context: object, arguments: Mapping[str, Any], _selection: Selection
    ) -> Sequence[Any]:
        return await function(parents, context, **arguments)

    return load_all


def _trusts(runtime_type: GraphQLObjectType, cls: type) -> bool:
    """A type's own class is of the type, unless the type decides for itself."""
    definition = runtime_type.extensions.get(_DEFINITION)
    return definition is not None and definition.is_type_of is None and definition.origin is cls
