"""Whether an operation may run: limits on its document, its cost, its caller's budget; before validation and execution."""

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    ArgumentNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    GraphQLSchema,
    OperationType,
    VariableNode,
    Visitor,
    visit,
)

from etm_graph.core.errors import Forbidden, LimitExceeded, RateLimited, Refused
from etm_graph.graphql.budgets import Budgets, BudgetState
from etm_graph.graphql.cost import SIZES, Sizes, find_operation, operation_cost, size_of
from etm_graph.graphql.limits import check_document, check_variables, exceeded, read_document
from etm_graph.settings import Settings

_COSTS_KEPT = 64
"""Costs kept of one document, by what its sizing variables say."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """An operation within the limits.

    operation: None when the document does not make clear which is meant. name: the operation's, empty without one.
    budget: its caller's, None without budgets.
    """

    document: DocumentNode
    operation: OperationType | None
    name: str
    cost: int
    budget: BudgetState | None

    def check_budget(self) -> None:
        """Raise `RateLimited` when the caller's budget does not suffice."""
        state = self.budget
        if state is None or state.allowed:
            return
        raise RateLimited(
            f"You may use {state.capacity} at once (budget_cost) and regain {state.per_second} a second "
            f"(budget_cost_per_s); {state.remaining} is left and this costs {state.cost}: come back in {state.wait_s} s.",
            details={"limit": "budget_cost", "value": state.capacity, "actual": state.cost, "retryAfter": state.wait_s},
        )


@dataclass(slots=True)
class _Known:
    """A document that was looked at before: what it is, or why it is refused."""

    document: DocumentNode | None
    refused: Refused = field(default_factory=lambda: LimitExceeded(""))
    sizing: tuple[str, ...] = ()
    costs: dict[Hashable, int] = field(default_factory=dict)


class _FindSizing(Visitor):
    """Finds the variables that decide how long lists are and what is left out."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_argument(self, node: ArgumentNode, *_: object) -> None:
        """An argument of a field."""
        if isinstance(node.value, VariableNode) and node.name.value in SIZES:
            self.names.add(node.value.name.value)

    def enter_directive(self, node: DirectiveNode, *_: object) -> None:
        """A condition."""
        for argument in node.arguments or ():
            if isinstance(argument.value, VariableNode):
                self.names.add(argument.value.name.value)


class _FindIntrospection(Visitor):
    """Finds questions about the schema; `__typename` is none."""

    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def enter_field(self, node: FieldNode, *_: object) -> None:
        """A field."""
        self.found = self.found or node.name.value in {"__schema", "__type"}


class Admission:
    """Decides on operations of one schema; documents are parsed and measured once."""

    def __init__(self, schema: GraphQLSchema, settings: Settings) -> None:
        self._schema = schema
        self._settings = settings
        self._sizes = Sizes(settings.page_size_default, settings.list_size_assumed)
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._characters = 0
        per_second = settings.budget_cost_per_s
        self._budgets = Budgets(settings.budget_cost, per_second) if per_second else None

    def admit(self, text: str, name: str | None, variables: Mapping[str, Any] | None, caller: Hashable) -> Admitted:
        """Measure an operation and charge its caller. Raises `LimitExceeded`, `Forbidden`, `GraphQLSyntaxError`."""
        known = self._look(text)
        if known.document is None:
            raise type(known.refused)(known.refused.message, details=known.refused.details)
        check_variables(variables, self._settings)
        operation = find_operation(known.document, name)
        cost = self._cost(known, name, variables or {})
        if cost > (most := self._settings.operation_cost_max):
            sentence = f"An operation costs at most {most}; ask for smaller pages"
            raise exceeded(sentence, "operation_cost_max", most, cost)
        budget = None if self._budgets is None else self._budgets.take(caller, cost)
        if operation is None:
            return Admitted(known.document, None, "", cost, budget)
        found = "" if operation.name is None else operation.name.value
        return Admitted(known.document, operation.operation, found, cost, budget)

    def _cost(self, known: _Known, name: str | None, variables: Mapping[str, Any]) -> int:
        key = (name, *(_sizing(variables.get(variable)) for variable in known.sizing))
        cost = known.costs.get(key)
        if cost is None:
            assert known.document is not None  # noqa: S101 - refused documents do not come here
            operation = find_operation(known.document, name)
            cost = 0
            if operation is not None:
                cost = operation_cost(self._schema, known.document, operation, variables, self._sizes)
            if len(known.costs) >= _COSTS_KEPT:
                known.costs.clear()
            known.costs[key] = cost
        return cost

    def _look(self, text: str) -> _Known:
        known = self._known.get(text)
        if known is None:
            known = self._examine(text)
            self._remember(text, known)
        else:
            self._known.move_to_end(text)
        return known

    def _examine(self, text: str) -> _Known:
        try:
            document = read_document(text, self._settings)
            check_document(document, self._settings)
            self._check_introspection(document)
        except Refused as refusal:
            return _Known(None, refusal)
        finding = _FindSizing()
        visit(document, finding)
        return _Known(document, sizing=tuple(sorted(finding.names)))

    def _check_introspection(self, document: DocumentNode) -> None:
        if self._settings.introspection:
            return
        finding = _FindIntrospection()
        visit(document, finding)
        if finding.found:
            raise Forbidden("The schema cannot be introspected here (introspection); read schema.graphql.")

    def _remember(self, text: str, known: _Known) -> None:
        if len(text) > self._settings.document_bytes_max:
            return
        self._known[text] = known
        self._characters += len(text)
        while self._characters > self._settings.document_cache_characters:
            forgotten, _ = self._known.popitem(last=False)
            self._characters -= len(forgotten)


def _sizing(value: object) -> Hashable:
    return value if isinstance(value, bool) else size_of(value)
