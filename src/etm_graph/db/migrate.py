"""Bringing a database to the newest schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 7_226_114
"""Advisory lock, so that processes that start together migrate one after another."""


def configuration() -> Config:
    """Alembic's configuration; there is no ini file."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Upgrade over an open connection, in one transaction."""
    connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    config = configuration()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def downgrade(connection: Connection, revision: str = "base") -> None:
    """Downgrade over an open connection, in one transaction."""
    config = configuration()
    config.attributes["connection"] = connection
    command.downgrade(config, revision)


async def migrate(url: str) -> None:
    """Bring the database at a postgresql:// address to the newest schema."""
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://", 1))
    try:
        async with engine.begin() as connection:
            await connection.run_sync(upgrade)
    finally:
        await engine.dispose()
