"""Trusted documents over HTTP, event streams and sockets, where nothing else runs."""

from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import mkdtemp

import httpx
import orjson
import pytest
from tests.e2e.servers import Client, Server, serving, token

MANIFEST = Path(mkdtemp(prefix="etm-documents-")) / "documents.json"
VIEWER, USERS, CREATE = "sha256:aa", "bb", "cc"
MANIFEST.write_bytes(
    orjson.dumps(
        {
            VIEWER: "{ viewer { userName } }",
            USERS: "query Users($n: Int!) { users(first: $n) { totalCount } }",
            CREATE: 'mutation { territoryModelCreate(input: {developerName: "M", name: "M"}) { userErrors { code } } }',
        }
    )
)
SETTINGS = {"ETM_TRUSTED_DOCUMENTS": "require", "ETM_TRUSTED_DOCUMENTS_FILE": str(MANIFEST), "ETM_GET_QUERIES": "false"}
ANSWER = {"data": {"viewer": {"userName": "planner"}}}


@pytest.fixture
async def http(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {token('planner')}", "accept": "application/graphql-response+json"}
    async with httpx.AsyncClient(base_url=server.url.removesuffix("/graphql"), headers=headers, timeout=20) as client:
        yield client


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["extensions"]["code"]


async def test_over_http(http: httpx.AsyncClient) -> None:
    for key in ("aa", "sha256:aa"):
        assert (await http.post("/graphql", json={"documentId": key})).json() == ANSWER
        assert (await http.get("/graphql", params={"documentId": key})).json() == ANSWER
    apollo = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "aa"}}}
    assert (await http.post("/graphql", json=apollo)).json() == ANSWER
    counted = await http.post("/graphql", json={"documentId": USERS, "variables": {"n": 1}})
    assert counted.json() == {"data": {"users": {"totalCount": 5}}}
    wrong = await http.post("/graphql", json={"documentId": USERS, "variables": {"n": "x"}})
    assert refused(wrong) == (400, "BAD_REQUEST")
    assert refused(await http.post("/graphql", json={"documentId": "dd"})) == (400, "DOCUMENT_NOT_FOUND")
    assert refused(await http.post("/graphql", json={"query": "{ viewer { id } }"})) == (400, "DOCUMENT_REQUIRED")
    assert refused(await http.get("/graphql", params={"query": "{ viewer { id } }"})) == (400, "DOCUMENT_REQUIRED")
    assert refused(await http.post("/graphql", json={"documentId": 1})) == (400, "BAD_REQUEST")
    by_get = await http.get("/graphql", params={"documentId": CREATE})
    assert (refused(by_get), by_get.headers["allow"]) == ((405, "BAD_REQUEST"), "POST")


async def test_over_an_event_stream(http: httpx.AsyncClient) -> None:
    events = await http.post("/graphql", json={"documentId": "aa"}, headers={"accept": "text/event-stream"})
    assert (
        events.text.removeprefix(":\n\n")
        == 'event: next\ndata: {"data":{"viewer":{"userName":"planner"}}}\n\nevent: complete\ndata:\n\n'
    )


async def test_over_a_socket(server: Server) -> None:
    client = Client(server, "planner")
    async with client.socket() as socket:
        for payload, kind in (
            ({"documentId": "aa"}, "next"),
            ({"documentId": "dd"}, "DOCUMENT_NOT_FOUND"),
            ({"query": "{ viewer { id } }"}, "DOCUMENT_REQUIRED"),
        ):
            await socket.send({"id": "1", "type": "subscribe", "payload": payload})
            message = await socket.receive()
            if kind == "next":
                assert message == {"id": "1", "type": "next", "payload": ANSWER}
                assert (await socket.receive())["type"] == "complete"
            else:
                assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", kind)
    await client.close()


async def test_a_server_does_not_start_with_a_manifest_that_is_not_valid(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "documents.json"
    path.write_text('{"ff": "{ nonsense }"}')
    with pytest.raises(AssertionError, match="trusted document ff is not valid"):
        async with serving(database_url, tmp_path, ETM_TRUSTED_DOCUMENTS="allow", ETM_TRUSTED_DOCUMENTS_FILE=str(path)):
            pass
