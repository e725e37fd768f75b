"""What opportunities were at earlier moments: the database notes it whenever one changes (migration 0006)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, text

from etm_graph.core.money import DatedRates, convert, to_cents
from etm_graph.core.rollup import ForecastCategory
from etm_graph.core.waterfall import Deal
from etm_graph.db.sessions import ReadSession
from etm_graph.features.crm import queries as crm

_MOVED = """
SELECT opportunity_id AS id FROM opportunity_past WHERE until > :since
UNION SELECT opportunity_id FROM opportunity_alignment_past WHERE model_id = :model AND until > :since
UNION SELECT id FROM opportunity WHERE created_at > :since
"""

_FACTS = f"""
WITH moved AS MATERIALIZED ({_MOVED})
SELECT p.opportunity_id AS id, p.until, p.created_at, p.amount, p.currency, p.close_date, p.forecast_category
FROM opportunity_past p JOIN moved m ON m.id = p.opportunity_id WHERE p.until > :since
UNION ALL
SELECT o.id, NULL, o.created_at, o.amount, o.currency, o.close_date, o.forecast_category
FROM opportunity o JOIN moved m ON m.id = o.id
ORDER BY id, until NULLS LAST
"""

_PLACES = f"""
WITH moved AS MATERIALIZED ({_MOVED})
SELECT p.opportunity_id AS id, p.until, p.territory_id FROM opportunity_alignment_past p
JOIN moved m ON m.id = p.opportunity_id WHERE p.model_id = :model AND p.until > :since
UNION ALL
SELECT a.opportunity_id, NULL, a.territory_id FROM opportunity_alignment a
JOIN moved m ON m.id = a.opportunity_id WHERE a.model_id = :model
ORDER BY id, until NULLS LAST
"""


def _at(rows: Sequence[Row[Any]], moment: datetime | None) -> Row[Any] | None:
    """Of one opportunity's rows, in order, the one that held at a moment, None for now."""
    for row in rows:
        if row.until is None or (moment is not None and row.until > moment):
            return row
    return None


def _by_id(rows: Sequence[Row[Any]]) -> Mapping[int, list[Row[Any]]]:
    found: dict[int, list[Row[Any]]] = {}
    for row in rows:
        found.setdefault(row.id, []).append(row)
    return found


def _deal(fact: Row[Any], place: Row[Any] | None, rates: DatedRates) -> Deal:
    known = fact.currency in rates.dated or fact.currency == rates.corporate
    amount = convert(fact.amount, rates.rate(fact.currency, fact.close_date)) if known else Decimal(0)
    territory = None if place is None else place.territory_id
    return Deal(fact.close_date, ForecastCategory(fact.forecast_category), territory, to_cents(amount))


Moments = tuple[Deal | None, Deal | None, Deal | None]
"""An opportunity at the first moment, at the second, and now."""


async def deals_at(session: ReadSession, model_id: int, first: datetime, second: datetime) -> Sequence[Moments]:
    """Every opportunity that changed after the first moment, or whose territory in a model did: two statements.

    Amounts are converted at the rates that are known now.
    """
    values = {"since": first, "model": model_id}
    facts = _by_id(await session.rows(text(_FACTS).bindparams(**values)))
    places = _by_id(await session.rows(text(_PLACES).bindparams(**values)))
    rates = await crm.dated_rates(session)

    def at(number: int, rows: Sequence[Row[Any]], moment: datetime | None) -> Deal | None:
        fact = _at(rows, moment)
        if fact is None or (moment is not None and fact.created_at > moment):
            return None
        return _deal(fact, _at(places.get(number, ()), moment), rates)

    return [
        (at(number, rows, first), at(number, rows, second), at(number, rows, None)) for number, rows in facts.items()
    ]
