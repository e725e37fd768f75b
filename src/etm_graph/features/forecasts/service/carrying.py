"""Carrying quotas and adjustments over to the model that comes into force; what has no successor is listed."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, Table, delete, insert
from sqlalchemy.dialects.postgresql import insert as upsert

from etm_graph.core.carrying import Carried, Said, carry
from etm_graph.core.changes import ChangeDraft, ChangeKind, EntityType
from etm_graph.db.sessions import ReadSession
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm import queries as crm
from etm_graph.features.forecasts.queries import people
from etm_graph.features.forecasts.service.view import adjustment_key, local_day, quota_key, said_of
from etm_graph.features.forecasts.tables import forecast_adjustment, forecast_carry, quota
from etm_graph.features.models.service import lock_for_system
from etm_graph.features.territories import queries as territories

LAST_YEAR = 9_999


async def _said(
    session: ReadSession, model_ids: Sequence[int], today: date
) -> tuple[Sequence[Row[Any]], Sequence[Row[Any]]]:
    """Quotas and adjustments of models whose periods are not closed on a day."""
    last = today.replace(year=LAST_YEAR, month=12, day=31)
    first = today.replace(year=1, month=1, day=1)
    return (
        await people.quotas_within(session, model_ids, first, last),
        await people.adjustments_within(session, model_ids, first, last),
    )


async def plan_carry(
    session: ReadSession, former_id: int, model_id: int, *, latest_wins: bool, now: datetime
) -> tuple[list[tuple[Table, Row[Any]]], list[dict[str, Any]], list[tuple[Table, Row[Any]]]]:
    """What would go over: rows to copy, a list of what does not count and why, and own rows that copies replace."""
    zone = (await crm.organisation_of(session)).time_zone
    today = local_day(now, zone)
    names = {row.developer_name for row in await territories.all_nodes(session, model_id)}
    copies, left, overruled = [], [], []
    found = await _said(session, [former_id, model_id], today)
    for table, rows, key in zip((quota, forecast_adjustment), found, (quota_key, adjustment_key), strict=True):
        former = [row for row in rows if row.model_id == former_id]
        own = [row for row in rows if row.model_id == model_id]
        carried = carry(said_of(former, key), said_of(own, key), names, today, latest_wins=latest_wins)
        copies += [(table, former[said.row]) for said in carried.copies]
        overruled += [(table, own[said.row]) for said in carried.overruled]
        left += _left(table, carried, former, own)
    return copies, left, overruled


def _left(table: Table, carried: Carried, former: Sequence[Row[Any]], own: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    def item(reason: str, rows: Sequence[Row[Any]], said: Said) -> dict[str, Any]:
        row = rows[said.row]
        return {
            "what": "QUOTA" if table is quota else "ADJUSTMENT",
            "reason": reason,
            "territory": said.territory,
            "path": row.path,
            "period": row.period,
            "userId": row.user_id,
            "amount": str(row.amount),
        }

    return [
        *(item("NO_SUCCESSOR", former, said) for said in carried.lost),
        *(item("OWN_VALUE_KEPT", former, said) for said in carried.beaten),
        *(item("LATER_VALUE_TAKEN", own, said) for said in carried.overruled),
    ]


async def carry_over(work: UnitOfWork, model_id: int, former_id: int | None, *, restored: bool) -> None:
    """Give a model that comes into force the former one's quotas and adjustments of periods that are not closed.

    Runs in the transaction of the switch, whose turn of both models is held. A territory's own value counts; after a
    restore the one that was written last does, and the other is listed. Nothing of the former model changes.
    """
    if former_id is None:
        return
    session = work.session
    copies, left, overruled = await plan_carry(session, former_id, model_id, latest_wins=restored, now=work.now)
    former = await lock_for_system(work, former_id)
    for table, row in overruled:
        await session.execute(delete(table).where(table.c.id == row.id))
    nodes = {row.developer_name: row.id for row in await territories.all_nodes(session, model_id)}
    for table in (quota, forecast_adjustment):
        values = [_copy(row, model_id, nodes[row.developer_name], former.name) for own, row in copies if own is table]
        if values:
            await session.execute(insert(table), values)
    written = {"former": former.name, "at": work.now, "copied": len(copies), "left": left}
    note = upsert(forecast_carry).values(model_id=model_id, **written)
    await session.execute(note.on_conflict_do_update(index_elements=["model_id"], set_=written))
    if copies or left:
        after = {"carried": len(copies), "left": len(left), "former": former.name}
        work.record(
            model_id, ChangeDraft(EntityType.QUOTA, ChangeKind.IMPORTED, model_id, former.developer_name, after=after)
        )


def _copy(row: Row[Any], model_id: int, territory_id: int, former: str) -> dict[str, Any]:
    values = dict(row._mapping)
    for name in ("id", "developer_name", "path"):
        del values[name]
    return {**values, "model_id": model_id, "territory_id": territory_id, "inherited_from": former, "version": 0}
