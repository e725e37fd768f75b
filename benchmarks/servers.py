"""Server processes and clients of a benchmark."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import orjson
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.harness import SECRET, Company
from etm_graph.identity.tokens import DEV_ISSUER, TokenConfig, mint_development_token

CONFIG = TokenConfig(DEV_ISSUER, "etm-graph", secret=SECRET)


def bearer(user_name: str) -> str:
    return f"Bearer {mint_development_token(CONFIG, user_name)}"


@asynccontextmanager
async def serving(company: Company) -> AsyncIterator[str]:
    """A server process; the address of its GraphQL endpoint."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "ETM_DATABASE_URL": company.url,
        "ETM_DATA_DIR": str(company.folder),
        "ETM_DEV_SECRET": SECRET,
        "ETM_PORT": str(port),
        # Pages of 200 at five levels are reckoned dear before they are known to be short; here their speed counts.
        "ETM_OPERATION_COST_MAX": "1000000000000",
        "ETM_BUDGET_COST_PER_S": "0",
    }
    with (company.folder / f"server-{port}.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220 - started once
            [sys.executable, "-m", "etm_graph", "serve"], env=environment, stdout=log, stderr=log
        )
    try:
        async with httpx.AsyncClient() as client:
            while True:
                try:
                    await client.get(f"http://127.0.0.1:{port}/readyz")
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
        yield f"http://127.0.0.1:{port}/graphql"
    finally:
        process.terminate()
        process.wait(20)


async def ask(client: httpx.AsyncClient, url: str, user: str, query: str, **variables: object) -> dict:
    body = {"query": query, "variables": variables}
    answer = await client.post(url, json=body, headers={"authorization": bearer(user)})
    found = answer.json()
    assert "errors" not in found, found
    return found["data"]


async def follow(url: str, user: str, model_id: str) -> ClientConnection:
    """A socket that follows a draft, past its first checkpoint."""
    connection = await connect(url.replace("http", "ws", 1), subprotocols=["graphql-transport-ws"], compression=None)
    await connection.send(
        orjson.dumps({"type": "connection_init", "payload": {"Authorization": bearer(user)}}).decode()
    )
    await connection.recv()
    query = """subscription($m: ID!) { draftChanges(modelId: $m) { __typename
      ... on Change { cursor sequence kind entityType entityId key message fields { field before after } } } }"""
    payload = {"query": query, "variables": {"m": model_id}}
    await connection.send(orjson.dumps({"id": "1", "type": "subscribe", "payload": payload}).decode())
    await connection.recv()
    return connection


async def next_change(connection: ClientConnection) -> dict:
    while True:
        message = orjson.loads(await connection.recv())
        item = message["payload"]["data"]["draftChanges"]
        if item["__typename"] == "Change":
            return item


DRAFT = """{ territoryModels(states: [PLANNING]) { nodes { id territories(filter: {nameContains: "CO 1"}) {
  nodes { id version } } } } }"""
RENAME = """mutation($id: ID!, $v: BigInt!, $n: String!) { territoryUpdate(input: {id: $id, expectedVersion: $v, name: $n}) {
  territory { version } userErrors { message } } }"""
