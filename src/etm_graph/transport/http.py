"""GraphQL over HTTP: media types, methods, status codes (GraphQL-over-HTTP, section "Request" and "Response").

Two profiles of status codes: `audited` is what the audit suite of the npm package graphql-http checks, `draft-2026-08`
is the draft as of that month.
"""

import logging
from typing import Any
from urllib.parse import parse_qs

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from etm_graph.core.errors import Refused, TooManyFailures, Unauthenticated
from etm_graph.graphql.context import Context
from etm_graph.graphql.execution import Answer, Operation, WrongMethod, refusal
from etm_graph.transport import ide
from etm_graph.transport.gateway import Gateway, fault
from etm_graph.transport.negotiating import EVENT_STREAM, GRAPHQL_JSON, JSON, choose_media_type
from etm_graph.transport.parameters import Malformed, read_operation
from etm_graph.transport.sse import EventStream, Streams
from etm_graph.transport.statuses import PROFILES, Statuses

DISCARDED_TIMES = 10
"""A body that is too large is read and thrown away up to so many times the limit, so that its sender gets the answer."""

METHODS = "GET, POST"

logger = logging.getLogger(__name__)


class _Wrong(Exception):
    """The request is not GraphQL over HTTP."""

    def __init__(self, status: int, message: str, code: str = "BAD_REQUEST", **headers: str) -> None:
        super().__init__(message)
        self.response_status = status
        self.message = message
        self.code = code
        self.headers = headers

    def body(self) -> dict[str, Any]:
        return {"errors": [{"message": self.message, "extensions": {"code": self.code}}]}


def _media_type(request: Request) -> str:
    chosen = choose_media_type(request.headers.get("accept", ""))
    if chosen is None:
        raise _Wrong(406, f"Answers are {GRAPHQL_JSON}, {JSON} or {EVENT_STREAM}.")
    return chosen


def _check_head(request: Request) -> None:
    if request.method not in {"GET", "POST"}:
        raise _Wrong(405, f"Use {METHODS}.", Allow=METHODS)
    if request.method == "GET":
        return
    media, *parameters = (part.strip().lower() for part in request.headers.get("content-type", "").split(";"))
    charset = next(
        (text.removeprefix("charset=").strip('"') for text in parameters if text.startswith("charset=")), "utf-8"
    )
    if media != JSON or charset not in {"utf-8", "utf8"}:
        raise _Wrong(415, f"The body must be {JSON} in UTF-8.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise _Wrong(415, "Send the body without Content-Encoding.", **{"Accept-Encoding": "identity"})


async def _body(request: Request, limit: int) -> object:
    body, size = bytearray(), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:
            body += chunk
        elif size > DISCARDED_TIMES * limit:
            break  # who sends that much does not wait for an answer
    if size > limit:
        raise _Wrong(413, f"A request has at most {limit} bytes (request_bytes_max).", "LIMIT_EXCEEDED")
    try:
        return orjson.loads(bytes(body))
    except orjson.JSONDecodeError as error:
        raise _Wrong(400, "The body is not JSON.") from error


def _query_string(request: Request) -> dict[str, Any]:
    values = parse_qs(request.url.query, keep_blank_values=False)
    parameters: dict[str, Any] = {name: given[-1] for name, given in values.items()}
    for name in ("variables", "extensions"):
        if name in parameters:
            try:
                parameters[name] = orjson.loads(parameters[name])
            except orjson.JSONDecodeError as error:
                raise _Wrong(400, f"`{name}` is not JSON.") from error
    return parameters


def _budget_headers(context: Context) -> dict[str, str]:
    """What the caller has left (RateLimit header fields for HTTP, draft 10); seconds, and cost as the unit."""
    budget = None if context.admitted is None else context.admitted.budget
    if budget is None:
        return {}
    headers = {
        "RateLimit-Policy": f'"cost";q={budget.capacity};w={budget.window_s}',
        "RateLimit": f'"cost";r={budget.remaining};t={budget.full_in_s}',
    }
    return headers if budget.allowed else {**headers, "Retry-After": str(budget.wait_s)}


def _json(body: object, status: int, media_type: str, **headers: str) -> Response:
    return Response(orjson.dumps(body), status, media_type=f"{media_type}; charset=utf-8", headers=headers)


class _Streamed(Response):
    """A response that is an event stream."""

    def __init__(self, streams: Streams, stream: EventStream) -> None:
        super().__init__()
        self._streams = streams
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        del scope
        await self._streams.run(self._stream, receive, send)


class HttpEndpoint:
    """Answers GET and POST of the GraphQL route, with JSON or an event stream."""

    def __init__(self, gateway: Gateway, streams: Streams) -> None:
        self._gateway = gateway
        self._streams = streams
        self._statuses: Statuses = PROFILES[gateway.settings.http_statuses]

    async def answer(self, request: Request) -> Response:
        """One request."""
        if request.method == "GET" and "text/html" in request.headers.get("accept", "") and self._gateway.ide:
            return ide.page()
        media_type = JSON
        try:
            media_type = _media_type(request)
            _check_head(request)
            principal = await self._gateway.authenticate(request.headers.get("authorization"))
            context = self._gateway.context(principal, request.state.request_id)
            operation = await self._operation(request)
        except _Wrong as wrong:
            return self._refuse(wrong.body(), wrong.response_status, media_type, **wrong.headers)
        except Unauthenticated as error:
            return self._unauthenticated(error, media_type)
        except Refused as error:
            return self._respond(refusal(error), media_type)
        if media_type == EVENT_STREAM:
            return self._stream(operation, context, request)
        return await self._execute(operation, context, request, media_type)

    def _unauthenticated(self, error: Unauthenticated, media_type: str) -> Response:
        body = {"errors": [{"message": error.message, "extensions": {"code": error.code.value}}]}
        if isinstance(error, TooManyFailures):
            return self._refuse(body, 429, media_type, **{"Retry-After": str(error.details["retryAfter"])})
        return self._refuse(body, 401, media_type, **{"WWW-Authenticate": "Bearer"})

    async def _operation(self, request: Request) -> Operation:
        gateway = self._gateway
        if request.method == "GET":
            source: object = _query_string(request)
        else:
            source = await _body(request, gateway.settings.request_bytes_max)
        try:
            operation = read_operation(source, gateway.documents)
        except Malformed as error:
            raise _Wrong(self._statuses.malformed, str(error)) from error
        if request.method == "GET" and not (operation.trusted or gateway.get_queries):
            raise _Wrong(405, "By GET only trusted documents run here (get_queries): use POST.", Allow="POST")
        return operation

    @staticmethod
    def _plain(media_type: str) -> str:
        return JSON if media_type == EVENT_STREAM else media_type

    def _refuse(self, body: object, status: int, media_type: str, **headers: str) -> Response:
        return _json(body, status, self._statuses.type_of_refusal(self._plain(media_type)), **headers)

    def _respond(self, answer: Answer, media_type: str, **headers: str) -> Response:
        status, media_type = self._statuses.of(answer, self._plain(media_type))
        return _json(answer.body(), status, media_type, **headers)

    def _stream(self, operation: Operation, context: Context, request: Request) -> Response:
        running = self._gateway.executor.stream(operation, context, allow_mutation=request.method == "POST")
        answers = self._gateway.operations.follow(running, context, "sse")
        stream = EventStream(answers, context, quiet_s=self._gateway.settings.sse_quiet_s)
        return _Streamed(self._streams, stream)

    async def _execute(self, operation: Operation, context: Context, request: Request, media_type: str) -> Response:
        try:
            with self._gateway.operations.watch(context, "http") as watched:
                answer = watched.saw(
                    await self._gateway.executor.run(operation, context, allow_mutation=request.method == "POST")
                )
        except WrongMethod as error:
            return self._refuse(_Wrong(405, str(error)).body(), 405, media_type, Allow="POST")
        except Exception:
            logger.exception("fault in a request", extra={"request_id": context.request_id})
            return self._refuse({"errors": [fault(context.request_id)]}, 500, media_type)
        return self._respond(answer, media_type, **_budget_headers(context))
