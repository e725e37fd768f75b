"""Sessions: what reads and what writes are different types, so that a query function cannot write.

Both speak SQLAlchemy Core on one asyncpg connection; rows are plain tuples with names, never ORM objects.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any, Protocol

import orjson
from sqlalchemy import CursorResult, Row, event, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.sql import Executable


class ReadSession:
    """A read of one consistent state: every statement sees the same snapshot of the database.

    Statements of one session run one after another, whoever asks for them.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self._turn = asyncio.Lock()

    async def rows(
        self, statement: Executable, parameters: Sequence[dict[str, Any]] | None = None
    ) -> Sequence[Row[Any]]:
        """All rows of a statement."""
        async with self._turn:
            return (await self.connection.execute(statement, parameters)).all()

    async def row(self, statement: Executable) -> Row[Any] | None:
        """The first row, or None."""
        async with self._turn:
            return (await self.connection.execute(statement)).first()

    async def scalar(self, statement: Executable) -> Any:  # noqa: ANN401 - the column decides
        """The first column of the first row, or None."""
        async with self._turn:
            return (await self.connection.execute(statement)).scalar()

    async def copy_out(self, query: str) -> bytes:
        """A query's rows as CSV, in bulk (PostgreSQL COPY), seen by this session's snapshot."""
        async with self._turn:
            await self.connection.execute(text("SELECT 1"))  # begins the transaction that COPY joins
            raw = await self.connection.get_raw_connection()
            driver: Any = raw.driver_connection
            output = BytesIO()
            await driver.copy_from_query(query, output=output, format="csv")
            return output.getvalue()


class WriteSession(ReadSession):
    """A transaction that may write; it commits when its block ends and rolls back when the block raises."""

    async def execute(
        self, statement: Executable, parameters: Sequence[dict[str, Any]] | None = None
    ) -> CursorResult[Any]:
        """Run a statement that writes."""
        async with self._turn:
            return await self.connection.execute(statement, parameters)

    async def copy(self, table: str, columns: Sequence[str], records: Sequence[tuple[Any, ...]]) -> None:
        """Bulk-load `records` into `table` in this transaction (PostgreSQL COPY)."""
        async with self._turn:
            raw = await self.connection.get_raw_connection()
            driver: Any = raw.driver_connection
            await self.connection.execute(text("SELECT 1"))  # begins the transaction that COPY joins
            await driver.copy_records_to_table(table, records=records, columns=list(columns))

    async def copy_csv(self, table: str, columns: Sequence[str], rows: bytes) -> None:
        """Bulk-load rows of CSV into `table` in this transaction (PostgreSQL COPY); an empty field is null."""
        async with self._turn:
            await self.connection.execute(text("SELECT 1"))  # begins the transaction that COPY joins
            raw = await self.connection.get_raw_connection()
            driver: Any = raw.driver_connection
            await driver.copy_to_table(table, source=BytesIO(rows), columns=list(columns), format="csv")


class StatementListener(Protocol):
    """Is told every statement that an engine sends, for counting."""

    def __call__(self, statement: str) -> None:
        """Take note of one statement."""


class Database:
    """The engine of one process and the ways to open sessions on it."""

    def __init__(self, engine: AsyncEngine, url: str) -> None:
        self.engine = engine
        self.url = url
        """The plain postgresql:// address, for connections beside the pool (listening)."""

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        """A read-only snapshot (REPEATABLE READ)."""
        async with self.engine.connect() as connection:
            snapshot = await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield ReadSession(snapshot)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[WriteSession]:
        """A READ COMMITTED transaction; a stream's row is locked by its first statement."""
        async with self.engine.begin() as connection:
            yield WriteSession(connection)

    async def close(self) -> None:
        """Close all pooled connections."""
        await self.engine.dispose()

    def on_statement(self, listener: StatementListener) -> None:
        """Tell `listener` every statement from now on."""

        def tell(*arguments: object) -> None:
            listener(str(arguments[2]))

        event.listen(self.engine.sync_engine, "before_cursor_execute", tell)


def open_database(
    url: str, *, pool: int = 10, statement_timeout_ms: int = 30_000, lock_timeout_ms: int = 5_000
) -> Database:
    """The database at a postgresql:// address. Times are in milliseconds; nothing is connected yet."""
    plain = url.replace("postgresql+asyncpg://", "postgresql://", 1)
    engine = create_async_engine(
        plain.replace("postgresql://", "postgresql+asyncpg://", 1),
        pool_size=pool,
        max_overflow=pool,
        json_serializer=lambda value: orjson.dumps(value, default=str).decode(),
        json_deserializer=orjson.loads,
        connect_args={
            "server_settings": {
                "application_name": "etm-graph",
                "statement_timeout": str(statement_timeout_ms),
                "lock_timeout": str(lock_timeout_ms),
                "jit": "off",
                "timezone": "UTC",
            }
        },
    )
    return Database(engine, plain)
