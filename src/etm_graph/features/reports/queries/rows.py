"""The rows that reports are made of, in columns: each row is of one territory, or of none."""

from collections.abc import Mapping
from io import BytesIO

import polars as pl
from polars._typing import PolarsDataType

from etm_graph.db.sessions import ReadSession
from etm_graph.features.crm import queries as crm
from etm_graph.features.models import queries as models
from etm_graph.features.territories import queries as territories

ACCOUNTS: Mapping[str, PolarsDataType] = {
    "account_id": pl.Int64,
    "account": pl.String,
    "industry": pl.String,
    "state": pl.String,
    "country": pl.String,
    "postal_area": pl.String,
    "account_type": pl.String,
    "owner": pl.String,
    "revenue": pl.String,
    "effort": pl.String,
}

_ACCOUNTS = """
SELECT a.id, a.name, a.industry, a.billing_state, a.billing_country, left(a.billing_postal_code, 3), a.type, u.user_name,
       CASE WHEN r.rate IS NOT NULL THEN {converted} WHEN a.currency = (SELECT corporate_currency FROM organisation)
            THEN a.annual_revenue END, {effort}
FROM account a LEFT JOIN app_user u ON u.id = a.owner_id
LEFT JOIN ({ranges}) r ON r.currency = a.currency AND current_date >= r.since AND current_date < r.until
"""


async def accounts(session: ReadSession, effort_field: str | None = None) -> pl.DataFrame:
    """Every account: revenue in whole cents of corporate currency at today's rate, effort in ten-thousandths."""
    effort = "NULL"
    if effort_field is not None:
        quoted = effort_field.replace("'", "''")
        effort = f"round((a.custom->>'{quoted}')::numeric * 10000)"
    found = await session.copy_out(
        _ACCOUNTS.format(converted=crm.half_even("a.annual_revenue * r.rate"), effort=effort, ranges=crm.RANGES)
    )
    frame = pl.DataFrame(schema=ACCOUNTS)
    if found:
        frame = pl.read_csv(BytesIO(found), has_header=False, new_columns=list(ACCOUNTS), schema=ACCOUNTS)
    return frame.with_columns(
        pl.col("revenue").str.replace(".", "", literal=True).cast(pl.Int128).fill_null(0),
        pl.col("effort").cast(pl.Int128).fill_null(0),
    )


async def places(session: ReadSession, model_id: int) -> pl.DataFrame:
    """A model's territories: territory_id, territory (developer name), path, territory_type, has_members, has_manager."""
    nodes = await territories.all_nodes(session, model_id)
    types = await models.types_by_id(session, {row.type_id for row in nodes})
    staffed = {row.territory_id: row for row in await territories.staffing(session, model_id)}
    rows = [
        (
            row.id,
            row.developer_name,
            row.path,
            types[row.type_id].developer_name if row.type_id in types else None,
            "yes" if row.id in staffed and staffed[row.id].members else "no",
            "yes" if row.id in staffed and staffed[row.id].manager is not None else "no",
        )
        for row in nodes
    ]
    names = ["territory_id", "territory", "path", "territory_type", "has_members", "has_manager"]
    schema = {name: pl.Int64 if name == "territory_id" else pl.String for name in names}
    return pl.DataFrame(rows, schema=schema, orient="row")


async def assignment_rows(session: ReadSession, model_id: int) -> pl.DataFrame:
    """Every assignment that a model has or had: account, territory_id, day, cause, ended."""
    schema = {
        "account": pl.String,
        "territory_id": pl.Int64,
        "day": pl.Date,
        "cause": pl.String,
        "ended": pl.String,
    }
    found = await session.copy_out(
        "SELECT a.name, s.territory_id, s.since::date, CASE WHEN s.manual AND s.by_rule THEN 'BOTH' WHEN s.manual "
        "THEN 'MANUAL' ELSE 'RULE' END, CASE WHEN s.until IS NULL THEN 'no' ELSE 'yes' END "
        f"FROM account_assignment s JOIN account a ON a.id = s.account_id WHERE s.model_id = {int(model_id)}"
    )
    if not found:
        return pl.DataFrame(schema=schema)
    return pl.read_csv(BytesIO(found), has_header=False, new_columns=list(schema), schema=schema)


async def user_names(session: ReadSession) -> pl.DataFrame:
    """owner_id and owner (user name) of every user."""
    rows = [(row.id, row.user_name) for row in await crm.user_keys(session)]
    return pl.DataFrame(rows, schema={"owner_id": pl.Int64, "owner": pl.String}, orient="row")
