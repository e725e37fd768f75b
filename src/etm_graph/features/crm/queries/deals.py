"""Opportunities in columns, as comparisons see them."""

from collections.abc import Sequence

import polars as pl
from sqlalchemy import select, text

from etm_graph.core.changes import CRM_STREAM, ChangeKind, EntityType
from etm_graph.db.sessions import ReadSession
from etm_graph.events.tables import change

_SCHEMA: dict[str, pl.DataType] = {
    "id": pl.Int64(),
    "account_id": pl.Int64(),
    "amount": pl.Float64(),
    "is_open": pl.String(),
    "excluded": pl.String(),
}


async def opportunity_facts(session: ReadSession, where: str = "true") -> pl.DataFrame:
    """Opportunities: id, account_id, amount, is_open, excluded (from territories), whoever asks.

    amount: in corporate currency at the close date's rate. where: a condition over `o` without parameters from outside.
    """
    rate = (
        "coalesce((SELECT x.rate FROM exchange_rate x WHERE x.currency = o.currency AND x.effective_from <= o.close_date "
        "ORDER BY x.effective_from DESC LIMIT 1), 1)"
    )
    found = await session.copy_out(
        f"SELECT o.id, o.account_id, round(o.amount * {rate}, 2), o.forecast_category NOT IN ('CLOSED', 'OMITTED'), "
        f"o.excluded_from_territory_assignment FROM opportunity o WHERE {where}"
    )
    frame = pl.DataFrame(schema=_SCHEMA)
    if found:
        frame = pl.read_csv(found, has_header=False, new_columns=list(_SCHEMA), schema=_SCHEMA)
    return frame.with_columns(pl.col("is_open") == "t", pl.col("excluded") == "t", pl.col("amount").fill_null(0))


async def opportunity_facts_since(session: ReadSession, seq: int) -> tuple[pl.DataFrame, Sequence[int]]:
    """Opportunities changed after a number of the crm stream, and the ids of those deleted since."""
    changed = await opportunity_facts(session, f"o.version > {int(seq)}")
    deleted = await session.rows(
        select(change.c.entity_id).where(
            change.c.stream_id == CRM_STREAM,
            change.c.seq > seq,
            change.c.entity_type == EntityType.OPPORTUNITY.value,
            change.c.kind == ChangeKind.DELETED.value,
        )
    )
    return changed, [row.entity_id for row in deleted]


async def rates_signature(session: ReadSession) -> str:
    """Changes whenever an exchange rate does."""
    statement = "SELECT md5(coalesce(string_agg(currency || effective_from || rate, ',' ORDER BY currency, effective_from), '')) FROM exchange_rate"  # noqa: E501 - one statement
    return str(await session.scalar(text(statement)))
