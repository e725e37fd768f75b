"""Running one operation: limits before, expected errors as codes, faults masked after."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

import strawberry
from graphql import GraphQLError, OperationType
from graphql.error import GraphQLFormattedError
from strawberry.extensions import SchemaExtension
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType as AllowedType

from etm_graph.core.errors import ExpectedError, Invalid, LimitExceeded, TimedOut
from etm_graph.graphql.admission import Admission, Admitted
from etm_graph.graphql.context import Context
from etm_graph.settings import Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Operation:
    """What a client sends: a document, the operation's name in it, variables, extensions (`{"cost": true}`)."""

    query: str
    variables: Mapping[str, Any] | None = None
    name: str | None = None
    extensions: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A GraphQL response. executed: False when the request itself was wrong, so that there is no `data` at all."""

    data: Mapping[str, Any] | None
    errors: Sequence[Mapping[str, Any]]
    executed: bool
    extensions: Mapping[str, Any] | None = None

    def body(self) -> dict[str, Any]:
        """The response as a map (GraphQL, "Response Format")."""
        body: dict[str, Any] = {"errors": list(self.errors)} if self.errors else {}
        if self.executed:
            body["data"] = self.data
        if self.extensions:
            body["extensions"] = self.extensions
        return body


class AdmittedDocument(SchemaExtension):
    """Hands Strawberry the document that was parsed for admission, so that it is parsed once."""

    def on_parse(self) -> Iterator[None]:
        """Take the document from the operation's context."""
        admitted: Admitted | None = self.execution_context.context.admitted
        if admitted is not None:
            self.execution_context.graphql_document = admitted.document
        yield


def format_error(error: GraphQLError, request_id: str) -> Mapping[str, Any]:
    """The client's form of an error: expected ones with their code, GraphQL's own as they are, faults masked."""
    formatted: GraphQLFormattedError = error.formatted
    body: dict[str, Any] = dict(formatted)
    original = error.original_error
    if isinstance(original, ExpectedError):
        details = {name: value for name, value in original.details.items() if isinstance(value, str | int | float)}
        body["message"] = original.message
        body["extensions"] = {"code": original.code.value, **details}
    elif original is not None and not isinstance(original, GraphQLError):
        logger.error("fault in a resolver", exc_info=original, extra={"request_id": request_id, "path": error.path})
        body["message"] = f"Something went wrong on our side; name the request id {request_id} when you report it."
        body["extensions"] = {"code": "INTERNAL", "requestId": request_id}
    else:
        body["extensions"] = {"code": "BAD_REQUEST", **(formatted.get("extensions") or {})}
    return body


def _refusal(error: ExpectedError) -> Answer:
    extensions = {"code": error.code.value, **error.details}
    return Answer(None, [{"message": error.message, "extensions": extensions}], executed=False)


def _answer(result: ExecutionResult, request_id: str) -> Answer:
    errors = [format_error(error, request_id) for error in result.errors or ()]
    return Answer(result.data, errors, executed=not isinstance(result, PreExecutionError))


def report_cost(operation: Operation, admitted: Admitted | None) -> Mapping[str, Any] | None:
    """What an operation cost and what its caller has left, for one that asks with `extensions: {cost: true}`."""
    if admitted is None or not (operation.extensions or {}).get("cost"):
        return None
    cost: dict[str, Any] = {"requested": admitted.cost}
    if admitted.budget is not None:
        budget = admitted.budget
        cost |= {"remaining": budget.remaining, "capacity": budget.capacity, "perSecond": budget.per_second}
    return {"cost": cost}


class WrongMethod(Exception):
    """A mutation by GET."""


class Executor:
    """Runs operations of one schema."""

    def __init__(self, schema: strawberry.Schema, settings: Settings) -> None:
        self._schema = schema
        self._settings = settings
        self._admission = Admission(schema._schema, settings)

    def _admit(self, operation: Operation, context: Context) -> Answer | None:
        """Hold an operation to the limits; the refusal, or None when it may run."""
        try:
            admitted = self._admission.admit(
                operation.query, operation.name, operation.variables, context.principal.user_id
            )
            context.admitted = admitted
            admitted.check_budget()
        except ExpectedError as error:
            return _refusal(error)
        except GraphQLError as error:
            return Answer(None, [format_error(error, context.request_id)], executed=False)
        return None

    async def run(self, operation: Operation, context: Context, *, allow_mutation: bool = True) -> Answer:
        """Execute a query or a mutation."""
        refused = self._admit(operation, context)
        return refused or await self._run(operation, context, allow_mutation=allow_mutation)

    async def _run(self, operation: Operation, context: Context, *, allow_mutation: bool = True) -> Answer:
        allowed = {AllowedType.QUERY, AllowedType.MUTATION} if allow_mutation else {AllowedType.QUERY}
        most = self._settings.operation_timeout_s
        try:
            async with asyncio.timeout(most):
                answer = await self._execute(operation, context, allowed)
        except TimeoutError:
            text = f"An operation may take {most:g} s (operation_timeout_s); this one was cancelled. Ask for less."
            return _refusal(TimedOut(text, details={"limit": "operation_timeout_s", "value": most}))
        finally:
            await context.release()
        return replace(answer, extensions=report_cost(operation, context.admitted))

    async def _execute(self, operation: Operation, context: Context, allowed: set[AllowedType]) -> Answer:
        try:
            result = await self._schema.execute(
                operation.query,
                variable_values=dict(operation.variables or {}),
                context_value=context,
                operation_name=operation.name,
                allowed_operation_types=allowed,
            )
        except InvalidOperationTypeError as error:
            raise WrongMethod from error
        except CannotGetOperationTypeError as error:
            return _refusal(Invalid(error.as_http_error_reason()))
        return _answer(result, context.request_id)

    async def stream(self, operation: Operation, context: Context) -> AsyncGenerator[Answer, None]:
        """Execute any operation: one answer of a query or mutation, one per event of a subscription."""
        refused = self._admit(operation, context)
        if refused is not None:
            yield refused
            return
        if context.admitted is None or context.admitted.operation is not OperationType.SUBSCRIPTION:
            yield await self._run(operation, context)
            return
        try:
            async with aclosing(await self._source(operation, context)) as results:
                async for result in results:
                    if not isinstance(result, ExecutionResult | PreExecutionError):
                        text = "Incremental delivery is not spoken here: leave out @defer and @stream."
                        yield _refusal(LimitExceeded(text))
                        return
                    yield _answer(result, context.request_id)
        finally:
            await context.release()

    async def _source(self, operation: Operation, context: Context) -> AsyncGenerator[Any, None]:
        return await self._schema.stream(
            operation.query,
            variable_values=dict(operation.variables or {}),
            context_value=context,
            operation_name=operation.name,
        )
