"""Which accounts and opportunities, and in which order; money may only be asked about by those who may see it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import ColumnElement, Numeric, cast, false, func, select, true
from sqlalchemy.dialects.postgresql import distinct_on

from etm_graph.access.viewer import Viewer
from etm_graph.core.access import Act, Kind
from etm_graph.db.paging import Order
from etm_graph.features.crm.tables import account, exchange_rate, opportunity

_NO_REVENUE = Decimal(-(10**18))

current_rates = (
    select(exchange_rate.c.currency, exchange_rate.c.rate)
    .ext(distinct_on(exchange_rate.c.currency))
    .where(exchange_rate.c.effective_from <= func.current_date())
    .order_by(exchange_rate.c.currency, exchange_rate.c.effective_from.desc())
    .subquery("current_rates")
)
"""What one unit of each currency is worth today in corporate currency."""

revenue = cast(func.round(account.c.annual_revenue * func.coalesce(current_rates.c.rate, 1), 2), Numeric())
"""Annual revenue in corporate currency, of accounts joined with `current_rates`."""

BY_NAME = Order("accounts", (account.c.name, account.c.id))
BY_REVENUE = Order(
    "accounts by revenue",
    (cast(func.coalesce(revenue, _NO_REVENUE), Numeric()), account.c.id),
    descending=True,
)
BY_CLOSE_DATE = Order("opportunities", (opportunity.c.close_date, opportunity.c.id), descending=True)


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """Which accounts; all conditions that are given must hold. Revenue is in corporate currency, both ends included."""

    name_contains: str | None = None
    country: str | None = None
    state: str | None = None
    postal_code_starts_with: str | None = None
    industry_starts_with: str | None = None
    owner_id: int | None = None
    type: str | None = None
    revenue_from: Decimal | None = None
    revenue_until: Decimal | None = None

    @property
    def asks_for_money(self) -> bool:
        """Whether the answer would tell something about amounts."""
        return self.revenue_from is not None or self.revenue_until is not None


@dataclass(frozen=True, slots=True)
class OpportunityFilter:
    """Which opportunities; all conditions that are given must hold. Both ends of the dates are included."""

    stages: tuple[str, ...] | None = None
    categories: tuple[str, ...] | None = None
    closes_from: date | None = None
    closes_until: date | None = None


def readable(viewer: Viewer) -> ColumnElement[bool]:
    """Records of the CRM belong to no model: they are readable all or none."""
    return true() if viewer.may(Act.READ, Kind.CRM) else false()


def require_money(viewer: Viewer, wanted: AccountFilter, order: Order = BY_NAME) -> None:
    """Pass when the viewer may see money, or neither filter nor order asks about it; raise `Forbidden` otherwise."""
    if wanted.asks_for_money or order is BY_REVENUE:
        viewer.require(Act.READ_MONEY, Kind.CRM)


def account_conditions(wanted: AccountFilter) -> list[ColumnElement[bool]]:
    """The filter's conditions on accounts joined with `current_rates`."""
    columns = account.c
    given: list[tuple[object, Callable[[str], ColumnElement[bool]]]] = [
        (wanted.name_contains, lambda text: columns.name.icontains(text, autoescape=True)),
        (wanted.country, lambda text: columns.billing_country == text),
        (wanted.state, lambda text: columns.billing_state == text),
        (wanted.postal_code_starts_with, lambda text: columns.billing_postal_code.startswith(text, autoescape=True)),
        (wanted.industry_starts_with, lambda text: columns.industry.startswith(text, autoescape=True)),
        (wanted.type, lambda text: columns.type == text),
    ]
    conditions = [condition(str(value)) for value, condition in given if value is not None]
    if wanted.owner_id is not None:
        conditions.append(columns.owner_id == wanted.owner_id)
    if wanted.revenue_from is not None:
        conditions.append(revenue >= wanted.revenue_from)
    if wanted.revenue_until is not None:
        conditions.append(revenue <= wanted.revenue_until)
    return conditions


def opportunity_conditions(wanted: OpportunityFilter) -> list[ColumnElement[bool]]:
    """The filter's conditions on opportunities."""
    columns = opportunity.c
    conditions: list[ColumnElement[bool]] = []
    if wanted.stages is not None:
        conditions.append(columns.stage.in_(wanted.stages))
    if wanted.categories is not None:
        conditions.append(columns.forecast_category.in_(wanted.categories))
    if wanted.closes_from is not None:
        conditions.append(columns.close_date >= wanted.closes_from)
    if wanted.closes_until is not None:
        conditions.append(columns.close_date <= wanted.closes_until)
    return conditions
