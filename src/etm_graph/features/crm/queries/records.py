"""Reading users, accounts, opportunities and custom fields."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, func, select, union

from etm_graph.access.viewer import Viewer
from etm_graph.core.criteria import ACCOUNT_FIELDS, DataType, FieldDef
from etm_graph.core.errors import NotFound
from etm_graph.db.paging import Order, Page, apply_page
from etm_graph.db.sessions import ReadSession
from etm_graph.features.crm.queries.filters import (
    BY_CLOSE_DATE,
    BY_NAME,
    AccountFilter,
    OpportunityFilter,
    account_conditions,
    current_rates,
    opportunity_conditions,
    readable,
    require_money,
)
from etm_graph.features.crm.tables import (
    account,
    app_user,
    custom_field,
    exchange_rate,
    opportunity,
    organisation,
)


async def users_by_id(session: ReadSession, ids: Collection[int]) -> dict[int, Row[Any]]:
    """Users by id; everybody signed in may read who works here."""
    return {row.id: row for row in await session.rows(select(app_user).where(app_user.c.id.in_(ids)))}


async def find_user(session: ReadSession, user_name: str) -> Row[Any] | None:
    """The user of that user name."""
    return await session.row(select(app_user).where(app_user.c.user_name == user_name))


async def find_user_of_subject(session: ReadSession, subject: str) -> Row[Any] | None:
    """The user whom the identity provider knows by that `sub`."""
    return await session.row(select(app_user).where(app_user.c.subject == subject))


async def users_named(session: ReadSession, user_names: Collection[str]) -> Sequence[Row[Any]]:
    """The users of these user names; unknown ones are absent."""
    return await session.rows(select(app_user).where(app_user.c.user_name.in_(user_names)))


async def account_fields(session: ReadSession) -> Mapping[str, FieldDef]:
    """The fields that criteria over accounts may name: the standard ones, and custom.<developerName>."""
    rows = await session.rows(
        select(custom_field.c.developer_name, custom_field.c.label, custom_field.c.data_type)
        .where(custom_field.c.object_type == "ACCOUNT")
        .order_by(custom_field.c.developer_name)
    )
    custom = {
        f"custom.{row.developer_name}": FieldDef(f"custom.{row.developer_name}", DataType(row.data_type), row.label)
        for row in rows
    }
    return {**ACCOUNT_FIELDS, **custom}


accounts = select(account).subquery("accounts")
"""Every account, for features above to join with."""

opportunities = select(opportunity).subquery("opportunities")
"""Every opportunity, for features above to join with."""

exchange_rates = select(exchange_rate).subquery("exchange_rates")
"""Every dated exchange rate into corporate currency."""

USERS = Order("users", (app_user.c.user_name, app_user.c.id))
CUSTOM_FIELDS = Order("custom_fields", (custom_field.c.object_type, custom_field.c.developer_name))


_priced = account.outerjoin(current_rates, current_rates.c.currency == account.c.currency)


async def list_accounts(
    session: ReadSession, viewer: Viewer, wanted: AccountFilter, page: Page, order: Order = BY_NAME
) -> Sequence[Row[Any]]:
    """A page of accounts. Raises `Forbidden` when filter or order would tell amounts that the viewer may not see."""
    require_money(viewer, wanted, order)
    joined = _priced if wanted.asks_for_money or order is not BY_NAME else account
    base = select(account).select_from(joined).where(readable(viewer), *account_conditions(wanted))
    return await session.rows(apply_page(base, order, page))


async def count_accounts(session: ReadSession, viewer: Viewer, wanted: AccountFilter) -> int:
    """How many accounts there are. Raises `Forbidden` as `list_accounts`."""
    require_money(viewer, wanted)
    joined = _priced if wanted.asks_for_money else account
    statement = select(func.count()).select_from(joined).where(readable(viewer), *account_conditions(wanted))
    return int(await session.scalar(statement))


async def accounts_by_id(session: ReadSession, viewer: Viewer, ids: Collection[int]) -> dict[int, Row[Any]]:
    """Accounts by id."""
    rows = await session.rows(select(account).where(account.c.id.in_(ids), readable(viewer)))
    return {row.id: row for row in rows}


async def opportunities_by_id(session: ReadSession, viewer: Viewer, ids: Collection[int]) -> dict[int, Row[Any]]:
    """Opportunities by id."""
    rows = await session.rows(select(opportunity).where(opportunity.c.id.in_(ids), readable(viewer)))
    return {row.id: row for row in rows}


EVERY_OPPORTUNITY = OpportunityFilter()


async def opportunities_of(
    session: ReadSession,
    viewer: Viewer,
    account_ids: Collection[int],
    page: Page,
    wanted: OpportunityFilter = EVERY_OPPORTUNITY,
) -> Mapping[int, Sequence[Row[Any]]]:
    """A page of each account's opportunities, latest close date first, by account."""
    base = select(opportunity).where(
        opportunity.c.account_id.in_(account_ids), readable(viewer), *opportunity_conditions(wanted)
    )
    grouped: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in await session.rows(apply_page(base, BY_CLOSE_DATE, page, opportunity.c.account_id)):
        grouped[row.account_id].append(row)
    return grouped


async def opportunity_counts(
    session: ReadSession, viewer: Viewer, account_ids: Collection[int], wanted: OpportunityFilter = EVERY_OPPORTUNITY
) -> Mapping[int, int]:
    """How many opportunities each account has."""
    key = opportunity.c.account_id
    where = (key.in_(account_ids), readable(viewer), *opportunity_conditions(wanted))
    counted = select(key, func.count().label("n")).where(*where).group_by(key)
    return {row.account_id: row.n for row in await session.rows(counted)}


async def reports_of(
    session: ReadSession, manager_ids: Collection[int], page: Page
) -> Mapping[int, Sequence[Row[Any]]]:
    """A page of the users who report directly to each manager, by user name, by manager."""
    base = select(app_user).where(app_user.c.manager_id.in_(manager_ids))
    grouped: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in await session.rows(apply_page(base, USERS, page, app_user.c.manager_id)):
        grouped[row.manager_id].append(row)
    return grouped


async def report_counts(session: ReadSession, manager_ids: Collection[int]) -> Mapping[int, int]:
    """How many users report directly to each manager."""
    key = app_user.c.manager_id
    counted = select(key, func.count().label("n")).where(key.in_(manager_ids)).group_by(key)
    return {row.manager_id: row.n for row in await session.rows(counted)}


async def list_exchange_rates(session: ReadSession) -> Sequence[Row[Any]]:
    """All dated exchange rates, by currency and date."""
    return await session.rows(select(exchange_rate).order_by(exchange_rate.c.currency, exchange_rate.c.effective_from))


async def list_users(session: ReadSession, page: Page) -> Sequence[Row[Any]]:
    """A page of users by user name."""
    return await session.rows(apply_page(select(app_user), USERS, page))


async def count_users(session: ReadSession) -> int:
    """How many users there are."""
    return int(await session.scalar(select(func.count()).select_from(app_user)))


async def list_custom_fields(session: ReadSession) -> Sequence[Row[Any]]:
    """All custom fields, by object type and developer name."""
    columns = custom_field.c
    return await session.rows(select(custom_field).order_by(columns.object_type, columns.developer_name))


async def custom_fields_by_id(session: ReadSession, ids: Collection[int]) -> dict[int, Row[Any]]:
    """Custom fields by id."""
    return {row.id: row for row in await session.rows(select(custom_field).where(custom_field.c.id.in_(ids)))}


async def organisation_of(session: ReadSession) -> Row[Any]:
    """The organisation."""
    row = await session.row(select(organisation))
    if row is None:
        raise NotFound("The organisation has not been set up; migrate the database.")
    return row


async def accounts_of_opportunities(session: ReadSession, opportunity_ids: Collection[int]) -> set[int]:
    """The accounts of opportunities."""
    rows = await session.rows(select(opportunity.c.account_id).distinct().where(opportunity.c.id.in_(opportunity_ids)))
    return {row.account_id for row in rows}


async def accounts_changed_since(session: ReadSession, seq: int) -> list[int]:
    """Accounts that were changed, or whose opportunities were, after a number of the crm stream."""
    own = select(account.c.id).where(account.c.version > seq)
    through = select(opportunity.c.account_id).where(opportunity.c.version > seq)
    return [row.id for row in await session.rows(union(own, through))]
