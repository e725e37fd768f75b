"""GraphQL over HTTP: media types, methods, status codes (GraphQL-over-HTTP, section "Request" and "Response")."""

import logging
from typing import Any
from urllib.parse import parse_qs

import orjson
from starlette.requests import Request
from starlette.responses import Response

from etm_graph.core.errors import TooManyFailures, Unauthenticated
from etm_graph.graphql.context import Context
from etm_graph.graphql.execution import Answer, Operation, WrongMethod
from etm_graph.transport import ide
from etm_graph.transport.gateway import Gateway

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"

DISCARDED_TIMES = 10
"""A body that is too large is read and thrown away up to so many times the limit, so that its sender gets the answer."""

logger = logging.getLogger(__name__)


class _Wrong(Exception):
    """The request is not GraphQL over HTTP."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.response_status = status
        self.message = message
        self.headers = headers


def _media_type(accept: str) -> str:
    """The media type to answer with; raises for a client that takes neither."""
    ranges = {part.split(";")[0].strip().lower() for part in accept.split(",")} - {""}
    if GRAPHQL_JSON in ranges:
        return GRAPHQL_JSON
    if not ranges or ranges & {JSON, "application/*", "*/*"}:
        return JSON
    raise _Wrong(406, f"Answers are {GRAPHQL_JSON} or {JSON}.")


def _operation(source: Any) -> Operation:  # noqa: ANN401 - whatever the client sent
    if isinstance(source, list):
        raise _Wrong(400, "A request holds one operation, not an array of them (batches are refused).")
    if not isinstance(source, dict):
        raise _Wrong(400, "The body is a JSON object with `query`, `variables`, `operationName`.")
    query, variables, name = source.get("query"), source.get("variables"), source.get("operationName")
    if not isinstance(query, str) or not query:
        raise _Wrong(400, "`query` is missing or no string.")
    if not isinstance(variables, dict | None):
        raise _Wrong(400, "`variables` is no object.")
    if not isinstance(name, str | None):
        raise _Wrong(400, "`operationName` is no string.")
    if not isinstance(source.get("extensions"), dict | None):
        raise _Wrong(400, "`extensions` is no object.")
    return Operation(query, variables, name, source.get("extensions"))


def _check_method(request: Request) -> None:
    if request.method not in {"GET", "POST"}:
        raise _Wrong(405, "Use GET or POST.", Allow="GET, POST")


async def _post(request: Request, limit: int) -> Operation:
    media = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media != JSON:
        raise _Wrong(415, f"The body must be {JSON}.")
    body, size = bytearray(), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:
            body += chunk
        elif size > DISCARDED_TIMES * limit:
            break  # who sends that much does not wait for an answer
    if size > limit:
        raise _Wrong(413, f"A request has at most {limit} bytes (request_bytes_max).")
    try:
        return _operation(orjson.loads(bytes(body)))
    except orjson.JSONDecodeError as error:
        raise _Wrong(400, "The body is not JSON.") from error


def _get(request: Request) -> Operation:
    parameters: dict[str, Any] = {
        name: values[-1] for name, values in parse_qs(request.url.query, keep_blank_values=True).items()
    }
    for name in ("variables", "extensions"):
        if name in parameters:
            try:
                parameters[name] = orjson.loads(parameters[name])
            except orjson.JSONDecodeError as error:
                raise _Wrong(400, f"`{name}` is not JSON.") from error
    return _operation(parameters)


REFUSED = {"RATE_LIMITED": 429, "TIMEOUT": 503}
"""Statuses of refusals that do not depend on the media type."""


def _status(answer: Answer, media_type: str) -> int:
    if answer.executed:
        return 200
    code = answer.errors[0]["extensions"].get("code") if answer.errors else None
    return REFUSED.get(str(code)) or (400 if media_type == GRAPHQL_JSON else 200)


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


class HttpEndpoint:
    """Answers GET and POST of the GraphQL route."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def answer(self, request: Request) -> Response:
        """One request."""
        if request.method == "GET" and "text/html" in request.headers.get("accept", "") and self._gateway.ide:
            return ide.page()
        request_id: str = request.state.request_id
        media_type = JSON
        try:
            media_type = _media_type(request.headers.get("accept", ""))
            _check_method(request)
            principal = await self._gateway.authenticate(request.headers.get("authorization"))
            limit = self._gateway.settings.request_bytes_max
            operation = _get(request) if request.method == "GET" else await _post(request, limit)
        except _Wrong as wrong:
            body = {"errors": [{"message": wrong.message, "extensions": {"code": "BAD_REQUEST"}}]}
            return _json(body, wrong.response_status, media_type, **wrong.headers)
        except Unauthenticated as error:
            body = {"errors": [{"message": error.message, "extensions": {"code": error.code.value}}]}
            if isinstance(error, TooManyFailures):
                return _json(body, 429, media_type, **{"Retry-After": str(error.details["retryAfter"])})
            return _json(body, 401, media_type, **{"WWW-Authenticate": "Bearer"})
        return await self._execute(operation, self._gateway.context(principal, request_id), request, media_type)

    async def _execute(self, operation: Operation, context: Context, request: Request, media_type: str) -> Response:
        try:
            answer = await self._gateway.executor.run(operation, context, allow_mutation=request.method == "POST")
        except WrongMethod:
            body = {"errors": [{"message": "Send mutations by POST.", "extensions": {"code": "BAD_REQUEST"}}]}
            return _json(body, 405, media_type, Allow="POST")
        except Exception:
            logger.exception("fault in a request", extra={"request_id": context.request_id})
            text = f"Something went wrong on our side; name the request id {context.request_id} when you report it."
            error = {"message": text, "extensions": {"code": "INTERNAL", "requestId": context.request_id}}
            return _json({"errors": [error]}, 500, media_type)
        return _json(answer.body(), _status(answer, media_type), media_type, **_budget_headers(context))
