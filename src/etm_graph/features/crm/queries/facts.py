"""Accounts in columns, as rules see them."""

from collections.abc import Callable, Mapping, Sequence

import polars as pl
from sqlalchemy import select, text

from etm_graph.core.changes import CRM_STREAM, ChangeKind, EntityType
from etm_graph.core.criteria import DataType, FieldDef
from etm_graph.db.sessions import ReadSession
from etm_graph.events.tables import change


async def account_facts(session: ReadSession, fields: Mapping[str, FieldDef], where: str = "") -> pl.DataFrame:
    """Accounts as rules see them: `id` and a column for each field; money in corporate currency at today's rate.

    where: a condition over `a`, the account, without parameters from outside. Loaded in bulk (COPY), in id order. Beside
    the fields there are latitude, longitude, and excluded_from_realignment as a truth.
    """
    schema = dict(ALWAYS)
    for name, field in fields.items():
        if field.data_type is not DataType.LOCATION:
            schema[name] = COLUMN_TYPES[field.data_type]
    found = await session.copy_out(_facts_statement(fields, where))
    if not found:
        return _with_lists(pl.DataFrame(schema=schema), fields)
    plain = {name: pl.String() if kind == pl.Boolean() else kind for name, kind in schema.items()}
    frame = pl.read_csv(found, has_header=False, new_columns=list(plain), schema=plain)
    truths = [name for name, kind in schema.items() if kind == pl.Boolean()]
    frame = frame.with_columns(pl.col(name).is_in(["t", "true"]).alias(name) for name in truths)
    return _with_lists(frame, fields)


CHUNK = 200_000
"""Accounts that are loaded at a time, so that memory is needed for the text of no more of them."""


async def all_account_facts(
    session: ReadSession, fields: Mapping[str, FieldDef], shape: Callable[[pl.DataFrame], pl.DataFrame]
) -> pl.DataFrame:
    """`account_facts` of all accounts, chunk by chunk, each brought into the shape in which it is kept."""
    chunks = [shape(await account_facts(session, fields, "false"))]
    after = await session.scalar(text("SELECT min(id) - 1 FROM account"))
    last = await session.scalar(text("SELECT max(id) FROM account"))
    while last is not None and after < last:
        limit = f"(SELECT max(id) FROM (SELECT id FROM account WHERE id > {after} ORDER BY id LIMIT {CHUNK}) c)"
        until = await session.scalar(text(f"SELECT {limit}"))
        chunks.append(shape(await account_facts(session, fields, f"a.id > {after} AND a.id <= {until}")))
        after = until
    return pl.concat(chunks, how="vertical").rechunk()


ALWAYS: Mapping[str, pl.DataType] = {
    "id": pl.Int64(),
    "latitude": pl.Float64(),
    "longitude": pl.Float64(),
    "excluded_from_realignment": pl.Boolean(),
}
"""Columns beside the fields."""

COLUMN_TYPES: Mapping[DataType, pl.DataType] = {
    DataType.TEXT: pl.String(),
    DataType.POSTAL_CODE: pl.String(),
    DataType.PICKLIST: pl.String(),
    DataType.MULTI_PICKLIST: pl.String(),
    DataType.NUMBER: pl.Float64(),
    DataType.CURRENCY: pl.Float64(),
    DataType.DATE: pl.Date(),
    DataType.BOOLEAN: pl.Boolean(),
}
_SEPARATOR = "\x1f"


def _with_lists(frame: pl.DataFrame, fields: Mapping[str, FieldDef]) -> pl.DataFrame:
    lists = [name for name, field in fields.items() if field.data_type is DataType.MULTI_PICKLIST]
    return frame.with_columns(pl.col(name).str.split(_SEPARATOR) for name in lists)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _facts_statement(fields: Mapping[str, FieldDef], where: str) -> str:
    columns = [f"a.{name}" for name in ALWAYS]
    rate = "coalesce(r.rate, 1)"
    for name, field in fields.items():
        if field.data_type is DataType.LOCATION:
            continue
        custom = name.removeprefix("custom.")
        if custom == name:
            columns.append(f"round(a.annual_revenue * {rate}, 2)" if name == "annual_revenue" else f"a.{name}")
        elif field.data_type is DataType.CURRENCY:
            columns.append(f"round((a.custom->>{_quoted(custom)})::numeric * {rate}, 2)")
        elif field.data_type is DataType.MULTI_PICKLIST:
            items = f"jsonb_array_elements_text(nullif(a.custom->{_quoted(custom)}, 'null'))"
            columns.append(f"(SELECT string_agg(item, E'\\x1f') FROM {items} item)")
        else:
            columns.append(f"a.custom->>{_quoted(custom)}")
    latest = "SELECT DISTINCT ON (currency) currency, rate FROM exchange_rate WHERE effective_from <= current_date"
    rates = f"LEFT JOIN ({latest} ORDER BY currency, effective_from DESC) r ON r.currency = a.currency"
    condition = f"WHERE {where}" if where else ""
    return f"SELECT {', '.join(columns)} FROM account a {rates} {condition} ORDER BY a.id"


async def account_facts_since(
    session: ReadSession, fields: Mapping[str, FieldDef], seq: int
) -> tuple[pl.DataFrame, Sequence[int]]:
    """Accounts changed after a number of the crm stream, and the ids of those deleted since."""
    changed = await account_facts(session, fields, f"a.version > {int(seq)}")
    deleted = await session.rows(
        select(change.c.entity_id).where(
            change.c.stream_id == CRM_STREAM,
            change.c.seq > seq,
            change.c.entity_type == EntityType.ACCOUNT.value,
            change.c.kind == ChangeKind.DELETED.value,
        )
    )
    return changed, [row.entity_id for row in deleted]


async def pipeline_by_account(session: ReadSession) -> pl.DataFrame:
    """Open pipeline of each account in corporate currency at each close date's rate: account_id, pipeline."""
    rate = (
        "coalesce((SELECT x.rate FROM exchange_rate x WHERE x.currency = o.currency AND x.effective_from <= o.close_date "
        "ORDER BY x.effective_from DESC LIMIT 1), 1)"
    )
    found = await session.copy_out(
        f"SELECT o.account_id, sum(round(o.amount * {rate}, 2)) FROM opportunity o "
        "WHERE o.forecast_category NOT IN ('CLOSED', 'OMITTED') GROUP BY o.account_id"
    )
    schema = {"account_id": pl.Int64, "pipeline": pl.Float64}
    if not found:
        return pl.DataFrame(schema=schema)
    return pl.read_csv(found, has_header=False, new_columns=list(schema), schema=schema)


async def facts_signature(session: ReadSession, fields: Mapping[str, FieldDef]) -> str:
    """Changes whenever the columns of `account_facts` or the rates in them do."""
    rates = await session.scalar(
        text(
            "SELECT md5(coalesce(string_agg(currency || rate::text, ',' ORDER BY currency, effective_from), '')) "
            "FROM exchange_rate WHERE effective_from <= current_date"
        )
    )
    return f"{rates}:{sorted((field.name, field.data_type.value) for field in fields.values())}"


async def account_segments(session: ReadSession) -> pl.DataFrame:
    """Every account by what it is counted by: id, billing_state, billing_country, industry; whoever asks."""
    schema = {"id": pl.Int64, "billing_state": pl.String, "billing_country": pl.String, "industry": pl.String}
    found = await session.copy_out(f"SELECT {', '.join(schema)} FROM account")
    if not found:
        return pl.DataFrame(schema=schema)
    return pl.read_csv(found, has_header=False, new_columns=list(schema), schema=schema)
