"""Migrations lead up and down, and to exactly the tables that the code declares."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect

import etm_graph.api
import etm_graph.wiring  # noqa: F401 - these declare every table
from etm_graph.db.base import metadata
from etm_graph.db.migrate import downgrade, upgrade
from etm_graph.db.sessions import Database


def differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


async def test_the_migrated_database_is_what_the_code_declares(database: Database) -> None:
    async with database.engine.begin() as connection:
        assert await connection.run_sync(differences) == []


async def test_migrations_lead_down_and_up_again(database: Database) -> None:
    async with database.engine.begin() as connection:
        await connection.run_sync(downgrade)
        left = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
        assert left == ["alembic_version"]
        await connection.run_sync(upgrade)
        assert await connection.run_sync(differences) == []
