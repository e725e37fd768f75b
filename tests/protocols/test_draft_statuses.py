"""The profile of the GraphQL-over-HTTP draft as of August 2026 (section "Status Codes"), every row of it."""

from collections.abc import AsyncIterator

import httpx
import pytest
from tests.e2e.servers import Server, token

GRAPHQL, JSON = "application/graphql-response+json", "application/json"
GOOD = {"query": "{ viewer { userName } }"}
PARTIAL = {"query": '{ viewer { userName } users(after: "nonsense") { totalCount nodes { id } } }'}
CREATE = 'mutation { territoryModelCreate(input: {developerName: "M", name: "M"}) { territoryModel { id } } }'


SETTINGS = {"ETM_HTTP_STATUSES": "draft-2026-08", "ETM_REQUEST_BYTES_MAX": "100000"}


@pytest.fixture
async def http(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {token('planner')}", "accept": GRAPHQL}
    async with httpx.AsyncClient(base_url=server.url.removesuffix("/graphql"), headers=headers, timeout=20) as client:
        yield client


async def test_every_status_of_the_draft(http: httpx.AsyncClient) -> None:
    json = {"content-type": JSON}
    two = "query A { viewer { id } } query B { viewer { id } }"
    typed = "query ($n: Int!) { users(first: $n) { totalCount } }"
    answers = {
        "data": await http.post("/graphql", json=GOOD),
        "data and errors": await http.post("/graphql", json=PARTIAL),
        "mutation by get": await http.get("/graphql", params={"query": CREATE}),
        "method": await http.put("/graphql", json=GOOD),
        "content type": await http.post("/graphql", content=b"x", headers={"content-type": "text/plain"}),
        "no content type": await http.post("/graphql", content=b"{}"),
        "charset": await http.post("/graphql", content=b"{}", headers={"content-type": f"{JSON}; charset=latin-1"}),
        "content encoding": await http.post("/graphql", content=b"{}", headers={**json, "content-encoding": "gzip"}),
        "accept": await http.post("/graphql", json=GOOD, headers={"accept": "image/png"}),
        "too large": await http.post("/graphql", content=b" " * 100_001, headers=json),
        "no json": await http.post("/graphql", content=b'{"query":', headers=json),
        "misspelt": await http.post("/graphql", json={"qeury": "{__typename}"}),
        "variables are a list": await http.post("/graphql", json={**GOOD, "variables": [7]}),
        "batch": await http.post("/graphql", json=[GOOD]),
        "document does not parse": await http.post("/graphql", json={"query": "{"}),
        "document does not validate": await http.post("/graphql", json={"query": "{ nonsense }"}),
        "no operation is meant": await http.post("/graphql", json={"query": two}),
        "unknown operation": await http.post("/graphql", json={"query": two, "operationName": "C"}),
        "variables do not fit": await http.post("/graphql", json={"query": typed, "variables": {"n": "x"}}),
        "nobody": await http.post("/graphql", json=GOOD, headers={"authorization": ""}),
        "limit": await http.post("/graphql", json={"query": "{" + "a:viewer{id} " * 11 + "}"}),
        "subscription": await http.post("/graphql", json={"query": 'subscription { jobProgress(jobId: "x") { id } }'}),
    }
    assert {name: answer.status_code for name, answer in answers.items()} == {
        "data": 200,
        "data and errors": 294,
        "mutation by get": 405,
        "method": 405,
        "content type": 415,
        "no content type": 415,
        "charset": 415,
        "content encoding": 415,
        "accept": 406,
        "too large": 413,
        "no json": 400,
        "misspelt": 422,
        "variables are a list": 422,
        "batch": 422,
        "document does not parse": 400,
        "document does not validate": 422,
        "no operation is meant": 422,
        "unknown operation": 422,
        "variables do not fit": 422,
        "nobody": 401,
        "limit": 422,
        "subscription": 422,
    }
    assert (answers["mutation by get"].headers["allow"], answers["method"].headers["allow"]) == ("POST", "GET, POST")
    assert {answer.headers["content-type"] for answer in answers.values()} == {f"{GRAPHQL}; charset=utf-8"}
    without_data = {name for name, answer in answers.items() if "data" not in answer.json()}
    assert without_data == answers.keys() - {"data", "data and errors"}


async def test_legacy_clients_get_the_same_statuses_and_success_as_plain_json(http: httpx.AsyncClient) -> None:
    found = [
        (answer.status_code, answer.headers["content-type"].split(";")[0])
        for answer in [
            await http.post("/graphql", json=body, headers={"accept": JSON})
            for body in (GOOD, PARTIAL, {"query": "{ nonsense }"}, {"query": "{"}, {})
        ]
    ]
    assert found == [(200, JSON), (294, JSON), (422, GRAPHQL), (400, GRAPHQL), (422, GRAPHQL)]
