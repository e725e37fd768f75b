"""What an operation costs, reckoned from the schema and the document before anything runs.

Nothing is free: every field costs something because of its type, without being named anywhere. The unit is one leaf
value in the answer. A connection's items count as often as `first` or `last` says, another list's as often as its
`ids` say, else as `list_size_assumed`; the same below them, multiplied.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    BooleanValueNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLAbstractType,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLUnionType,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    OperationType,
    SchemaMetaFieldDef,
    SelectionNode,
    SelectionSetNode,
    TypeMetaFieldDef,
    ValueNode,
    VariableNode,
    get_named_type,
)

LEAF = 1
"""A scalar or enum value."""
OBJECT = 1
"""An object, beside its fields."""
READ = 4
"""A field that is computed or read for its parent, beside what it answers."""
CONNECTION = 10
"""A page of a list, beside its items."""
WRITE = 100
"""A mutation's root field."""
OPERATION = 10
"""An operation, whatever it asks for."""

COUNTED = 10**12
"""No cost is told apart above this."""

SIZES = frozenset({"first", "last", "ids"})
"""Arguments that say how many items a list has."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How long lists are when a document does not say: `page` of a connection, `items` of any other."""

    page: int
    items: int


@dataclass(slots=True)
class _Reckoning:
    """One operation's sums."""

    schema: GraphQLSchema
    sizes: Sizes
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any]
    known: dict[tuple[str, str, int | None], int] = field(default_factory=dict)

    def selections(self, node: SelectionSetNode | None, owner: GraphQLNamedType, page: int | None) -> int:
        """Cost of a selection set on a value of type `owner`; `page` is how many items its lists have, if known."""
        if node is None:
            return 0
        if isinstance(owner, GraphQLInterfaceType | GraphQLUnionType):
            return max((self.selections(node, one, page) for one in self._possible(owner)), default=0)
        if not isinstance(owner, GraphQLObjectType):
            return 0
        return min(sum(self._one(selection, owner, page) for selection in node.selections), COUNTED)

    def _possible(self, owner: GraphQLAbstractType) -> list[GraphQLObjectType]:
        return list(self.schema.get_possible_types(owner))

    def _one(self, node: SelectionNode, owner: GraphQLObjectType, page: int | None) -> int:
        if self._left_out(node):
            return 0
        if isinstance(node, FieldNode):
            return self._field(node, owner, page)
        if isinstance(node, FragmentSpreadNode):
            return self._spread(node.name.value, owner, page)
        condition = getattr(node, "type_condition", None)
        if condition is not None and not self._applies(condition.name.value, owner):
            return 0
        return self.selections(getattr(node, "selection_set", None), owner, page)

    def _spread(self, name: str, owner: GraphQLObjectType, page: int | None) -> int:
        fragment = self.fragments.get(name)
        if fragment is None or not self._applies(fragment.type_condition.name.value, owner):
            return 0
        key = (name, owner.name, page)
        if key not in self.known:
            self.known[key] = 0  # a fragment inside itself is no document; validation says so
            self.known[key] = self.selections(fragment.selection_set, owner, page)
        return self.known[key]

    def _applies(self, condition: str, owner: GraphQLObjectType) -> bool:
        named = self.schema.get_type(condition)
        if isinstance(named, GraphQLInterfaceType | GraphQLUnionType):
            return self.schema.is_sub_type(named, owner)
        return named is owner

    def _field(self, node: FieldNode, owner: GraphQLObjectType, page: int | None) -> int:
        definition = self._definition(node.name.value, owner)
        if definition is None:
            return LEAF  # __typename, or a field that does not exist, as validation will say
        named = get_named_type(definition.type)
        own = self._own(definition, owner) + (CONNECTION if is_connection(named) else 0)
        unit = LEAF if node.selection_set is None else OBJECT
        below = self.selections(node.selection_set, named, self._page(node) if is_connection(named) else None)
        times = self._times(node, definition.type, page)
        return min(own + times * (unit + below), COUNTED)

    def _definition(self, name: str, owner: GraphQLObjectType) -> GraphQLField | None:
        if owner is self.schema.query_type and name in {"__schema", "__type"}:
            return SchemaMetaFieldDef if name == "__schema" else TypeMetaFieldDef
        found: GraphQLField | None = owner.fields.get(name)
        return found

    def _own(self, definition: GraphQLField, owner: GraphQLObjectType) -> int:
        if owner is self.schema.mutation_type:
            return WRITE
        return READ if is_computed(definition) else 0

    def _times(self, node: FieldNode, answer: GraphQLOutputType, page: int | None) -> int:
        bare = answer.of_type if isinstance(answer, GraphQLNonNull) else answer
        if not isinstance(bare, GraphQLList):
            return 1
        if page is not None:
            return page
        given = self._given(node, "ids")
        return self.sizes.items if given is None else given

    def _page(self, node: FieldNode) -> int:
        sizes = [size for name in ("first", "last") if (size := self._given(node, name)) is not None]
        return max(sizes, default=self.sizes.page)

    def _given(self, node: FieldNode, name: str) -> int | None:
        value = next((argument.value for argument in node.arguments or () if argument.name.value == name), None)
        return None if value is None else self._number(value)

    def _number(self, value: ValueNode) -> int | None:
        if isinstance(value, IntValueNode):
            return max(int(value.value), 0)
        if isinstance(value, ListValueNode):
            return len(value.values)
        return size_of(self.variables.get(value.name.value)) if isinstance(value, VariableNode) else None

    def _left_out(self, node: SelectionNode) -> bool:
        for directive in node.directives or ():
            name = directive.name.value
            condition = next((given.value for given in directive.arguments or () if given.name.value == "if"), None)
            if name in {"skip", "include"} and condition is not None and self._true(condition) is (name == "skip"):
                return True
        return False

    def _true(self, value: ValueNode) -> bool | None:
        if isinstance(value, BooleanValueNode):
            return value.value
        found = self.variables.get(value.name.value) if isinstance(value, VariableNode) else None
        return found if isinstance(found, bool) else None


def size_of(value: object) -> int | None:
    """How many items a variable asks for: its number, or its length as a list; None when it does not say."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return max(value, 0)
    return len(value) if isinstance(value, list) else None


def is_connection(named: GraphQLNamedType) -> bool:
    """Whether it is a page of a list as Relay has it."""
    return isinstance(named, GraphQLObjectType) and {"edges", "pageInfo"} <= named.fields.keys()


def is_computed(definition: GraphQLField) -> bool:
    """Whether a resolver answers it, rather than a value that its parent holds already."""
    declared = definition.extensions.get("strawberry-definition")
    return getattr(declared, "base_resolver", None) is not None


def find_operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode | None:
    """The operation that a request means; None when that is not clear."""
    found = [
        node
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode)
        and (not name or (node.name is not None and node.name.value == name))
    ]
    return found[0] if len(found) == 1 else None


def _defaults(operation: OperationDefinitionNode) -> Iterator[tuple[str, Any]]:
    for definition in operation.variable_definitions or ():
        default = definition.default_value
        name = definition.variable.name.value
        if isinstance(default, IntValueNode):
            yield name, int(default.value)
        elif isinstance(default, BooleanValueNode):
            yield name, default.value
        elif isinstance(default, ListValueNode):
            yield name, list(default.values)


def operation_cost(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],
    sizes: Sizes,
) -> int:
    """The cost of an operation with these variables, from 10 upwards. The document need not be valid."""
    root = {
        OperationType.QUERY: schema.query_type,
        OperationType.MUTATION: schema.mutation_type,
        OperationType.SUBSCRIPTION: schema.subscription_type,
    }[operation.operation]
    if root is None:
        return OPERATION
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    reckoning = _Reckoning(schema, sizes, fragments, {**dict(_defaults(operation)), **variables})
    return OPERATION + reckoning.selections(operation.selection_set, root, None)
