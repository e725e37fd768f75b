"""The base of every table, the names of constraints, and the column types that tables share."""

from typing import Any

from sqlalchemy import BigInteger, Identity, MetaData, Text
from sqlalchemy import Table as CoreTable
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlmodel import Field, SQLModel

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=NAMING)


class Table(SQLModel):
    """Base of every table; its metadata is what migrations compare with."""

    metadata = metadata


BigInt = BigInteger()
Timestamp = TIMESTAMP(timezone=True)
Json = JSONB(none_as_null=True)
Bytewise = Text(collation="C")
"""Text whose order is that of its bytes, so that a path's prefix is a range."""


def identity() -> Any:  # noqa: ANN401 - the type that SQLModel gives its fields
    """A bigint primary key that the database numbers."""
    return Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=[Identity(always=False)])


def core_table(model: type[Table]) -> CoreTable:
    """The SQLAlchemy Core table of a SQLModel class: what statements are written with."""
    table: CoreTable = model.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it
    return table
