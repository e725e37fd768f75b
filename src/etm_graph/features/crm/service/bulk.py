"""Loading many records at once: created or updated by their external key, one change number for a batch.

A batch goes into a temporary table by COPY, from there into its table by INSERT … ON CONFLICT, whatever its size. Rows
that hold the same already are not touched. Values are those of the tables' columns and have been checked by the caller.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Column, ColumnElement, MetaData, Table, Text, cast, false, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.schema import CreateTable, DropTable

from etm_graph.core.access import Act, Kind
from etm_graph.core.changes import CRM_STREAM, ChangeDraft, ChangeKind, EntityType
from etm_graph.core.rollup import ForecastCategory
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm.service.editing import BATCH_ID, begin
from etm_graph.features.crm.service.happenings import AccountsChanged, OpportunitiesChanged, UsersChanged
from etm_graph.features.crm.tables import account, app_user, opportunity, organisation

ABOVE = "above"
"""The member of a record that holds the key of the record above it: an account's parent, a user's manager."""

Record = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a batch did. waiting: (key, key above) of records whose parent or manager is not there yet."""

    created: tuple[int, ...]
    updated: tuple[int, ...]
    unchanged: int
    waiting: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Target:
    """Where records go. key: the column that they are known by.

    defaults: of columns that a record may leave out or leave empty; an empty one keeps what is stored.
    """

    table: Table
    entity: EntityType
    kind: Kind
    key: str
    defaults: Mapping[str, object]
    above: str | None = None


_CORPORATE = select(organisation.c.corporate_currency).scalar_subquery()
_ACCOUNTS = _Target(
    account,
    EntityType.ACCOUNT,
    Kind.CRM,
    "external_id",
    {"custom": {}, "excluded_from_realignment": False, "currency": _CORPORATE},
    "parent_id",
)
_OPPORTUNITIES = _Target(
    opportunity,
    EntityType.OPPORTUNITY,
    Kind.CRM,
    "external_id",
    {
        "amount": 0,
        "currency": _CORPORATE,
        "probability": 0,
        "forecast_category": ForecastCategory.PIPELINE.value,
        "excluded_from_territory_assignment": False,
    },
)
_USERS = _Target(
    app_user,
    EntityType.USER,
    Kind.ORGANISATION,
    "user_name",
    {"time_zone": "UTC", "locale": "en-GB", "active": True, "suspended": False},
    "manager_id",
)


async def load_accounts(work: UnitOfWork, records: Sequence[Record]) -> Loaded:
    """Create or update accounts by external id; territories follow. Raises `Forbidden`, `Busy`.

    All records have the same members. `custom` is merged into what is there, None clears a field in it. `above`: the
    external id of the parent, None for no parent.
    """
    loaded = await _load(work, _ACCOUNTS, records)
    changed = (*loaded.created, *loaded.updated)
    if changed:
        await work.announce(AccountsChanged(changed))
    return loaded


async def load_opportunities(work: UnitOfWork, records: Sequence[Record]) -> Loaded:
    """Create or update opportunities by external id; their territories follow. Raises `Forbidden`, `Busy`."""
    loaded = await _load(work, _OPPORTUNITIES, records)
    changed = (*loaded.created, *loaded.updated)
    if changed:
        await work.announce(OpportunitiesChanged(changed))
    return loaded


async def load_users(work: UnitOfWork, records: Sequence[Record]) -> Loaded:
    """Create or update users by user name. `above`: the manager's user name. Raises `Forbidden`, `Busy`."""
    loaded = await _load(work, _USERS, records)
    changed = (*loaded.created, *loaded.updated)
    if changed:
        await work.announce(UsersChanged(changed))
    return loaded


async def link_accounts(work: UnitOfWork, waiting: Sequence[tuple[str, str]]) -> tuple[int, ...]:
    """Give accounts the parents that were not there when they were loaded; returns the ids of those changed."""
    return await _link_later(work, _ACCOUNTS, waiting)


async def link_users(work: UnitOfWork, waiting: Sequence[tuple[str, str]]) -> tuple[int, ...]:
    """Give users the managers who were not there when they were loaded; returns the ids of those changed."""
    return await _link_later(work, _USERS, waiting)


async def _load(work: UnitOfWork, target: _Target, records: Sequence[Record]) -> Loaded:
    await begin(work, Act.CREATE, target.kind)
    await begin(work, Act.UPDATE, target.kind)
    if not records:
        return Loaded((), (), 0)
    seq = work.heads[CRM_STREAM].head + 1
    names = list(records[0])
    incoming = await _copy_in(work, target, names, records)
    created, updated = await _upsert(work, target, incoming, [name for name in names if name != ABOVE], seq)
    waiting: tuple[tuple[str, str], ...] = ()
    if ABOVE in names:
        linked, waiting = await _link(work, target, incoming, seq)
        updated = tuple(sorted({*updated, *linked} - set(created)))
    await work.session.execute(DropTable(incoming))
    _record(work, target, created, updated, _touched(target, names, records))
    return Loaded(created, updated, len(records) - len(created) - len(updated), waiting)


def _touched(target: _Target, names: Sequence[str], records: Sequence[Record]) -> list[str]:
    """The fields that a batch may have changed, each custom field by its name."""
    fields = {target.above or name if name == ABOVE else name for name in names} - {target.key, "custom"}
    for record in records:
        custom = record.get("custom")
        fields |= {f"custom.{name}" for name in custom} if isinstance(custom, Mapping) else set()
    return sorted(fields)


def _record(
    work: UnitOfWork, target: _Target, created: Sequence[int], updated: Sequence[int], columns: Sequence[str]
) -> None:
    if created or updated:
        after = {"created": list(created), "updated": list(updated), "columns": list(columns)}
        work.record(CRM_STREAM, ChangeDraft(target.entity, ChangeKind.IMPORTED, BATCH_ID, "import", after=after))


async def _copy_in(work: UnitOfWork, target: _Target, names: Sequence[str], records: Sequence[Record]) -> Table:
    columns = [Column(name, Text() if name in {ABOVE, "custom"} else target.table.c[name].type) for name in names]
    incoming = Table("incoming", MetaData(), *columns, prefixes=["TEMPORARY"], postgresql_on_commit="DROP")
    await work.session.execute(CreateTable(incoming))
    rows = [tuple(_plain(name, record[name]) for name in names) for record in records]
    await work.session.copy("incoming", names, rows)
    return incoming


def _plain(name: str, value: object) -> Any:  # noqa: ANN401 - what the driver takes
    return orjson.dumps(value).decode() if name == "custom" else value


async def _upsert(
    work: UnitOfWork, target: _Target, incoming: Table, names: Sequence[str], seq: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Ids of the created and of the updated rows. Nobody else writes: the stream's turn is held."""
    table = target.table
    here, there = table.c[target.key], incoming.c[target.key]
    defaults: dict[str, Any] = {name: _expression(table, name, value) for name, value in target.defaults.items()}
    brought: dict[str, Any] = {name: incoming.c[name] for name in names}
    new: dict[str, Any] = {
        name: func.coalesce(value, table.c[name]) if name in defaults else value
        for name, value in brought.items()
        if name != target.key
    }
    if "custom" in brought:
        sent = cast(incoming.c.custom, JSONB)
        brought["custom"] = func.jsonb_strip_nulls(sent)
        new["custom"] = func.jsonb_strip_nulls(table.c.custom.op("||")(sent))
    differs = or_(false(), *(table.c[name].is_distinct_from(value) for name, value in new.items()))
    change = update(table).where(here == there, differs).values(**new, version=seq).returning(table.c.id)
    updated = sorted(row.id for row in await work.session.rows(change))
    row = {**defaults, **{n: func.coalesce(v, defaults[n]) if n in defaults else v for n, v in brought.items()}}
    row["version"] = literal(seq, table.c.version.type)
    add = insert(table).from_select(list(row), select(*row.values()).select_from(incoming)).on_conflict_do_nothing()
    created = sorted(found.id for found in await work.session.rows(add.returning(table.c.id)))
    return tuple(created), tuple(updated)


def _expression(table: Table, name: str, value: object) -> ColumnElement[Any]:
    return value if isinstance(value, ColumnElement) else literal(value, table.c[name].type)


async def _link(
    work: UnitOfWork, target: _Target, incoming: Table, seq: int
) -> tuple[tuple[int, ...], tuple[tuple[str, str], ...]]:
    """Set what is above each incoming record, by key; returns the ids changed, and the pairs whose upper end is missing."""
    table, upper = target.table, target.table.alias("upper")
    key = incoming.c[target.key]
    pairs = select(key.label("key"), incoming.c[ABOVE].label("wanted"), upper.c.id.label("found")).select_from(
        incoming.outerjoin(upper, upper.c[target.key] == incoming.c[ABOVE])
    )
    pair = pairs.subquery("pair")
    column = table.c[target.above or ""]
    change = (
        update(table)
        .where(
            table.c[target.key] == pair.c.key,
            or_(pair.c.wanted.is_(None), pair.c.found.is_not(None)),
            column.is_distinct_from(pair.c.found),
        )
        .values({column: pair.c.found, table.c.version: seq})
        .returning(table.c.id)
    )
    changed = tuple(sorted(row.id for row in await work.session.rows(change)))
    missing = select(pair.c.key, pair.c.wanted).where(pair.c.wanted.is_not(None), pair.c.found.is_(None))
    waiting = tuple((row.key, row.wanted) for row in await work.session.rows(missing.order_by(pair.c.key)))
    return changed, waiting


async def _link_later(work: UnitOfWork, target: _Target, waiting: Sequence[tuple[str, str]]) -> tuple[int, ...]:
    await begin(work, Act.UPDATE, target.kind)
    if not waiting:
        return ()
    seq = work.heads[CRM_STREAM].head + 1
    incoming = await _copy_in(
        work, target, [target.key, ABOVE], [{target.key: key, ABOVE: above} for key, above in waiting]
    )
    changed, _ = await _link(work, target, incoming, seq)
    await work.session.execute(DropTable(incoming))
    _record(work, target, (), changed, _touched(target, [ABOVE], ()))
    return changed
