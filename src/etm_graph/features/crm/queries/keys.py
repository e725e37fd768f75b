"""What records are known by outside: for imports, which refer to owners, accounts and parents by their keys."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, String, cast, func, literal, select

from etm_graph.db.sessions import ReadSession
from etm_graph.features.crm.tables import account, app_user, exchange_rate, organisation


async def user_keys(session: ReadSession) -> Sequence[Row[Any]]:
    """id, user_name, email and name of every user."""
    columns = app_user.c
    return await session.rows(select(columns.id, columns.user_name, columns.email, columns.name).order_by(columns.id))


async def user_ids(session: ReadSession, user_names: Collection[str]) -> dict[str, int]:
    """Ids of users by user name; unknown ones are absent."""
    statement = select(app_user.c.user_name, app_user.c.id).where(app_user.c.user_name.in_(user_names))
    return {row.user_name: row.id for row in await session.rows(statement)}


async def management(session: ReadSession) -> Sequence[Row[Any]]:
    """id, user_name, name, manager_id and whether active (and not suspended) of every user, by user name."""
    columns = app_user.c
    active = (columns.active & ~columns.suspended).label("active")
    statement = select(columns.id, columns.user_name, columns.name, columns.manager_id, active)
    return await session.rows(statement.order_by(columns.user_name))


async def user_managers(session: ReadSession) -> dict[str, str]:
    """The manager's user name of every user who has one, by user name."""
    above = app_user.alias("above")
    statement = select(app_user.c.user_name, above.c.user_name.label("manager")).join(
        above, above.c.id == app_user.c.manager_id
    )
    return {row.user_name: row.manager for row in await session.rows(statement)}


async def account_ids(session: ReadSession, external_ids: Collection[str]) -> dict[str, int]:
    """Ids of accounts by external id; unknown ones are absent."""
    statement = select(account.c.external_id, account.c.id).where(account.c.external_id.in_(external_ids))
    return {row.external_id: row.id for row in await session.rows(statement)}


async def accounts_named(session: ReadSession, names: Collection[str]) -> Mapping[str, Sequence[int]]:
    """Ids of the accounts of each name."""
    found: dict[str, list[int]] = defaultdict(list)
    statement = select(account.c.name, account.c.id).where(account.c.name.in_(names)).order_by(account.c.id)
    for row in await session.rows(statement):
        found[row.name].append(row.id)
    return found


async def account_parents(session: ReadSession) -> dict[str, str]:
    """The parent's key of every account that has one, by its own key: the external id, or # and the id without one."""
    above = account.alias("above")
    own_key = func.coalesce(account.c.external_id, literal("#") + cast(account.c.id, String))
    above_key = func.coalesce(above.c.external_id, literal("#") + cast(above.c.id, String))
    statement = select(own_key.label("own"), above_key.label("above")).join(above, above.c.id == account.c.parent_id)
    return {row.own: row.above for row in await session.rows(statement)}


async def currencies(session: ReadSession) -> tuple[str, frozenset[str]]:
    """The corporate currency, and every currency that can be converted into it."""
    corporate = str(await session.scalar(select(organisation.c.corporate_currency)))
    rows = await session.rows(select(exchange_rate.c.currency).distinct())
    return corporate, frozenset({corporate, *(row.currency for row in rows)})


async def account_names(session: ReadSession, ids: Collection[int]) -> dict[int, str]:
    """Names of accounts by id, whoever asks; unknown ids are absent."""
    rows = await session.rows(select(account.c.id, account.c.name).where(account.c.id.in_(ids)))
    return {row.id: row.name for row in rows}


async def accounts_owned_by(session: ReadSession, user_id: int) -> Sequence[Row[Any]]:
    """Id and name of the accounts that somebody owns, by name."""
    columns = account.c
    statement = select(columns.id, columns.name).where(columns.owner_id == user_id)
    return await session.rows(statement.order_by(columns.name, columns.id))
