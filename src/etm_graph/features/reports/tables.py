"""Tables of reports: saved definitions, and the weights of the workload index."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Numeric, UniqueConstraint
from sqlmodel import Field

from etm_graph.db.base import BigInt, Json, Table, Timestamp, core_table, identity

Weight = Numeric(9, 4)


class WorkloadWeightsRow(Table, table=True):
    """An organisation-wide set of weights; models choose one."""

    __tablename__ = "workload_weights"

    id: int = identity()
    developer_name: str = Field(unique=True)
    name: str
    accounts: Decimal = Field(sa_type=Weight)
    revenue: Decimal = Field(sa_type=Weight)
    pipeline: Decimal = Field(sa_type=Weight)
    effort: Decimal = Field(sa_type=Weight)
    effort_field: str | None = None
    version: int = Field(default=1, sa_type=BigInt)


class ModelWorkloadRow(Table, table=True):
    """Which weights a model uses."""

    __tablename__ = "model_workload"

    model_id: int = Field(primary_key=True, foreign_key="territory_model.id", ondelete="CASCADE", sa_type=BigInt)
    weights_id: int = Field(foreign_key="workload_weights.id", sa_type=BigInt, index=True)


class SavedReportRow(Table, table=True):
    """A report's definition that somebody keeps."""

    __tablename__ = "saved_report"
    __table_args__ = (UniqueConstraint("user_id", "name"),)

    id: int = identity()
    user_id: int = Field(foreign_key="app_user.id", sa_type=BigInt)
    name: str
    description: str | None = None
    shared: bool = False
    definition: dict[str, Any] = Field(sa_type=Json)
    written_at: datetime = Field(sa_type=Timestamp)
    version: int = Field(default=1, sa_type=BigInt)


workload_weights = core_table(WorkloadWeightsRow)
model_workload = core_table(ModelWorkloadRow)
saved_report = core_table(SavedReportRow)
