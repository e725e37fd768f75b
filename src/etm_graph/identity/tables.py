"""The table of API keys."""

from datetime import datetime
from typing import Any

from sqlmodel import Field

from etm_graph.db.base import BigInt, Json, Table, Timestamp, core_table


class ApiKeyRow(Table, table=True):
    """A tool's key; only the hash of its secret is kept."""

    __tablename__ = "api_key"

    id: str = Field(primary_key=True)
    secret_hash: bytes
    name: str
    user_id: int = Field(foreign_key="app_user.id", ondelete="CASCADE", sa_type=BigInt, index=True)
    created_by: int | None = Field(default=None, sa_type=BigInt)
    created_at: datetime = Field(sa_type=Timestamp)
    expires_at: datetime = Field(sa_type=Timestamp)
    revoked_at: datetime | None = Field(default=None, sa_type=Timestamp)
    scopes: list[dict[str, Any]] | None = Field(default=None, sa_type=Json)
    last_used_at: datetime | None = Field(default=None, sa_type=Timestamp)


api_key = core_table(ApiKeyRow)
