"""Reading users, accounts and opportunities."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Row, select

from etm_graph.core.criteria import ACCOUNT_FIELDS, DataType, FieldDef
from etm_graph.db.sessions import ReadSession
from etm_graph.features.crm.tables import app_user, custom_field


async def users_by_id(session: ReadSession, ids: Collection[int]) -> dict[int, Row[Any]]:
    """Users by id; everybody signed in may read who works here."""
    return {row.id: row for row in await session.rows(select(app_user).where(app_user.c.id.in_(ids)))}


async def find_user(session: ReadSession, user_name: str) -> Row[Any] | None:
    """The user of that user name."""
    return await session.row(select(app_user).where(app_user.c.user_name == user_name))


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
