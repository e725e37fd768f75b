"""Responses compressed with zstd or gzip, as the client likes. Streams are left alone: each event must arrive at once."""

import asyncio
import gzip

import zstandard
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from etm_graph.transport.negotiating import choose_encoding

_OFFERS = ("zstd", "gzip")
_IN_A_THREAD = 128 * 1024
"""Bytes from which compressing would hold up the event loop."""
_GZIP_LEVEL, _ZSTD_LEVEL = 5, 3


def compress(body: bytes, encoding: str) -> bytes:
    """The body in that encoding."""
    if encoding == "zstd":
        return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(body)
    return gzip.compress(body, _GZIP_LEVEL, mtime=0)


class CompressResponses:
    """Compresses whole bodies of at least so many bytes."""

    def __init__(self, app: ASGIApp, bytes_min: int) -> None:
        self._app = app
        self._bytes_min = bytes_min

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        encoding = choose_encoding(Headers(scope=scope).get("accept-encoding", ""), _OFFERS)
        await self._app(scope, receive, _Compressed(send, encoding, self._bytes_min).send)


class _Compressed:
    """One response; its start waits for its body, whose length it names."""

    def __init__(self, send: Send, encoding: str | None, bytes_min: int) -> None:
        self._send = send
        self._encoding = encoding
        self._bytes_min = bytes_min
        self._start: Message | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        start, self._start = self._start, None
        if start is None:
            await self._send(message)
            return
        body: bytes = message.get("body", b"")
        if not message.get("more_body", False) and len(body) >= self._bytes_min:
            body = await self._encode(MutableHeaders(raw=start["headers"]), body)
        await self._send(start)
        await self._send({**message, "body": body})

    async def _encode(self, headers: MutableHeaders, body: bytes) -> bytes:
        headers.add_vary_header("Accept-Encoding")
        if self._encoding is None or "content-encoding" in headers:
            return body
        if len(body) >= _IN_A_THREAD:
            body = await asyncio.to_thread(compress, body, self._encoding)
        else:
            body = compress(body, self._encoding)
        headers["Content-Encoding"] = self._encoding
        headers["Content-Length"] = str(len(body))
        return body
