"""One PostgreSQL for the test run, one migrated database per worker, a fresh copy of it for every test that writes."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from etm_graph.db.embedded import start_embedded
from etm_graph.db.migrate import migrate
from etm_graph.db.sessions import Database, open_database


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if {"database_url", "database", "server_url"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.database)


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """A PostgreSQL of the run's own, or that of ETM_TEST_DATABASE_URL."""
    given = os.environ.get("ETM_TEST_DATABASE_URL")
    if given:
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="etm-test-"))
    url = start_embedded(folder / "postgres")
    asyncio.run(_hurry(url))
    yield url
    shutil.rmtree(folder, ignore_errors=True)


def _named(url: str, database: str) -> str:
    return make_url(url).set(database=database).render_as_string(hide_password=False)


async def _administer(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _hurry(url: str) -> None:
    """Spare the disk: tests kill servers of ours, never PostgreSQL, and a copied database costs a third of the time."""
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        await _administer(url, f"ALTER SYSTEM SET {setting} = off")
    await _administer(url, "SELECT pg_reload_conf()")


@pytest.fixture(scope="session")
def template(server_url: str) -> str:
    """A migrated, empty database of this worker, to copy."""
    name = f"template_{uuid4().hex}"

    async def make() -> None:
        await _administer(server_url, f"CREATE DATABASE {name}")
        await migrate(_named(server_url, name))

    asyncio.run(make())
    return name


@pytest.fixture
async def database_url(server_url: str, template: str) -> AsyncIterator[str]:
    """A migrated, empty database of this test's own."""
    name = f"test_{uuid4().hex}"
    await _administer(server_url, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    yield _named(server_url, name)
    await _administer(server_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The test's database, opened."""
    opened = open_database(database_url, pool=5)
    yield opened
    await opened.close()
