"""Tables of exports: what was written for whom, in pieces that any process can serve."""

from datetime import datetime
from typing import Any

from sqlalchemy import LargeBinary
from sqlmodel import Field

from etm_graph.db.base import BigInt, Json, Table, Timestamp, core_table


class ExportRow(Table, table=True):
    """A file made by a job; its number is the job's."""

    __tablename__ = "export_file"

    job_id: int = Field(primary_key=True, foreign_key="job.id", ondelete="CASCADE", sa_type=BigInt)
    user_id: int = Field(sa_type=BigInt)
    name: str
    media_type: str
    size: int = Field(default=0, sa_type=BigInt)
    rows: int = Field(default=0, sa_type=BigInt)
    secret: bytes = Field(sa_type=LargeBinary)
    definition: dict[str, Any] = Field(sa_type=Json)
    expires_at: datetime = Field(sa_type=Timestamp, index=True)


class ExportPieceRow(Table, table=True):
    """A piece of an export, in order."""

    __tablename__ = "export_piece"

    job_id: int = Field(primary_key=True, foreign_key="export_file.job_id", ondelete="CASCADE", sa_type=BigInt)
    place: int = Field(primary_key=True)
    content: bytes = Field(sa_type=LargeBinary)


export_file = core_table(ExportRow)
export_piece = core_table(ExportPieceRow)
