"""Responses compressed as the client likes; streams and small ones are not."""

import gzip
from collections.abc import AsyncIterator

import httpx
import pytest
import zstandard
from tests.e2e.servers import Server, token

EVERYTHING = {"query": "{ __schema { types { name description } } }"}


@pytest.fixture
async def http(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {token('planner')}"}
    async with httpx.AsyncClient(base_url=server.url.removesuffix("/graphql"), headers=headers, timeout=20) as client:
        yield client


async def raw(http: httpx.AsyncClient, body: object, accept: str) -> tuple[httpx.Response, bytes]:
    async with http.stream("POST", "/graphql", json=body, headers={"accept-encoding": accept}) as answer:
        return answer, b"".join([chunk async for chunk in answer.aiter_raw()])


async def test_bodies_are_the_same_in_every_encoding(http: httpx.AsyncClient) -> None:
    plain, text = await raw(http, EVERYTHING, "identity")
    zipped, small = await raw(http, EVERYTHING, "gzip")
    packed, smaller = await raw(http, EVERYTHING, "gzip, zstd")
    assert "content-encoding" not in plain.headers
    assert (zipped.headers["content-encoding"], packed.headers["content-encoding"]) == ("gzip", "zstd")
    assert gzip.decompress(small) == text
    assert zstandard.ZstdDecompressor().decompress(smaller) == text
    assert {answer.headers["vary"] for answer in (plain, zipped, packed)} == {"Accept-Encoding"}
    assert (int(zipped.headers["content-length"]), int(packed.headers["content-length"])) == (len(small), len(smaller))
    assert max(len(small), len(smaller)) < len(text) / 2


async def test_small_bodies_are_left_alone(http: httpx.AsyncClient) -> None:
    answer, text = await raw(http, {"query": "{ viewer { userName } }"}, "zstd, gzip")
    assert "content-encoding" not in answer.headers
    assert text == b'{"data":{"viewer":{"userName":"planner"}}}'
