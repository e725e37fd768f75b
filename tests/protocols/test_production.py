"""Production mode: what the scanner graphql-cop looks for, written anew, and what strangers learn.

Each check is made as a stranger and as a signed-in caller; none may find anything. The server introspects for nobody.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.e2e.servers import Server

KEY = Ed25519PrivateKey.generate()
ISSUER = "https://id.example.com/"
SETTINGS = {
    "ETM_JWT_ISSUER": ISSUER,
    "ETM_JWT_PUBLIC_KEY": KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
    "ETM_INTROSPECTION": "false",
    "ETM_BUDGET_COST": "1000000",
}
CREATE = 'mutation { territoryModelCreate(input: {developerName: "Forged", name: "F"}) { territoryModel { id } } }'


def signed(user: str) -> str:
    now = datetime.now(UTC)
    claims = {"iss": ISSUER, "aud": "etm-graph", "sub": user, "iat": now, "exp": now + timedelta(hours=1)}
    return jwt.encode(claims, KEY, algorithm="EdDSA")


@pytest.fixture(params=["stranger", "planner"])
async def http(server: Server, request: pytest.FixtureRequest) -> AsyncIterator[httpx.AsyncClient]:
    headers = {} if request.param == "stranger" else {"authorization": f"Bearer {signed(request.param)}"}
    async with httpx.AsyncClient(base_url=server.url.removesuffix("/graphql"), headers=headers, timeout=20) as client:
        yield client


Asking = Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]


def posting(body: object, **headers: str) -> Asking:
    return lambda http: http.post("/graphql", json=body, headers=headers)


ALIASES = {"query": "{ " + " ".join(f"alias{n}: __typename" for n in range(101)) + " }"}
BATCH = [{"query": "query cop { __typename }"}] * 10
DIRECTIVES = {"query": "query { __typename " + "@aa" * 10 + " }"}
FIELDS = {"query": "{ " + "__typename " * 500 + "}"}
INTROSPECTION = {"query": "query { __schema { types { name fields { name } } } }"}
CIRCULAR = {
    "query": "query { __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }"
}

CHECKS: dict[str, tuple[Asking, Callable[[httpx.Response], bool]]] = {
    "alias overloading": (posting(ALIASES), lambda answer: "alias100" in found(answer)),
    "array-based query batching": (posting(BATCH), lambda answer: isinstance(answer.json(), list)),
    "directive overloading": (posting(DIRECTIVES), lambda answer: len(answer.json()["errors"]) >= 10),
    "field duplication": (posting(FIELDS), lambda answer: "__typename" in found(answer)),
    "circular introspection": (posting(CIRCULAR), lambda answer: "__schema" in found(answer)),
    "introspection": (posting(INTROSPECTION), lambda answer: "__schema" in found(answer)),
    "field suggestions": (posting({"query": "{ territoryModel { nam } viewr { id } }"}), lambda answer: "Did you mean" in answer.text),
    "mutation over GET": (lambda http: http.get("/graphql", params={"query": CREATE}), lambda answer: "data" in answer.json()),
    "GET queries": (lambda http: http.get("/graphql", params={"query": "query cop { __typename }"}), lambda answer: "data" in answer.json()),
    "POST with a form (CSRF)": (lambda http: http.post("/graphql", data={"query": "query cop { __typename }"}), lambda answer: "data" in answer.json()),
    "GraphQL IDE": (lambda http: http.get("/graphql", headers={"accept": "text/html"}), lambda answer: "graphiql" in answer.text.lower() or "playground" in answer.text.lower()),
    "tracing": (posting({"query": "query cop { __typename }"}), lambda answer: "tracing" in answer.json().get("extensions", {})),
    "unhandled errors": (posting({"query": "qwerty cop { abc }"}), lambda answer: "exception" in answer.text.lower() or "traceback" in answer.text.lower() or answer.status_code >= 500),
}  # fmt: skip


def found(answer: httpx.Response) -> dict[str, Any]:
    return answer.json().get("data") or {}


@pytest.mark.parametrize("name", CHECKS)
async def test_graphql_cop_finds_nothing(http: httpx.AsyncClient, name: str) -> None:
    ask, finds = CHECKS[name]
    answer = await ask(http)
    assert not finds(answer), answer.text


async def test_the_checks_would_see_a_served_answer(http: httpx.AsyncClient) -> None:
    """A planner is really served here, so that what is refused above is refused for what it is."""
    answer = await http.post("/graphql", json={"query": "{ viewer { userName } }"})
    if "authorization" in http.headers:
        assert answer.json() == {"data": {"viewer": {"userName": "planner"}}}
        forged = await http.post("/graphql", json={"query": '{ territoryModel(developerName: "Forged") { id } }'})
        assert forged.json() == {"data": {"territoryModel": None}}
    else:
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")


async def test_no_request_without_preflight_is_graphql(http: httpx.AsyncClient) -> None:
    body = b'{"query": "{ viewer { userName } }"}'
    for simple in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        answer = await http.post("/graphql", content=body, headers={"content-type": simple})
        assert answer.status_code == 415
    answer = await http.post(
        "/graphql",
        json={"query": "{ __typename }"},
        headers={"authorization": "", "cookie": f"token={signed('planner')}"},
    )
    assert answer.status_code == 401


async def test_suggestions_are_cut_from_every_kind_of_message(http: httpx.AsyncClient) -> None:
    for wrong in (
        "{ viewr { id } }",
        "{ territoryModel(developerNam: 1) { id } }",
        "{ territoryModels(states: [DRAF]) { totalCount } }",
        "{ viewer { ... on Usr { id } } }",
        "{ viewer { id @skp } }",
    ):
        answer = await http.post("/graphql", json={"query": wrong})
        assert answer.json()["errors"]
        assert "Did you mean" not in answer.text
