"""GraphQL over HTTP, asked well and badly."""

from collections.abc import AsyncIterator

import httpx
import pytest
from tests.e2e.servers import Server, token

GRAPHQL = "application/graphql-response+json"
QUERY = {"query": "{ viewer { userName } }"}


SETTINGS = {"ETM_REQUEST_BYTES_MAX": "100000"}


@pytest.fixture
async def http(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {token('planner')}"}
    async with httpx.AsyncClient(base_url=server.url.removesuffix("/graphql"), headers=headers, timeout=20) as client:
        yield client


async def test_status_codes(http: httpx.AsyncClient) -> None:
    mutation = 'mutation { territoryModelCreate(input: {developerName: "M", name: "M"}) { territoryModel { id } } }'
    json = {"content-type": "application/json"}
    deep = "{ territoryModels { nodes " + "{ clonedFrom " * 20 + "{ id }" + "}" * 20 + " } }"
    asked = {
        "good": (await http.post("/graphql", json=QUERY)).status_code,
        "get": (await http.get("/graphql", params=QUERY)).status_code,
        "mutation by get": (
            await http.get("/graphql", params={"query": mutation}, headers={"accept": GRAPHQL})
        ).status_code,
        "no json": (await http.post("/graphql", content=b"{", headers=json)).status_code,
        "no query": (await http.post("/graphql", json={})).status_code,
        "no object": (await http.post("/graphql", json=[1])).status_code,
        "wrong variables": (await http.post("/graphql", json={**QUERY, "variables": [1]})).status_code,
        "wrong type": (await http.post("/graphql", content=b"x", headers={"content-type": "text/plain"})).status_code,
        "not acceptable": (await http.post("/graphql", json=QUERY, headers={"accept": "image/png"})).status_code,
        "too large": (await http.post("/graphql", content=b" " * 100_001, headers=json)).status_code,
        "method": (await http.delete("/graphql")).status_code,
        "syntax, new media type": (
            await http.post("/graphql", json={"query": "{"}, headers={"accept": GRAPHQL})
        ).status_code,
        "syntax, old media type": (await http.post("/graphql", json={"query": "{"})).status_code,
        "too deep": (await http.post("/graphql", json={"query": deep}, headers={"accept": GRAPHQL})).status_code,
        "nobody": (await http.post("/graphql", json=QUERY, headers={"authorization": ""})).status_code,
        "nonsense": (await http.post("/graphql", json=QUERY, headers={"authorization": "Bearer x"})).status_code,
    }
    assert asked == {
        "good": 200,
        "get": 200,
        "mutation by get": 405,
        "no json": 400,
        "no query": 400,
        "no object": 400,
        "wrong variables": 400,
        "wrong type": 415,
        "not acceptable": 406,
        "too large": 413,
        "method": 405,
        "syntax, new media type": 400,
        "syntax, old media type": 200,
        "too deep": 400,
        "nobody": 401,
        "nonsense": 401,
    }


async def test_limits_name_themselves_and_their_value(http: httpx.AsyncClient) -> None:
    long = await http.post("/graphql", json={"query": "{ viewer { userName } }" + " " * 70_000})
    assert long.json()["errors"][0] == {
        "message": "A document has at most 65536 bytes (document_bytes_max); this one has 70023.",
        "extensions": {"code": "LIMIT_EXCEEDED", "limit": "document_bytes_max", "value": 65536, "actual": 70023},
    }
    wide = await http.post("/graphql", json={"query": "{ users(first: 201) { nodes { id } } }"})
    assert wide.json()["errors"][0]["message"] == "A page holds 0 to 200 items (page size); 201 were asked for."
    cursor = await http.post("/graphql", json={"query": '{ users(after: "nonsense") { nodes { id } } }'})
    assert cursor.json()["errors"][0]["extensions"] == {"code": "BAD_CURSOR"}


async def test_media_types_request_ids_and_challenge(http: httpx.AsyncClient) -> None:
    new = await http.post("/graphql", json=QUERY, headers={"accept": GRAPHQL, "x-request-id": "abc123"})
    assert new.headers["content-type"] == f"{GRAPHQL}; charset=utf-8"
    assert new.headers["x-request-id"] == "abc123"
    assert (await http.post("/graphql", json=QUERY)).headers["content-type"] == "application/json; charset=utf-8"
    assert (await http.post("/graphql", json=QUERY, headers={"authorization": ""})).headers[
        "www-authenticate"
    ] == "Bearer"
    page = await http.get("/graphql", headers={"accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")


async def test_a_suspended_user_reads_nothing(http: httpx.AsyncClient) -> None:
    answer = await http.post(
        "/graphql", json={"query": "{ accounts { totalCount } }"}, headers={"authorization": f"Bearer {token('gone')}"}
    )
    (error,) = answer.json()["errors"]
    assert (error["extensions"]["code"], error["path"]) == ("FORBIDDEN", ["accounts"])


async def test_health(http: httpx.AsyncClient) -> None:
    assert (await http.get("/healthz")).json()["status"] == "ok"
    assert (await http.get("/readyz")).json() == {"status": "ready"}
    assert "etm_requests_total" in (await http.get("/metrics")).text
