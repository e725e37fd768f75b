"""Running one operation: limits before, expected errors as codes, faults masked after."""

import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import strawberry
from graphql import GraphQLError
from graphql.error import GraphQLFormattedError
from strawberry.extensions import MaxAliasesLimiter, MaxTokensLimiter, QueryDepthLimiter
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from etm_graph.core.errors import ExpectedError, Invalid, LimitExceeded
from etm_graph.graphql.context import Context
from etm_graph.settings import Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Operation:
    """What a client sends: a document, the operation's name in it, and variables."""

    query: str
    variables: Mapping[str, Any] | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A GraphQL response. executed: False when the request itself was wrong, so that there is no `data` at all."""

    data: Mapping[str, Any] | None
    errors: Sequence[Mapping[str, Any]]
    executed: bool

    def body(self) -> dict[str, Any]:
        """The response as a map (GraphQL, "Response Format")."""
        body: dict[str, Any] = {"errors": list(self.errors)} if self.errors else {}
        if self.executed:
            body["data"] = self.data
        return body


def limiters(settings: Settings) -> list[Any]:
    """The schema extensions that hold documents to the limits."""
    return [
        lambda: QueryDepthLimiter(max_depth=settings.document_depth_max),
        lambda: MaxAliasesLimiter(max_alias_count=settings.document_aliases_max),
        lambda: MaxTokensLimiter(max_token_count=settings.document_tokens_max),
    ]


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
    return Answer(None, [{"message": error.message, "extensions": {"code": error.code.value}}], executed=False)


def _answer(result: ExecutionResult, request_id: str) -> Answer:
    errors = [format_error(error, request_id) for error in result.errors or ()]
    return Answer(result.data, errors, executed=not isinstance(result, PreExecutionError))


class WrongMethod(Exception):
    """A mutation by GET."""


class Executor:
    """Runs operations of one schema."""

    def __init__(self, schema: strawberry.Schema, settings: Settings) -> None:
        self._schema = schema
        self._settings = settings

    def check_size(self, operation: Operation) -> None:
        """Raise `LimitExceeded` for a document above the limit."""
        size, most = len(operation.query.encode()), self._settings.document_bytes_max
        if size > most:
            raise LimitExceeded(f"A document has at most {most} bytes (document_bytes_max); this one has {size}.")

    async def run(self, operation: Operation, context: Context, *, allow_mutation: bool = True) -> Answer:
        """Execute a query or a mutation."""
        allowed = {OperationType.QUERY, OperationType.MUTATION} if allow_mutation else {OperationType.QUERY}
        try:
            self.check_size(operation)
        except LimitExceeded as error:
            return _refusal(error)
        try:
            return await self._execute(operation, context, allowed)
        finally:
            await context.release()

    async def _execute(self, operation: Operation, context: Context, allowed: set[OperationType]) -> Answer:
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
        try:
            self.check_size(operation)
        except LimitExceeded as error:
            yield _refusal(error)
            return
        try:
            source = await self._schema.stream(
                operation.query,
                variable_values=dict(operation.variables or {}),
                context_value=context,
                operation_name=operation.name,
            )
            async with aclosing(source) as results:
                async for result in results:
                    if not isinstance(result, ExecutionResult | PreExecutionError):
                        yield _refusal(
                            LimitExceeded("Incremental delivery is not spoken here: leave out @defer and @stream.")
                        )
                        return
                    yield _answer(result, context.request_id)
        finally:
            await context.release()
