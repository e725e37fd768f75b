"""Weights and saved reports."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, or_, select

from etm_graph.db.sessions import ReadSession
from etm_graph.features.reports.tables import model_workload, saved_report, workload_weights

DEFAULT_WEIGHTS = "Even"


async def list_weights(session: ReadSession) -> Sequence[Row[Any]]:
    """All sets of weights, by developer name."""
    return await session.rows(select(workload_weights).order_by(workload_weights.c.developer_name))


async def weights_by_id(session: ReadSession, ids: Collection[int]) -> dict[int, Row[Any]]:
    """Sets of weights by id."""
    rows = await session.rows(select(workload_weights).where(workload_weights.c.id.in_(ids)))
    return {row.id: row for row in rows}


async def weights_of(session: ReadSession, model_id: int) -> Row[Any]:
    """The weights that a model uses: those chosen for it, or the default ones."""
    columns, chosen = workload_weights.c, model_workload.c
    statement = (
        select(workload_weights)
        .outerjoin(model_workload, (chosen.weights_id == columns.id) & (chosen.model_id == model_id))
        .where(or_(chosen.model_id.is_not(None), columns.developer_name == DEFAULT_WEIGHTS))
        .order_by(chosen.model_id.is_(None))
    )
    row = await session.row(statement)
    if row is None:
        raise RuntimeError(f"the weights {DEFAULT_WEIGHTS} are gone")
    return row


async def reports_for(session: ReadSession, user_id: int) -> Sequence[Row[Any]]:
    """A user's saved reports and those that others share, by name."""
    columns = saved_report.c
    return await session.rows(
        select(saved_report).where(or_(columns.user_id == user_id, columns.shared)).order_by(columns.name, columns.id)
    )


async def reports_by_id(session: ReadSession, ids: Collection[int], user_id: int) -> dict[int, Row[Any]]:
    """Saved reports by id: the user's own and shared ones."""
    columns = saved_report.c
    which = columns.id.in_(ids) & or_(columns.user_id == user_id, columns.shared)
    return {row.id: row for row in await session.rows(select(saved_report).where(which))}
