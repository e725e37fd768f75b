"""The organisation's own settings and its exchange rates."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from sqlalchemy import delete, func, insert, select, update

from etm_graph.core.access import Act, Kind
from etm_graph.core.calendar import MONTHS, PeriodKind
from etm_graph.core.errors import Conflict, InUse, Invalid, NotFound, Taken
from etm_graph.core.names import check_name
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm.queries import organisation_of
from etm_graph.features.crm.queries.pricing import records_in_currency
from etm_graph.features.crm.service.checking import check_time_zone
from etm_graph.features.crm.service.editing import begin
from etm_graph.features.crm.service.happenings import CalendarChanging, RatesChanged
from etm_graph.features.crm.tables import exchange_rate, organisation

RATE_MAX = Decimal(10) ** 10
CODE_LETTERS = 3


async def update_organisation(work: UnitOfWork, expected_version: int, wanted: Mapping[str, object]) -> int:
    """Change the organisation's name, time zone or fiscal calendar; returns its id.

    The calendar is refused while quotas, adjustments or submissions are kept by its periods. Raises `InUse`, `Conflict`,
    `Invalid`, `Forbidden`.
    """
    await begin(work, Act.UPDATE, Kind.ORGANISATION)
    row = await organisation_of(work.session)
    values = {name: value for name, value in wanted.items() if value != getattr(row, name)}
    if not values:
        return 1
    if row.version != expected_version:
        raise Conflict(f"The settings are at version {row.version} by now; read them again.", field=["expectedVersion"])
    if "name" in values:
        values["name"] = check_name(str(values["name"]))
    check_time_zone(values)
    month = values.get("fiscal_year_start_month")
    if "fiscal_year_start_month" in values and not (isinstance(month, int) and 1 <= month <= MONTHS):
        raise Invalid("The fiscal year begins in a month from 1 to 12.", field=["fiscalYearStartMonth"])
    if "adjustment_period" in values and values["adjustment_period"] not in {PeriodKind.MONTH, PeriodKind.QUARTER}:
        raise Invalid("Forecasts are adjusted by MONTH or by QUARTER.", field=["adjustmentPeriod"])
    if values.keys() & {"fiscal_year_start_month", "adjustment_period"}:
        await work.announce(CalendarChanging(year="fiscal_year_start_month" in values))
    await work.session.execute(update(organisation).values(**values, version=row.version + 1))
    return 1


def _check_rate(currency: str, rate: Decimal) -> None:
    if len(currency) != CODE_LETTERS or not currency.isascii() or not currency.isupper():
        raise Invalid(f"{currency!r} is no currency of ISO 4217; write three capital letters.", field=["currency"])
    if not rate.is_finite() or not 0 < rate < RATE_MAX:
        raise Invalid("A rate is above 0 and below 10^10.", field=["rate"])


async def create_rate(work: UnitOfWork, currency: str, effective_from: date, rate: Decimal) -> tuple[str, str]:
    """Add a dated rate; returns its key. Raises `Taken`, `Invalid`, `Forbidden`."""
    await begin(work, Act.CREATE, Kind.ORGANISATION)
    _check_rate(currency, rate)
    if currency == (await organisation_of(work.session)).corporate_currency:
        raise Invalid(f"{currency} is the corporate currency; it is worth 1.", field=["currency"])
    if await _version(work, currency, effective_from) is not None:
        raise Taken(f"{currency} has a rate from {effective_from} already; change that.", field=["effectiveFrom"])
    await work.session.execute(
        insert(exchange_rate).values(currency=currency, effective_from=effective_from, rate=rate, version=1)
    )
    await work.announce(RatesChanged((currency,)))
    return currency, effective_from.isoformat()


async def _version(work: UnitOfWork, currency: str, effective_from: date) -> int | None:
    columns = exchange_rate.c
    where = (columns.currency == currency) & (columns.effective_from == effective_from)
    found = await work.session.scalar(select(columns.version).where(where))
    return None if found is None else int(found)


async def _existing(work: UnitOfWork, currency: str, effective_from: date, expected_version: int) -> int:
    version = await _version(work, currency, effective_from)
    if version is None:
        raise NotFound(f"{currency} has no rate from {effective_from}.", field=["effectiveFrom"])
    if version != expected_version:
        raise Conflict(f"The rate is at version {version} by now; read it again.", field=["expectedVersion"])
    return version


async def update_rate(
    work: UnitOfWork, currency: str, effective_from: date, expected_version: int, rate: Decimal
) -> tuple[str, str]:
    """Change what a dated rate is; returns its key. Raises `Conflict`, `NotFound`, `Invalid`, `Forbidden`."""
    await begin(work, Act.UPDATE, Kind.ORGANISATION)
    _check_rate(currency, rate)
    version = await _existing(work, currency, effective_from, expected_version)
    columns = exchange_rate.c
    where = (columns.currency == currency) & (columns.effective_from == effective_from)
    await work.session.execute(update(exchange_rate).where(where).values(rate=rate, version=version + 1))
    await work.announce(RatesChanged((currency,)))
    return currency, effective_from.isoformat()


async def delete_rate(work: UnitOfWork, currency: str, effective_from: date, expected_version: int) -> tuple[str, str]:
    """Delete a dated rate; the last of a currency only when no record has amounts in it. Raises `InUse`, `Conflict`."""
    await begin(work, Act.DELETE, Kind.ORGANISATION)
    await _existing(work, currency, effective_from, expected_version)
    columns = exchange_rate.c
    count = await work.session.scalar(select(func.count()).where(columns.currency == currency))
    used = await records_in_currency(work.session, currency) if count == 1 else 0
    if used:
        raise InUse(f"{used} accounts and opportunities have amounts in {currency}, and this is its last rate.")
    await work.session.execute(
        delete(exchange_rate).where((columns.currency == currency) & (columns.effective_from == effective_from))
    )
    await work.announce(RatesChanged((currency,)))
    return currency, effective_from.isoformat()


async def load_rates(work: UnitOfWork, rows: Sequence[tuple[str, date, Decimal]]) -> tuple[int, int]:
    """Create or change many dated rates; returns how many were new and how many changed. Raises `Invalid`."""
    await begin(work, Act.CREATE, Kind.ORGANISATION)
    await begin(work, Act.UPDATE, Kind.ORGANISATION)
    columns = exchange_rate.c
    known = {
        (row.currency, row.effective_from): row
        for row in await work.session.rows(
            select(columns.currency, columns.effective_from, columns.rate, columns.version)
        )
    }
    created = updated = 0
    for currency, day, rate in rows:
        _check_rate(currency, rate)
        row = known.get((currency, day))
        if row is None:
            await work.session.execute(
                insert(exchange_rate).values(currency=currency, effective_from=day, rate=rate, version=1)
            )
            created += 1
        elif row.rate != rate:
            where = (columns.currency == currency) & (columns.effective_from == day)
            await work.session.execute(update(exchange_rate).where(where).values(rate=rate, version=row.version + 1))
            updated += 1
    if created or updated:
        await work.announce(RatesChanged(tuple(sorted({currency for currency, _, _ in rows}))))

    return created, updated
