"""Tables of territory models and territory types."""

from datetime import datetime

from sqlalchemy import Index, text
from sqlmodel import Field

from etm_graph.db.base import BigInt, Table, Timestamp, core_table, identity


class TerritoryTypeRow(Table, table=True):
    """An organisation-wide kind of territory; the largest priority wins in opportunity alignment."""

    __tablename__ = "territory_type"

    id: int = identity()
    developer_name: str = Field(unique=True)
    name: str
    description: str | None = None
    priority: int = Field(unique=True)
    version: int = Field(default=0, sa_type=BigInt)


class ModelRow(Table, table=True):
    """One territory structure; its id is that of its stream."""

    __tablename__ = "territory_model"
    __table_args__ = (
        Index("uq_territory_model_active", "state", unique=True, postgresql_where=text("state = 'ACTIVE'")),
    )

    id: int = Field(primary_key=True, foreign_key="stream.id", ondelete="CASCADE", sa_type=BigInt)
    developer_name: str = Field(unique=True)
    name: str
    description: str | None = None
    state: str
    state_reason: str | None = None
    cloned_from_id: int | None = Field(
        default=None, foreign_key="territory_model.id", ondelete="SET NULL", sa_type=BigInt
    )
    base_structure_head: int | None = Field(default=None, sa_type=BigInt)
    created_by: int | None = Field(default=None, foreign_key="app_user.id", sa_type=BigInt)
    created_at: datetime = Field(sa_type=Timestamp)
    activated_by: int | None = Field(default=None, foreign_key="app_user.id", sa_type=BigInt)
    activated_at: datetime | None = Field(default=None, sa_type=Timestamp)
    archived_by: int | None = Field(default=None, foreign_key="app_user.id", sa_type=BigInt)
    archived_at: datetime | None = Field(default=None, sa_type=Timestamp)
    last_run_at: datetime | None = Field(default=None, sa_type=Timestamp)
    version: int = Field(default=0, sa_type=BigInt)


class TypePriorityRow(Table, table=True):
    """A model's own copy of a type's priority, so that a draft can preview a change of it."""

    __tablename__ = "model_type_priority"

    model_id: int = Field(primary_key=True, foreign_key="territory_model.id", ondelete="CASCADE", sa_type=BigInt)
    type_id: int = Field(primary_key=True, foreign_key="territory_type.id", sa_type=BigInt)
    priority: int
    version: int = Field(default=0, sa_type=BigInt)


territory_type = core_table(TerritoryTypeRow)
territory_model = core_table(ModelRow)
model_type_priority = core_table(TypePriorityRow)
