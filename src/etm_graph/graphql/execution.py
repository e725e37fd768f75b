"""Running one operation: limits before, expected errors as codes, faults masked after."""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

import strawberry
from graphql import DocumentNode, GraphQLError, OperationType, validate
from graphql.error import GraphQLFormattedError

from etm_graph.core.errors import ExpectedError, TimedOut
from etm_graph.graphql.admission import Admission, Admitted
from etm_graph.graphql.breadth import Bounded, Outcome, Request
from etm_graph.graphql.context import Context
from etm_graph.graphql.reading import RULES, make_engine
from etm_graph.settings import Mode, Settings

DOCUMENTS_MAX = 512
"""Documents whose validation is remembered."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Operation:
    """What a client sends: a document, the operation's name in it, variables, extensions (`{"cost": true}`).

    trusted: the document is one of the manifest and came by its id.
    """

    query: str
    variables: Mapping[str, Any] | None = None
    name: str | None = None
    extensions: Mapping[str, Any] | None = None
    trusted: bool = False


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


_SUGGESTION = re.compile(r" Did you mean .*\?$", re.DOTALL)


def format_error(
    error: GraphQLError, request_id: str, *, suggest: bool = True, code: str = "BAD_REQUEST"
) -> Mapping[str, Any]:
    """The client's form of an error: expected ones with their code, GraphQL's own with `code`, faults masked.

    suggest: whether GraphQL's own say which names of the schema may have been meant.
    """
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
        body["message"] = error.message if suggest else _SUGGESTION.sub("", error.message)
        body["extensions"] = {"code": code, **(formatted.get("extensions") or {})}
    return body


def refusal(error: ExpectedError) -> Answer:
    """The answer to an operation that does not run."""
    extensions = {"code": error.code.value, **error.details}
    return Answer(None, [{"message": error.message, "extensions": extensions}], executed=False)


def _bad_request(message: str) -> Answer:
    return Answer(None, [{"message": message, "extensions": {"code": "BAD_REQUEST"}}], executed=False)


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

    def __init__(
        self, schema: strawberry.Schema, settings: Settings, fell_back: Callable[[str], None] = lambda _reason: None
    ) -> None:
        """fell_back: is told why when an operation is left to graphql-core."""
        self._settings = settings
        self._suggest = settings.mode is Mode.DEVELOPMENT
        self._admission = Admission(schema._schema, settings)
        self._engine = make_engine(schema, fell_back=fell_back, hide_suggestions=not self._suggest)
        self._validated: Bounded[list[GraphQLError]] = Bounded(DOCUMENTS_MAX)

    def _admit(self, operation: Operation, context: Context) -> Answer | None:
        """Hold an operation to the limits; the refusal, or None when it may run."""
        try:
            admitted = self._admission.admit(
                operation.query, operation.name, operation.variables, context.principal.user_id
            )
            context.admitted = admitted
            admitted.check_budget()
        except ExpectedError as error:
            return refusal(error)
        except GraphQLError as error:
            return Answer(None, [self._format(error, context, "GRAPHQL_PARSE_FAILED")], executed=False)
        if admitted.operation is None:
            return _bad_request(
                "It is not clear which operation is meant: name one of the document's by `operationName`."
            )
        return None

    def _format(self, error: GraphQLError, context: Context, code: str) -> Mapping[str, Any]:
        return format_error(error, context.request_id, suggest=self._suggest, code=code)

    def _answer(self, outcome: Outcome, context: Context) -> Answer:
        errors = [self._format(error, context, "BAD_REQUEST") for error in outcome.errors]
        return Answer(outcome.data, errors, executed=outcome.executed)

    async def run(self, operation: Operation, context: Context, *, allow_mutation: bool = True) -> Answer:
        """Execute a query or a mutation. Raises `WrongMethod`."""
        refused = self._admit(operation, context)
        if refused is not None:
            return refused
        kind = context.admitted.operation if context.admitted is not None else None
        if kind is OperationType.MUTATION and not allow_mutation:
            raise WrongMethod("Send mutations by POST.")
        if kind is OperationType.SUBSCRIPTION:
            return _bad_request("Subscriptions are served as text/event-stream and over graphql-transport-ws.")
        return await self._run(operation, context)

    async def _run(self, operation: Operation, context: Context) -> Answer:
        most = self._settings.operation_timeout_s
        try:
            async with asyncio.timeout(most):
                answer = await self._execute(operation, context)
        except TimeoutError:
            text = f"An operation may take {most:g} s (operation_timeout_s); this one was cancelled. Ask for less."
            return refusal(TimedOut(text, details={"limit": "operation_timeout_s", "value": most}))
        finally:
            await context.release()
        return replace(answer, extensions=report_cost(operation, context.admitted))

    def _ready(self, operation: Operation, context: Context) -> Request | Answer:
        """The operation for the engine, or what is wrong with its document."""
        if context.admitted is None:
            raise RuntimeError("an operation that was not admitted")
        text, document = operation.query, context.admitted.document
        wrong = self._validated.get(text, lambda: self._validate(document))
        if wrong:
            errors = [self._format(error, context, "GRAPHQL_VALIDATION_FAILED") for error in wrong]
            return Answer(None, errors, executed=False)
        return Request(document, text, operation.name, operation.variables, context)

    def _validate(self, document: DocumentNode) -> list[GraphQLError]:
        return validate(self._engine.schema, document, RULES, hide_suggestions=not self._suggest)

    async def _execute(self, operation: Operation, context: Context) -> Answer:
        ready = self._ready(operation, context)
        if isinstance(ready, Answer):
            return ready
        return self._answer(await self._engine.execute(ready), context)

    async def stream(
        self, operation: Operation, context: Context, *, allow_mutation: bool = True
    ) -> AsyncGenerator[Answer, None]:
        """Execute any operation: one answer of a query or mutation, one per event of a subscription."""
        refused = self._admit(operation, context)
        if refused is not None:
            yield refused
            return
        kind = context.admitted.operation if context.admitted is not None else None
        if kind is OperationType.MUTATION and not allow_mutation:
            yield _bad_request("Send mutations by POST.")
            return
        if kind is not OperationType.SUBSCRIPTION:
            yield await self._run(operation, context)
            return
        extensions = report_cost(operation, context.admitted)
        try:
            async with aclosing(self._follow(operation, context)) as answers:
                async for answer in answers:
                    yield replace(answer, extensions=extensions)
                    extensions = None
        except Exception as error:  # noqa: BLE001 - what the events' source raised
            located = error if isinstance(error, GraphQLError) else GraphQLError(str(error), original_error=error)
            yield Answer(None, [self._format(located, context, "BAD_REQUEST")], executed=True)
        finally:
            await context.release()

    async def _follow(self, operation: Operation, context: Context) -> AsyncGenerator[Answer, None]:
        ready = self._ready(operation, context)
        if isinstance(ready, Answer):
            yield ready
            return
        started = await self._engine.subscribe(ready)
        if isinstance(started, Outcome):
            yield self._answer(started, context)
            return
        async with aclosing(started) as outcomes:
            async for outcome in outcomes:
                yield self._answer(outcome, context)
