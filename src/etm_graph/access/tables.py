"""Tables of grants and of the audit."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from etm_graph.core.access import Role
from etm_graph.db.base import BigInt, Bytewise, Json, Table, Timestamp, core_table, identity


class RoleGrantRow(Table, table=True):
    """A role of a user on the organisation, a model or a subtree."""

    __tablename__ = "role_grant"
    __table_args__ = (
        CheckConstraint(text("path LIKE '/%' AND path LIKE '%/'"), name="path_delimited"),
        CheckConstraint(text(f"role IN ({', '.join(repr(role.value) for role in Role)})"), name="role_known"),
    )

    id: int = identity()
    user_id: int = Field(foreign_key="app_user.id", ondelete="CASCADE", sa_type=BigInt, index=True)
    role: str
    model_id: int | None = Field(
        default=None, foreign_key="territory_model.id", ondelete="CASCADE", sa_type=BigInt, index=True
    )
    path: str = Field(default="/", sa_type=Bytewise)
    granted_by: int | None = Field(default=None, sa_type=BigInt)
    granted_at: datetime = Field(sa_type=Timestamp)
    expires_at: datetime | None = Field(default=None, sa_type=Timestamp)


class AuditRow(Table, table=True):
    """One act that changed something, or was refused."""

    __tablename__ = "audit_entry"

    id: int = identity()
    at: datetime = Field(sa_type=Timestamp, index=True)
    user_id: int = Field(sa_type=BigInt, index=True)
    method: str
    act: str
    allowed: bool
    code: str | None = None
    change_set: str | None = None
    streams: list[int] = Field(sa_type=ARRAY(BigInt))
    roles: list[str] = Field(sa_type=ARRAY(Text))
    policy_version: str
    request_id: str | None = None
    details: dict[str, Any] = Field(sa_type=Json)


class AuditLinkRow(Table, table=True):
    """An entry's place in the hash chain; written by the sealer only, append-only like the entries."""

    __tablename__ = "audit_link"

    position: int = Field(primary_key=True, sa_type=BigInt, sa_column_kwargs={"autoincrement": False})
    entry_id: int = Field(sa_type=BigInt, unique=True)
    hash: bytes


class AuditPendingRow(Table, table=True):
    """An entry that is not sealed yet; a trigger adds it with the entry."""

    __tablename__ = "audit_pending"

    entry_id: int = Field(primary_key=True, sa_type=BigInt, sa_column_kwargs={"autoincrement": False})


role_grant = core_table(RoleGrantRow)
audit_entry = core_table(AuditRow)
audit_link = core_table(AuditLinkRow)
audit_pending = core_table(AuditPendingRow)
