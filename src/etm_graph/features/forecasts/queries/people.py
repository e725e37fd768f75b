"""What people say about forecasts: quotas, adjustments, submissions."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Row, func, select

from etm_graph.core.lifecycle import ModelState
from etm_graph.db.sessions import ReadSession
from etm_graph.features.forecasts.tables import (
    forecast_adjustment,
    forecast_carry,
    forecast_submission,
    quota,
    quota_kind,
)
from etm_graph.features.territories import queries as territories

DEFAULT_KIND = "Revenue"


async def list_quota_kinds(session: ReadSession) -> Sequence[Row[Any]]:
    """All kinds of quota, by developer name."""
    return await session.rows(select(quota_kind).order_by(quota_kind.c.developer_name))


async def quota_kinds_by_id(session: ReadSession, ids: Collection[int]) -> dict[int, Row[Any]]:
    """Kinds of quota by id."""
    return {row.id: row for row in await session.rows(select(quota_kind).where(quota_kind.c.id.in_(ids)))}


async def quotas_within(session: ReadSession, model_ids: Collection[int], start: date, end: date) -> Sequence[Row[Any]]:
    """Quotas of models whose period lies from `start` to `end`, with their territory's developer name and path."""
    nodes = territories.nodes
    columns = quota.c
    return await session.rows(
        select(quota, nodes.c.developer_name, nodes.c.path)
        .join(nodes, nodes.c.id == columns.territory_id)
        .where(columns.model_id.in_(model_ids), columns.period_start >= start, columns.period_end <= end)
        .order_by(columns.id)
    )


async def adjustments_within(
    session: ReadSession, model_ids: Collection[int], start: date, end: date
) -> Sequence[Row[Any]]:
    """Adjustments of models whose period lies from `start` to `end`, likewise."""
    nodes = territories.nodes
    columns = forecast_adjustment.c
    return await session.rows(
        select(forecast_adjustment, nodes.c.developer_name, nodes.c.path)
        .join(nodes, nodes.c.id == columns.territory_id)
        .where(columns.model_id.in_(model_ids), columns.period_start >= start, columns.period_end <= end)
        .order_by(columns.rank, columns.written_at.desc(), columns.id)
    )


async def quotas_by_id(session: ReadSession, ids: Collection[int]) -> dict[int, Row[Any]]:
    """Quotas by id, with their territory's developer name and path."""
    nodes = territories.nodes
    statement = select(quota, nodes.c.developer_name, nodes.c.path).join(nodes, nodes.c.id == quota.c.territory_id)
    return {row.id: row for row in await session.rows(statement.where(quota.c.id.in_(ids)))}


async def adjustments_by_id(session: ReadSession, ids: Collection[int]) -> dict[int, Row[Any]]:
    """Adjustments by id, likewise."""
    nodes, columns = territories.nodes, forecast_adjustment.c
    statement = select(forecast_adjustment, nodes.c.developer_name, nodes.c.path).join(
        nodes, nodes.c.id == columns.territory_id
    )
    return {row.id: row for row in await session.rows(statement.where(columns.id.in_(ids)))}


async def submissions_by_id(session: ReadSession, ids: Collection[int]) -> dict[int, Row[Any]]:
    """Submissions by id, likewise."""
    nodes, columns = territories.nodes, forecast_submission.c
    statement = select(forecast_submission, nodes.c.developer_name, nodes.c.path).join(
        nodes, nodes.c.id == columns.territory_id
    )
    return {row.id: row for row in await session.rows(statement.where(columns.id.in_(ids)))}


async def submissions_of(
    session: ReadSession, keys: Collection[tuple[int, date, date]]
) -> Mapping[tuple[int, date, date], Sequence[Row[Any]]]:
    """Submissions of territories in periods, latest first, by (territory, first day, last day)."""
    nodes, columns = territories.nodes, forecast_submission.c
    rows = await session.rows(
        select(forecast_submission, nodes.c.developer_name, nodes.c.path)
        .join(nodes, nodes.c.id == columns.territory_id)
        .where(columns.territory_id.in_({key[0] for key in keys}), columns.period_start.in_({key[1] for key in keys}))
        .order_by(columns.at.desc(), columns.id.desc())
    )
    found: dict[tuple[int, date, date], list[Row[Any]]] = {key: [] for key in keys}
    for row in rows:
        found.get((row.territory_id, row.period_start, row.period_end), []).append(row)
    return found


async def kept_by_period(session: ReadSession) -> Mapping[str, int]:
    """How many quotas, adjustments and submissions are kept by fiscal periods."""
    counts = {}
    for name, table in (
        ("quotas", quota),
        ("adjustments", forecast_adjustment),
        ("submissions", forecast_submission),
    ):
        counts[name] = int(await session.scalar(select(func.count()).select_from(table)))
    return counts


async def carried_to(session: ReadSession, model_ids: Collection[int]) -> dict[int, Row[Any]]:
    """What activations of models did with the former one's quotas and adjustments, by model."""
    rows = await session.rows(select(forecast_carry).where(forecast_carry.c.model_id.in_(model_ids)))
    return {row.model_id: row for row in rows}


def shows_inherited(state: ModelState) -> bool:
    """Whether a model shows, flagged, what it would inherit from the active one."""
    return state in {ModelState.PLANNING, ModelState.ACTIVATING, ModelState.ACTIVATING_FAILED}
