"""The command line as an administrator uses it: real processes, real files, one database."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.e2e.servers import Client, environment, serving
from tests.factories.world import make_user

from etm_graph.core.access import Role
from etm_graph.db.sessions import Database

EXPORT = """Id,Name,BillingPostalCode,BillingState,BillingCountry,Industry,AnnualRevenue,NumberOfEmployees
001A,Acme Foods,80202,CO,US,311,1200000,40
001B,,80203,CO,US,311,5,1
001C,Broken Revenue,80204,CO,US,311,a lot,1
001D,"Quoted, Inc",02139,MA,US,5112,99.5,7
"""


class Shell:
    """Commands of etm-graph on one database."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self._environment = environment(database_url, folder)
        self.folder = folder

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "etm_graph", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def write(self, name: str, body: str) -> str:
        path = self.folder / name
        path.write_text(body, encoding="utf-8")
        return str(path)


@pytest.fixture
def shell(database_url: str, tmp_path: Path) -> Shell:
    return Shell(database_url, tmp_path)


async def names(database: Database) -> list[str]:
    async with database.read() as session:
        return [row.name for row in await session.rows(text("SELECT name FROM account ORDER BY name"))]


async def test_an_import_loads_the_good_rows_and_tells_every_bad_one(database: Database, shell: Shell) -> None:
    bad = shell.folder / "bad.csv"
    done = shell.run("import", "accounts", shell.write("accounts.csv", EXPORT), "--errors", str(bad))
    assert done.returncode == 1, done.stdout + done.stderr
    assert await names(database) == ["Acme Foods", "Quoted, Inc"]
    told = list(csv.DictReader(bad.read_text().splitlines()))
    assert [row["line"] for row in told] == ["3", "4"]
    assert all(row["reason"] for row in told)


async def test_an_atomic_import_with_a_bad_row_loads_nothing(database: Database, shell: Shell) -> None:
    done = shell.run("import", "accounts", shell.write("accounts.csv", EXPORT), "--atomic")
    assert done.returncode == 1
    assert await names(database) == []


async def test_importing_a_good_file_twice_changes_nothing_the_second_time(database: Database, shell: Shell) -> None:
    good = "\n".join(line for line in EXPORT.splitlines() if not line.startswith(("001B", "001C")))
    path = shell.write("accounts.csv", good)
    for _ in range(2):
        done = shell.run("import", "accounts", path, "--atomic")
        assert done.returncode == 0, done.stdout + done.stderr
    assert await names(database) == ["Acme Foods", "Quoted, Inc"]


@pytest.mark.parametrize(
    "body", ["", 'Id,Name\n001A,"Never closed', "just,some\nother,columns\n"], ids=["empty", "truncated", "foreign"]
)
async def test_a_file_that_is_no_export_is_refused_with_a_reason(database: Database, shell: Shell, body: str) -> None:
    done = shell.run("import", "accounts", shell.write("accounts.csv", body), "--atomic")
    assert done.returncode in {1, 2}
    assert done.stdout.strip()
    assert "Traceback" not in done.stderr
    assert await names(database) == []


async def test_an_api_key_signs_a_tool_in_and_a_grant_lets_it_read(
    database: Database, database_url: str, shell: Shell
) -> None:
    await make_user(database, "robot")
    refused = shell.run("api-key", "--user", "nobody", "--name", "grid")
    assert (refused.returncode, "nobody" in refused.stdout) == (1, True)
    key = shell.run("api-key", "--user", "robot", "--name", "grid").stdout.strip()
    assert shell.run("grant", "--user", "robot", "--role", Role.FORECAST_READER.value).returncode == 0
    async with serving(database_url, shell.folder) as server:
        robot = Client(server, "robot", credential=key)
        viewer = (await robot.data("{ viewer { userName } }"))["viewer"]
        await robot.close()
    assert viewer == {"userName": "robot"}


async def test_the_demo_is_loaded_into_an_empty_database_only(database: Database, shell: Shell) -> None:
    await make_user(database, "somebody")
    done = shell.run("demo", "load", "--accounts", "1000")
    assert done.returncode == 1
    assert "not empty" in done.stdout
    assert await names(database) == []
