"""The engine: validated documents in, data and errors out."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping
from contextlib import aclosing
from copy import copy
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    assert_valid_schema,
    execute,
    subscribe,
)
from graphql.execution import Executor, create_source_event_stream, default_field_resolver, default_type_resolver
from graphql.execution.values import VariableValues, get_variable_values

from etm_graph.graphql.breadth.documents import Bounded, Operation, read_operation, require_supported
from etm_graph.graphql.breadth.leaves import Complete
from etm_graph.graphql.breadth.plans import (
    Compiler,
    OperationPlan,
    SelectionPlan,
    Trusts,
    Unsupported,
    compile_operation,
)
from etm_graph.graphql.breadth.resolutions import Classify, by_resolver
from etm_graph.graphql.breadth.running import Run
from etm_graph.graphql.breadth.settling import Settling

PLANS_MAX = 512


@dataclass(frozen=True, slots=True)
class Request:
    """An operation to execute.

    document: validated. key: what its text is known by (a hash); plans are kept under it. variables: as the client sent
    them. context: handed to resolvers and batches. root: the parent of the root fields.
    """

    document: DocumentNode
    key: str
    name: str | None = None
    variables: Mapping[str, Any] | None = None
    context: Any = None
    root: Any = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an operation. executed: False when the request was wrong, so that there is no data at all."""

    data: dict[str, Any] | None
    errors: list[GraphQLError] = field(default_factory=list)
    executed: bool = True


Stream = AsyncGenerator[Outcome, None]
"""A subscription's answers, one an event; closing it closes the events."""


def _trust_nothing(_type: GraphQLObjectType, _cls: type) -> bool:
    return False


class Engine:
    """Executes operations of one schema.

    classify: how a field is read. trusts: for which Python classes `is_type_of` need not be asked. fell_back: is told
    why whenever an operation is left to graphql-core. plans_max: how many compiled operations are kept.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        *,
        classify: Classify = by_resolver,
        trusts: Trusts = _trust_nothing,
        fell_back: Callable[[str], None] = lambda _reason: None,
        hide_suggestions: bool = False,
        plans_max: int = PLANS_MAX,
    ) -> None:
        assert_valid_schema(schema)
        self.schema = schema
        self._classify = classify
        self._trusts = trusts
        self._fell_back = fell_back
        self._hide_suggestions = hide_suggestions
        self._operations: Bounded[Operation] = Bounded(plans_max)
        self._plans: Bounded[OperationPlan] = Bounded(plans_max)
        self._leaves: dict[str, Complete] = {}

    async def execute(self, request: Request) -> Outcome:
        """Execute a query or a mutation (a subscription as if its root value were an event)."""
        try:
            operation = self._operation(request)
            core = self._core(request, operation)
            if isinstance(core, list):
                return Outcome(None, core, executed=False)
            plan = self._plan(request, operation, core.variable_values)
        except GraphQLError as error:
            return Outcome(None, [error], executed=False)
        except Unsupported as reason:
            return await self._by_core(request, str(reason))
        return await self._run(core, plan, request)

    async def subscribe(self, request: Request) -> "Stream | Outcome":
        """Start a subscription: its answers, or what was wrong with it."""
        try:
            operation = self._operation(request)
            core = self._core(request, operation)
            if isinstance(core, list):
                return Outcome(None, core, executed=False)
            plan = self._plan(request, operation, core.variable_values)
        except GraphQLError as error:
            return Outcome(None, [error], executed=False)
        except Unsupported as reason:
            return await self._stream_by_core(request, str(reason))
        source = create_source_event_stream(core)
        if isawaitable(source):
            source = await source
        if isinstance(source, ExecutionResult):
            return Outcome(None, list(source.errors or ()), executed=False)
        return self._events(source, core, plan, request)

    async def _events(
        self, source: AsyncIterable[Any], core: "Executor[Any]", plan: OperationPlan, request: Request
    ) -> Stream:
        async with aclosing(_closable(source)) as events:
            async for event in events:
                yield await self._run(core.build_per_event_executor(event), plan, request)

    # making ready

    def _operation(self, request: Request) -> Operation:
        key = (request.key, request.name)
        operation = self._operations.get(key, lambda: read_operation(request.document, request.name))
        require_supported(operation)
        return operation

    def _core(self, request: Request, operation: Operation) -> "Executor[Any] | list[GraphQLError]":
        definitions = operation.node.variable_definitions or ()
        variables = get_variable_values(
            self.schema, definitions, dict(request.variables or {}), hide_suggestions=self._hide_suggestions
        )
        if isinstance(variables, list):
            return variables
        return Executor(
            self.schema,
            operation.definitions,
            operation.fragments,
            request.root,
            request.context,
            operation.node,
            variables,
            default_field_resolver,
            default_type_resolver,
            default_field_resolver,
            hide_suggestions=self._hide_suggestions,
        )

    def _plan(self, request: Request, operation: Operation, variables: VariableValues) -> OperationPlan:
        key = (request.key, request.name, operation.shape(variables))
        return self._plans.get(key, lambda: self._compile(operation, variables))

    def _compile(self, operation: Operation, variables: VariableValues) -> OperationPlan:
        return compile_operation(
            Compiler(
                self.schema,
                operation.node,
                operation.definitions,
                operation.fragments,
                operation.conditional(variables),
                self._classify,
                self._trusts,
                self._leaves,
            )
        )

    # executing

    async def _run(self, core: "Executor[Any]", plan: OperationPlan, request: Request) -> Outcome:
        merged: dict[str, Any] = {}
        errors: list[GraphQLError] = []
        for selection in plan.selections:
            data, found = await self._one(core, selection, request)
            errors += found
            if data is None:
                return Outcome(None, errors)
            merged |= data
        return Outcome(merged, errors)

    async def _one(
        self, core: "Executor[Any]", selection: SelectionPlan, request: Request
    ) -> tuple[dict[str, Any] | None, list[GraphQLError]]:
        run = Run(core, request.context)
        data = (await run.execute(selection, [core.root_value]))[0]
        if not run.tainted:
            return data, []
        settling = Settling({id(made): step.plan for step in run.steps() for made in step.objects})
        return settling.settle(data), settling.errors

    # what graphql-core does

    async def _by_core(self, request: Request, reason: str) -> Outcome:
        self._fell_back(reason)
        found = execute(self.schema, request.document, request.root, request.context, *_rest(request))
        return _outcome(await found if isawaitable(found) else found)

    async def _stream_by_core(self, request: Request, reason: str) -> "Stream | Outcome":
        self._fell_back(reason)
        found = subscribe(self.schema, request.document, request.root, request.context, *_rest(request))
        stream = await found if isawaitable(found) else found
        if isinstance(stream, ExecutionResult):
            return Outcome(None, list(stream.errors or ()), executed=False)

        async def events() -> Stream:
            async with aclosing(_closable(stream)) as results:
                async for result in results:
                    yield _outcome(result)

        return events()


def _rest(request: Request) -> tuple[dict[str, Any], str | None]:
    return dict(request.variables or {}), request.name


def _outcome(result: ExecutionResult) -> Outcome:
    return Outcome(copy(result.data), list(result.errors or ()))


async def _closable(source: AsyncIterable[Any]) -> AsyncGenerator[Any, None]:
    """The events as a generator whose closing closes their source."""
    try:
        async for event in source:
            yield event
    finally:
        close = getattr(source, "aclose", None)
        if close is not None:
            await close()
