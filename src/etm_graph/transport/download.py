"""Downloads: tables as CSV, made as they are sent, for whoever has a token (RFC 4180)."""

import csv
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from etm_graph.core.errors import ErrorCode, ExpectedError, Unauthenticated
from etm_graph.graphql.context import Context
from etm_graph.transport.gateway import Gateway

logger = logging.getLogger(__name__)

BATCH_ROWS = 1_000
"""Rows sent at a time."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Download:
    """A table: its file's name without an ending, and its rows, the titles first."""

    name: str
    rows: AsyncIterator[Sequence[object]]


Maker = Callable[[Context, Mapping[str, str]], Awaitable[Download]]
"""Makes a download of a request's parameters; raises expected errors before the first row."""

_STATUS = {ErrorCode.UNAUTHENTICATED: 401, ErrorCode.FORBIDDEN: 403, ErrorCode.NOT_FOUND: 404}


def _cell(value: object) -> object:
    """A value that no spreadsheet takes for a formula."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return "" if value is None else value


def _refused(error: ExpectedError) -> Response:
    body = {"errors": [{"message": error.message, "extensions": {"code": error.code.value}}]}
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, Unauthenticated) else {}
    return Response(orjson.dumps(body), _STATUS.get(error.code, 400), headers, "application/json")


async def _lines(context: Context, rows: AsyncIterator[Sequence[object]]) -> AsyncIterator[bytes]:
    try:
        text = StringIO()
        writer = csv.writer(text)
        count = 0
        async for row in rows:
            writer.writerow([_cell(value) for value in row])
            count += 1
            if count % BATCH_ROWS == 0:
                yield text.getvalue().encode()
                text.seek(0)
                text.truncate()
        yield text.getvalue().encode()
    finally:
        await context.release()


class DownloadEndpoint:
    """Answers GET of one route for every kind of download."""

    def __init__(self, gateway: Gateway, makers: Mapping[str, Maker]) -> None:
        self._gateway = gateway
        self._makers = makers

    async def answer(self, request: Request) -> Response:
        """One download."""
        maker = self._makers.get(request.path_params["name"])
        if maker is None:
            return Response("There is no such download.", 404, media_type="text/plain")
        try:
            principal = await self._gateway.authenticate(request.headers.get("authorization"))
        except Unauthenticated as error:
            return _refused(error)
        context = self._gateway.context(principal, request.state.request_id)
        try:
            made = await maker(context, dict(request.query_params))
        except ExpectedError as error:
            await context.release()
            return _refused(error)
        headers = {"Content-Disposition": f'attachment; filename="{made.name}.csv"', "Cache-Control": "no-store"}
        return StreamingResponse(_lines(context, made.rows), 200, headers, "text/csv; charset=utf-8")
