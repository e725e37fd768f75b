"""One server process for a module of protocol tests: what it needs in the environment is the module's SETTINGS."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from sqlalchemy.engine import make_url
from tests.e2e.servers import Server, environment, free_port
from tests.factories.world import make_user

from etm_graph.core.access import Role
from etm_graph.db.sessions import open_database


async def _fill(server_url: str, template: str, name: str) -> str:
    connection = await asyncpg.connect(server_url)
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    await connection.close()
    url = make_url(server_url).set(database=name).render_as_string(hide_password=False)
    database = open_database(url, pool=2)
    for user in ("planner", "second", "third", "fourth"):
        await make_user(database, user, Role.PLANNER, Role.ADMIN)
    await make_user(database, "gone", Role.PLANNER, suspended=True)
    await database.close()
    return url


async def _drop(server_url: str, name: str) -> None:
    connection = await asyncpg.connect(server_url)
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


def _wait(server: Server) -> None:
    until = monotonic() + 60
    while monotonic() < until and server.process.poll() is None:
        try:
            if httpx.get(server.url.replace("/graphql", "/readyz")).status_code == 200:
                return
        except httpx.TransportError:
            sleep(0.1)
    raise AssertionError(server.log.read_text())


@pytest.fixture(scope="module")
def shared(
    request: pytest.FixtureRequest, server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, str]]:
    """The module's server and the address of its database."""
    settings: dict[str, Any] = getattr(request.module, "SETTINGS", {})
    name = f"protocols_{uuid4().hex}"
    url = asyncio.run(_fill(server_url, template, name))
    folder = tmp_path_factory.mktemp("server")
    port, log = free_port(), folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "etm_graph", "serve"],
            env=environment(url, folder, ETM_PORT=str(port), **settings),
            stdout=output,
            stderr=output,
        )
    server = Server(port, process, log)
    try:
        _wait(server)
        yield server, url
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
        asyncio.run(_drop(server_url, name))


@pytest.fixture
def server(shared: tuple[Server, str]) -> Server:
    """The module's server."""
    return shared[0]
