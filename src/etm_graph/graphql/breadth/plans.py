"""Compiled operations: for every selection and runtime type, which fields are read how, in which order.

A plan is made once for a document, an operation name and the values of the variables that @skip and @include read.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from graphql import (
    FragmentDefinitionNode,
    GraphQLAbstractType,
    GraphQLError,
    GraphQLField,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    TypeNameMetaFieldDef,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from graphql.execution.collect_fields import FieldDetailsList, FragmentDetails, collect_fields, collect_subfields
from graphql.execution.values import VariableValues

from etm_graph.graphql.breadth.leaves import Complete, leaf_completion
from etm_graph.graphql.breadth.resolutions import Attribute, Batch, Classify, Column, Resolution
from etm_graph.graphql.breadth.selections import Selection, selection_below

Assemble = Callable[..., list[dict[str, Any]]]

Trusts = Callable[[GraphQLObjectType, type], bool]
"""Whether a Python class's instances are of an object type, so that its `is_type_of` need not be asked."""


class Unsupported(Exception):
    """Something that graphql-core must execute."""


class Shape(NamedTuple):
    """How lists wrap a type. required: for the outermost place to the innermost, whether null is refused there."""

    required: tuple[bool, ...]

    @property
    def depth(self) -> int:
        """How many lists there are."""
        return len(self.required) - 1


def shape_of(declared: Any) -> Shape:  # noqa: ANN401 - any output type
    """The shape of a field's type."""
    required: list[bool] = []
    while True:
        required.append(is_non_null_type(declared))
        inner = declared.of_type if is_non_null_type(declared) else declared
        if not is_list_type(inner):
            return Shape(tuple(required))
        declared = inner.of_type


class SelectionPlan:
    """The fields of one selection for one runtime type."""

    def __init__(self, runtime_type: GraphQLObjectType, fields: tuple["FieldPlan", ...]) -> None:
        self.type = runtime_type
        self.fields = fields
        self.by_key = {field.key: field for field in fields}
        self._assemble = make_assemble([field.key for field in fields])
        self.shareable = all(field.shareable for field in fields)
        """Whether one object can be answered once however often it occurs, since nothing depends on where."""

    def assemble(self, columns: Sequence[Sequence[Any]], count: int) -> list[dict[str, Any]]:
        """The objects of so many rows."""
        return self._assemble(*columns) if self.fields else [{} for _ in range(count)]


class FieldPlan:
    """One response key of a selection."""

    def __init__(
        self,
        compiler: "Compiler",
        parent: GraphQLObjectType,
        key: str,
        definition: GraphQLField,
        details: FieldDetailsList,
    ) -> None:
        self.key = key
        self.parent = parent
        self.definition = definition
        self.details = details
        self.nodes = [detail.node for detail in details]
        self.name = self.nodes[0].name.value
        self.typename = definition is TypeNameMetaFieldDef
        self.named = get_named_type(definition.type)
        self.shape = shape_of(definition.type)
        self.complete: Complete | None = compiler.leaf(self.named) if is_leaf_type(self.named) else None
        self.abstract: GraphQLAbstractType | None = self.named if is_abstract_type(self.named) else None
        self.trusts = compiler.trusts
        self.resolution: Resolution = compiler.classify(parent, self.name, definition)
        self.shareable = self.complete is not None and (
            self.typename or isinstance(self.resolution, Attribute | Column | Batch)
        )
        self._compiler = compiler
        self._below: dict[str, SelectionPlan] = {}

    @cached_property
    def selection(self) -> Selection:
        """What is selected below."""
        return selection_below(self.nodes, self._compiler.definitions)

    def below(self, runtime_type: GraphQLObjectType) -> SelectionPlan:
        """The plan of what is selected below, for an object of that type."""
        plan = self._below.get(runtime_type.name)
        if plan is None:
            plan = self._below[runtime_type.name] = self._compiler.below(self.details, runtime_type)
        return plan


class Compiler:
    """Makes the plans of one operation."""

    def __init__(
        self,
        schema: GraphQLSchema,
        operation: OperationDefinitionNode,
        definitions: dict[str, FragmentDefinitionNode],
        fragments: dict[str, FragmentDetails],
        conditions: VariableValues,
        classify: Classify,
        trusts: Trusts,
        leaves: dict[str, Complete],
    ) -> None:
        self.schema = schema
        self.operation = operation
        self.definitions = definitions
        self.fragments = fragments
        self.conditions = conditions
        self.classify = classify
        self.trusts = trusts
        self._leaves = leaves

    def leaf(self, named: GraphQLLeafType) -> Complete:
        """The completion of a leaf type, made once for a schema."""
        if named.name not in self._leaves:
            self._leaves[named.name] = leaf_completion(named)
        return self._leaves[named.name]

    def root(self, runtime_type: GraphQLObjectType) -> SelectionPlan:
        """The operation's own selection."""
        collected = collect_fields(self.schema, self.fragments, self.conditions, runtime_type, self.operation)
        return self._plan(runtime_type, collected.grouped_field_set)

    def below(self, details: FieldDetailsList, runtime_type: GraphQLObjectType) -> SelectionPlan:
        """The selection below a field."""
        collected = collect_subfields(
            self.schema, self.fragments, self.conditions, self.operation, runtime_type, details
        )
        return self._plan(runtime_type, collected.grouped_field_set)

    def _plan(self, runtime_type: GraphQLObjectType, grouped: dict[str, FieldDetailsList]) -> SelectionPlan:
        fields = []
        for key, details in grouped.items():
            definition = self.schema.get_field(runtime_type, details[0].node.name.value)
            if definition is not None:
                fields.append(FieldPlan(self, runtime_type, key, definition, details))
        return SelectionPlan(runtime_type, tuple(fields))


def make_assemble(keys: Sequence[str]) -> Assemble:
    """A function of columns, one a key, that gives one map a row with the keys in this order."""
    if not all(key.isidentifier() and key.isascii() for key in keys):
        raise Unsupported("a response key that is no name")
    names = [f"v{index}" for index in range(len(keys))]
    columns = ", ".join(f"c{index}" for index in range(len(keys)))
    items = ", ".join(f'"{key}": {name}' for key, name in zip(keys, names, strict=True))
    rows = f"zip({columns}, strict=True)" if len(keys) > 1 else "c0"
    if not keys:
        return list
    source = f"lambda {columns}: [{{{items}}} for {', '.join(names)} in {rows}]"
    made: Assemble = eval(source, {"__builtins__": {"zip": zip}})  # noqa: S307 - of names that were checked above
    return made


class OperationPlan(NamedTuple):
    """A compiled operation: what is executed one after the other (a mutation's fields), or the one selection."""

    selections: tuple[SelectionPlan, ...]


def compile_operation(compiler: Compiler) -> OperationPlan:
    """The plan of an operation; raises `GraphQLError` when the schema has no such root."""
    operation = compiler.operation
    root = compiler.schema.get_root_type(operation.operation)
    if root is None:
        raise GraphQLError(f"Schema is not configured to execute {operation.operation.value} operation.", operation)
    whole = compiler.root(root)
    if operation.operation is OperationType.MUTATION and len(whole.fields) > 1:
        return OperationPlan(tuple(SelectionPlan(root, (field,)) for field in whole.fields))
    return OperationPlan((whole,))
