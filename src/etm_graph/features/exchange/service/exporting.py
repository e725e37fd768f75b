"""Exports: asked for here, written by a job, fetched by a signed link that expires."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from io import BytesIO
from typing import Any

import polars as pl
from sqlalchemy import delete, insert, update

from etm_graph.core.access import Act, Grant, Kind, Role
from etm_graph.core.errors import Forbidden, Invalid, NotFound
from etm_graph.core.lifecycle import GROUP_OF, ModelState
from etm_graph.db.sessions import WriteSession
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.exchange.tables import export_file, export_piece
from etm_graph.features.models.queries import models_by_id
from etm_graph.features.reports.service import Definition
from etm_graph.features.reports.service.definitions import check
from etm_graph.jobs.queue import enqueue

EXPORT = "export"
LIFE = timedelta(hours=24)
PIECE_BYTES = 1024 * 1024


class ExportFormat(StrEnum):
    """How an export is written."""

    CSV = "CSV"
    JSONL = "JSONL"
    PARQUET = "PARQUET"


MEDIA: Mapping[ExportFormat, str] = {
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.JSONL: "application/jsonl",
    ExportFormat.PARQUET: "application/vnd.apache.parquet",
}


@dataclass(frozen=True, slots=True)
class ExportWish:
    """What to export: a forecast grid of some periods, or a report."""

    model_id: int
    format: ExportFormat
    periods: tuple[str, ...] = ()
    report: Definition | None = None


def grants_to_json(grants: tuple[Grant, ...]) -> list[dict[str, Any]]:
    """The rights that an export is made with: those of the caller when it was asked for."""
    return [
        {
            "role": grant.role.value,
            "model_id": grant.model_id,
            "path": grant.path,
            "expires_at": None if grant.expires_at is None else grant.expires_at.isoformat(),
        }
        for grant in grants
    ]


def grants_of_json(kept: list[dict[str, Any]]) -> tuple[Grant, ...]:
    """The rights that were kept; one that ends was good when it was asked for."""
    return tuple(Grant(Role(item["role"]), item["model_id"], item["path"]) for item in kept)


async def request_export(work: UnitOfWork, wish: ExportWish) -> int:
    """Ask for an export of what the caller may see; returns the job's id. Raises `Forbidden`, `NotFound`, `Invalid`."""
    viewer = work.viewer
    found = (await models_by_id(work.session, viewer, [wish.model_id])).get(wish.model_id)
    if found is None:
        raise NotFound("There is no such model.", field=["modelId"])
    group = GROUP_OF[ModelState(found.state)]
    kind = Kind.FORECAST if wish.report is None else Kind.REPORT
    paths = [grant.path for grant in work.principal.grants if grant.model_id in {None, wish.model_id}]
    if not any(
        viewer.may(Act.EXPORT, Kind.EXPORT, state=group, model_id=wish.model_id, path=path)
        and viewer.may(Act.READ, kind, state=group, model_id=wish.model_id, path=path)
        for path in paths
    ):
        raise Forbidden("You may not export this; ask for a role that may export.")
    if (wish.report is None) == (not wish.periods):
        raise Invalid("An export is of a forecast's periods or of a report.", field=["periods"])
    if wish.report is not None:
        check(wish.report)
    arguments = {
        "format": wish.format.value,
        "periods": list(wish.periods),
        "report": None if wish.report is None else wish.report.to_json(),
        "grants": grants_to_json(work.principal.grants),
        "user_name": work.principal.name,
    }
    await work.session.execute(delete(export_file).where(export_file.c.expires_at < work.now))
    number = await enqueue(
        work.session, EXPORT, {}, now=work.now, model_id=wish.model_id, created_by=work.principal.user_id
    )
    if number is None:
        raise RuntimeError("a job without a key is always queued")
    name = f"{'forecast' if wish.report is None else wish.report.subject.value.lower()}.{wish.format.value.lower()}"
    await work.session.execute(
        insert(export_file).values(
            job_id=number,
            user_id=work.principal.user_id,
            name=name,
            media_type=MEDIA[wish.format],
            size=0,
            rows=0,
            secret=secrets.token_bytes(32),
            definition=arguments,
            expires_at=work.now + LIFE,
        )
    )
    return number


def write_frame(frame: pl.DataFrame, wanted: ExportFormat) -> bytes:
    """A frame as a file. Amounts are decimals in Parquet, and decimal text in the others, never floating point."""
    target = BytesIO()
    if wanted is ExportFormat.PARQUET:
        frame.write_parquet(target)
        return target.getvalue()
    decimals = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Decimal)]
    plain = frame.with_columns(pl.col(name).cast(pl.String) for name in decimals)
    if wanted is ExportFormat.CSV:
        plain.write_csv(target)
    else:
        plain.write_ndjson(target)
    return target.getvalue()


async def store(session: WriteSession, job_id: int, content: bytes, rows: int) -> None:
    """Keep an export's content in pieces; one that a former worker began is replaced."""
    await session.execute(delete(export_piece).where(export_piece.c.job_id == job_id))
    for place, start in enumerate(range(0, len(content), PIECE_BYTES)):
        piece = content[start : start + PIECE_BYTES]
        await session.execute(insert(export_piece).values(job_id=job_id, place=place, content=piece))
    await session.execute(
        update(export_file).where(export_file.c.job_id == job_id).values(size=len(content), rows=rows)
    )
