"""What is known of a document before its variables: the operation, its fragments, and what decides its shape."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from graphql import (
    DirectiveNode,
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    Visitor,
    visit,
)
from graphql.execution.collect_fields import FragmentDetails
from graphql.execution.values import VariableValues

from etm_graph.graphql.breadth.plans import Unsupported

_CONDITIONS = {"skip", "include"}
_FOREIGN = {"defer", "stream", "experimental_disableErrorPropagation"}

Value = TypeVar("Value")


class Bounded(Generic[Value]):
    """A cache that forgets what was used longest ago."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, Value] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The kept value, or a new one."""
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = make()
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        return found

    def __len__(self) -> int:
        return len(self._kept)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a document with the document's fragments."""

    node: OperationDefinitionNode
    definitions: dict[str, FragmentDefinitionNode]
    fragments: dict[str, FragmentDetails]
    conditions: tuple[str, ...]
    """Variables that @skip and @include read, in alphabetical order."""
    unsupported: str | None
    """Why graphql-core must execute it."""

    @property
    def kind(self) -> OperationType:
        """Query, mutation or subscription."""
        return self.node.operation

    def shape(self, variables: VariableValues) -> tuple[object, ...]:
        """The values that decide which plan this is."""
        return tuple(variables.coerced.get(name) for name in self.conditions)

    def conditional(self, variables: VariableValues) -> VariableValues:
        """Those variables alone that decide the shape."""
        kept = set(self.conditions)
        return VariableValues(
            {name: value for name, value in variables.sources.items() if name in kept},
            {name: value for name, value in variables.coerced.items() if name in kept},
        )


class _Looking(Visitor):
    """Notes the variables of conditions and directives that are graphql-core's alone."""

    def __init__(self) -> None:
        super().__init__()
        self.conditions: set[str] = set()
        self.foreign: set[str] = set()

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:  # noqa: ANN401 - the visitor's own
        name = node.name.value
        if name in _CONDITIONS:
            values = (argument.value for argument in node.arguments or ())
            self.conditions |= {value.name.value for value in values if isinstance(value, VariableNode)}
        elif name in _FOREIGN:
            self.foreign.add(name)


def read_operation(document: DocumentNode, name: str | None) -> Operation:
    """The operation of that name, or the only one; raises `GraphQLError` in graphql-core's words."""
    found: OperationDefinitionNode | None = None
    definitions: dict[str, FragmentDefinitionNode] = {}
    for node in document.definitions:
        if isinstance(node, FragmentDefinitionNode):
            definitions[node.name.value] = node
        elif isinstance(node, OperationDefinitionNode):
            if name is None and found is not None:
                raise GraphQLError("Must provide operation name if query contains multiple operations.")
            if name is None or (node.name is not None and node.name.value == name):
                found = node
    if found is None:
        raise GraphQLError("Must provide an operation." if name is None else f"Unknown operation named '{name}'.")
    looking = _Looking()
    visit(document, looking)
    reason = f"@{min(looking.foreign)}" if looking.foreign else None
    if any(node.variable_definitions for node in definitions.values()):
        reason = "variables of fragments"
    fragments = {key: FragmentDetails(node) for key, node in definitions.items()}
    return Operation(found, definitions, fragments, tuple(sorted(looking.conditions)), reason)


def require_supported(operation: Operation) -> None:
    """Raise `Unsupported` for what graphql-core must execute."""
    if operation.unsupported is not None:
        raise Unsupported(operation.unsupported)
