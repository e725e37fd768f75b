"""Opportunities in columns, converted into corporate currency (docs/domain.md, "Forecasts")."""

from collections.abc import Collection, Mapping, Sequence
from io import BytesIO
from typing import Any

import polars as pl
from polars._typing import PolarsDataType
from sqlalchemy import ColumnElement, Row, func, literal_column, select, text

from etm_graph.core.changes import CRM_STREAM, ChangeKind, EntityType
from etm_graph.core.money import DatedRates
from etm_graph.db.sessions import ReadSession
from etm_graph.events.tables import change
from etm_graph.features.crm.tables import account, exchange_rate, opportunity, organisation

DEALS: Mapping[str, PolarsDataType] = {
    "id": pl.Int64,
    "account_id": pl.Int64,
    "owner_id": pl.Int64,
    "close_date": pl.Date,
    "category": pl.String,
    "stage": pl.String,
    "family": pl.String,
    "excluded": pl.Boolean,
    "cents": pl.Int128,
    "quantity": pl.Int128,
}
"""Columns of opportunities in memory. cents: null where the currency has no rate. quantity: in hundredths."""

RANGES = """
SELECT currency, rate,
       CASE WHEN row_number() OVER w = 1 THEN date '-infinity' ELSE effective_from END AS since,
       coalesce(lead(effective_from) OVER w, date 'infinity') AS until
FROM exchange_rate WINDOW w AS (PARTITION BY currency ORDER BY effective_from)
"""
"""Each currency's rates as ranges of days without gaps; the earliest holds since ever, the latest for ever."""


def half_even(product: str) -> str:
    """SQL that rounds half-even to the cent; PostgreSQL itself rounds halves away from zero.

    That differs only where an even cent and a half is left over: there the cent that was added is taken back.
    """
    over = f"mod({product}, 0.02)"
    return f"(round({product}, 2) - CASE {over} WHEN 0.005 THEN 0.01 WHEN -0.005 THEN -0.01 ELSE 0 END)::numeric(30, 2)"


CONVERTED = f"""CASE WHEN r.rate IS NOT NULL THEN {half_even("o.amount * r.rate")}
     WHEN o.currency = (SELECT corporate_currency FROM organisation) THEN o.amount END"""
"""SQL of an opportunity's amount in corporate currency; NULL where its currency has no rate."""


def _statement(where: str) -> str:
    condition = f"WHERE {where}" if where else ""
    return f"""
    WITH r AS MATERIALIZED ({RANGES})
    SELECT o.id, o.account_id, o.owner_id, o.close_date, o.forecast_category, o.stage, o.product_family,
           o.excluded_from_territory_assignment::int, {CONVERTED}, o.quantity
    FROM opportunity o
    LEFT JOIN r ON r.currency = o.currency AND o.close_date >= r.since AND o.close_date < r.until {condition}
    """


def _whole(name: str) -> pl.Expr:
    return pl.col(name).str.replace(".", "", literal=True).cast(pl.Int128)


async def deals(session: ReadSession, where: str = "") -> pl.DataFrame:
    """Opportunities as forecasts see them; loaded in bulk (COPY).

    where: a condition over `o`, the opportunity, without parameters from outside.
    """
    found = await session.copy_out(_statement(where))
    if not found:
        return pl.DataFrame(schema=DEALS)
    read = {**DEALS, "excluded": pl.Int8, "cents": pl.String, "quantity": pl.String}
    frame = pl.read_csv(BytesIO(found), has_header=False, new_columns=list(DEALS), schema=read)
    return frame.with_columns(pl.col("excluded") == 1, _whole("cents"), _whole("quantity"))


async def deals_of_accounts(session: ReadSession, account_ids: Collection[int]) -> pl.DataFrame:
    """The opportunities of some accounts."""
    listed = ",".join(str(int(account_id)) for account_id in account_ids)
    return await deals(session, f"o.account_id IN ({listed})") if listed else pl.DataFrame(schema=DEALS)


async def deals_since(session: ReadSession, seq: int) -> tuple[pl.DataFrame, Sequence[int]]:
    """Opportunities changed after a number of the crm stream, and the ids of those deleted since."""
    return await deals(session, f"o.version > {int(seq)}"), await deleted_deals(session, seq)


async def deleted_deals(session: ReadSession, seq: int) -> Sequence[int]:
    """The ids of opportunities deleted after a number of the crm stream."""
    rows = await session.rows(
        select(change.c.entity_id).where(
            change.c.stream_id == CRM_STREAM,
            change.c.seq > seq,
            change.c.entity_type == EntityType.OPPORTUNITY.value,
            change.c.kind == ChangeKind.DELETED.value,
        )
    )
    return [row.entity_id for row in rows]


async def deals_signature(session: ReadSession) -> str:
    """Changes whenever a rate or the corporate currency does."""
    return str(
        await session.scalar(
            text(
                "SELECT corporate_currency || coalesce((SELECT md5(string_agg(currency || effective_from || rate::text, "
                "',' ORDER BY currency, effective_from)) FROM exchange_rate), '') FROM organisation"
            )
        )
    )


async def dated_rates(session: ReadSession) -> DatedRates:
    """All rates, for converting single amounts."""
    corporate = str(await session.scalar(select(organisation.c.corporate_currency)))
    columns = exchange_rate.c
    rows = await session.rows(select(columns.currency, columns.effective_from, columns.rate))
    return DatedRates.of(corporate, [(row.currency, row.effective_from, row.rate) for row in rows])


async def currencies_without_rate(session: ReadSession) -> Sequence[Row[Any]]:
    """Currencies of records that cannot be converted: currency, accounts, opportunities."""
    known = select(exchange_rate.c.currency).union(select(organisation.c.corporate_currency))
    one: ColumnElement[int] = literal_column("1")
    none: ColumnElement[int] = literal_column("0")
    of_accounts = select(account.c.currency, one.label("a"), none.label("o"))
    of_deals = select(opportunity.c.currency, none.label("a"), one.label("o"))
    both = of_accounts.union_all(of_deals).subquery("records")
    return await session.rows(
        select(both.c.currency, func.sum(both.c.a).label("accounts"), func.sum(both.c.o).label("opportunities"))
        .where(both.c.currency.not_in(known))
        .group_by(both.c.currency)
        .order_by(both.c.currency)
    )


async def records_in_currency(session: ReadSession, currency: str) -> int:
    """How many accounts and opportunities have amounts in a currency."""
    accounts = select(func.count()).select_from(account).where(account.c.currency == currency)
    found = select(func.count()).select_from(opportunity).where(opportunity.c.currency == currency)
    return int(await session.scalar(accounts)) + int(await session.scalar(found))


async def product_families(session: ReadSession) -> Sequence[str]:
    """Every product family that an opportunity names, by name."""
    column = opportunity.c.product_family
    return [row[0] for row in await session.rows(select(column).distinct().where(column.is_not(None)).order_by(column))]
