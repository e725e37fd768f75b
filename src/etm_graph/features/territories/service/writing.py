"""Bringing a draft's tree and members to a wanted state, set-wise, with a change for everything that differs."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, insert, select, text, update

from etm_graph.core.access import ORGANISATION_PATH, Act, Kind
from etm_graph.core.changes import ChangeDraft, ChangeKind, EntityType, logged
from etm_graph.core.facts import PARENT, Fields, paths
from etm_graph.core.hierarchy import depth_of
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm.queries import users_by_id
from etm_graph.features.models import service as models
from etm_graph.features.territories.service.tree import drop_territories
from etm_graph.features.territories.tables import territory, territory_membership
from etm_graph.features.threads.service import relocate_threads_by_path

Wanted = Mapping[str, Fields | None]
"""By key: the columns that an entity is to have, None when it is to be gone."""


async def new_ids(work: UnitOfWork, table: str, count: int) -> list[int]:
    """Numbers for rows that are about to be inserted."""
    sequence = func.pg_get_serial_sequence(table, "id")
    rows = await work.session.rows(
        select(func.nextval(sequence.op("::")(text("regclass")))).select_from(func.generate_series(1, count))
    )
    return [int(row[0]) for row in rows]


def _parent(row: Row[Any], names: Mapping[int, str]) -> str | None:
    return None if row.parent_id is None else names[row.parent_id]


async def write_territories(
    work: UnitOfWork, model: models.ModelHead, wanted: Wanted, former_ids: Mapping[str, int]
) -> None:
    """Create, change, move and delete territories of a locked draft.

    wanted: columns by developer name, with the parent's name as `parent`. former_ids: of those that come back.
    Everything that hangs on deleted ones must be gone already; the outcome must be a tree. Raises `Forbidden`.
    """
    rows = await work.session.rows(select(territory).where(territory.c.model_id == model.id))
    names = {row.id: row.developer_name for row in rows}
    standing = {row.developer_name: row for row in rows}
    tree: dict[str, Any] = {name: _parent(row, names) for name, row in standing.items()}
    tree |= {name: fields[PARENT] for name, fields in wanted.items() if fields is not None}
    gone = [standing[name].id for name, fields in wanted.items() if fields is None and name in standing]
    place = paths({name: parent for name, parent in tree.items() if wanted.get(name, True) is not None})
    missing = [name for name in place if name not in standing and name not in former_ids]
    fresh = dict(zip(missing, await new_ids(work, "territory", len(missing)), strict=True))
    ids = {**former_ids, **fresh, **{name: row.id for name, row in standing.items()}}
    puts = [name for name in place if wanted.get(name) is not None]
    await _create(work, model, [_columns(name, wanted, ids, place) for name in puts if name not in standing])
    changed = [(standing[name], _columns(name, wanted, ids, place)) for name in puts if name in standing]
    await _change(work, model, changed)
    await _replace_paths(work, model, {row.path: place[name] for name, row in standing.items() if name in place})
    if gone:
        await _delete(work, model, gone)


def _columns(name: str, wanted: Wanted, ids: Mapping[str, int], place: Mapping[str, str]) -> dict[str, Any]:
    fields = dict(wanted[name] or {})
    parent = fields.pop(PARENT)
    parent_id = None if parent is None else ids[str(parent)]
    path = place[name]
    return {"id": ids[name], "developer_name": name, **fields, "parent_id": parent_id, "path": path}


async def _create(work: UnitOfWork, model: models.ModelHead, created: Sequence[dict[str, Any]]) -> None:
    for columns in created:
        path = columns["path"]
        models.authorise(work, model, Act.CREATE, Kind.TERRITORY, path)
        draft = ChangeDraft(
            EntityType.TERRITORY, ChangeKind.CREATED, columns["id"], columns["developer_name"], path,
            after=logged(columns),
        )  # fmt: skip
        seq = work.record(model.id, draft)
        columns.update(model_id=model.id, depth=depth_of(path), version=seq)
    if created:
        await work.session.execute(insert(territory), list(created))


async def _change(work: UnitOfWork, model: models.ModelHead, pairs: Sequence[tuple[Row[Any], dict[str, Any]]]) -> None:
    written = []
    for row, columns in pairs:
        before, path, name = logged(row._mapping), columns["path"], row.developer_name
        after = {key: value for key, value in logged(columns).items() if before.get(key) != value}
        moved: dict[str, object] = {key: after.pop(key) for key in ("parent_id", "path") if key in after}
        if "parent_id" in moved:
            models.authorise(work, model, Act.MOVE, Kind.TERRITORY, row.path)
            models.authorise(work, model, Act.MOVE, Kind.TERRITORY, path.removesuffix(f"{name}/"))
            _record(work, model, ChangeKind.MOVED, row, path, before, moved)
        if after:
            models.authorise(work, model, Act.UPDATE, Kind.TERRITORY, row.path)
            _record(work, model, ChangeKind.UPDATED, row, path, before, after)
        if after or "parent_id" in moved:
            fields = {f"new_{key}": value for key, value in columns.items() if key not in {"id", "developer_name"}}
            version = work.heads[model.id].head
            written.append({"row_id": row.id, **fields, "new_depth": depth_of(path), "new_version": version})
    if written:
        values: dict[str, Any] = {key.removeprefix("new_"): bindparam(key) for key in written[0] if key != "row_id"}
        await work.session.execute(
            update(territory).where(territory.c.id == bindparam("row_id")).values(values), written
        )


def _record(
    work: UnitOfWork,
    model: models.ModelHead,
    kind: ChangeKind,
    row: Row[Any],
    path: str,
    before: Mapping[str, object],
    after: Mapping[str, object],
) -> None:
    former = {key: before[key] for key in after}
    work.record(
        model.id, ChangeDraft(EntityType.TERRITORY, kind, row.id, row.developer_name, path, former, dict(after))
    )


async def _replace_paths(work: UnitOfWork, model: models.ModelHead, places: Mapping[str, str]) -> None:
    """Give territories below moved ones, and the threads on them, their new paths."""
    changed = {old: new for old, new in places.items() if old != new}
    if not changed:
        return
    await work.session.execute(
        update(territory)
        .where(territory.c.model_id == model.id, territory.c.path == bindparam("old"))
        .values(path=bindparam("new"), depth=bindparam("new_depth")),
        [{"old": old, "new": new, "new_depth": depth_of(new)} for old, new in changed.items()],
    )
    await relocate_threads_by_path(work, model.id, changed)


async def _delete(work: UnitOfWork, model: models.ModelHead, ids: Sequence[int]) -> None:
    rows = await work.session.rows(select(territory).where(territory.c.id.in_(ids)).order_by(territory.c.path.desc()))
    for row in rows:
        models.authorise(work, model, Act.DELETE, Kind.TERRITORY, row.path)
    await drop_territories(work, model.id, rows)


async def write_members(
    work: UnitOfWork, model: models.ModelHead, wanted: Wanted, former_ids: Mapping[str, int]
) -> None:
    """Make, change and end memberships of a locked draft.

    wanted: columns by territory/user, with `user_id`; territories must stand. Raises `Forbidden`.
    """
    rows = await work.session.rows(
        select(territory_membership, territory.c.developer_name, territory.c.path)
        .join(territory, territory.c.id == territory_membership.c.territory_id)
        .where(territory_membership.c.model_id == model.id)
    )
    users = await users_by_id(work.session, {row.user_id for row in rows})
    standing = {f"{row.developer_name}/{users[row.user_id].user_name}": row for row in rows}
    nodes = {
        row.developer_name: row
        for row in await work.session.rows(
            select(territory.c.id, territory.c.developer_name, territory.c.path).where(territory.c.model_id == model.id)
        )
    }
    for key, fields in wanted.items():
        row = standing.get(key)
        if row is not None:
            await (_end_member(work, model, key, row) if fields is None else _put_member(work, model, key, row, fields))
        elif fields is not None:
            await _make_member(work, model, key, nodes[key.partition("/")[0]], fields, former_ids.get(key))


async def _end_member(work: UnitOfWork, model: models.ModelHead, key: str, row: Row[Any]) -> None:
    models.authorise(work, model, Act.DELETE, Kind.MEMBERSHIP, row.path)
    before = logged(row._mapping, without={"path"})
    work.record(model.id, ChangeDraft(EntityType.MEMBERSHIP, ChangeKind.DELETED, row.id, key, row.path, before=before))
    await work.session.execute(delete(territory_membership).where(territory_membership.c.id == row.id))


async def _put_member(work: UnitOfWork, model: models.ModelHead, key: str, row: Row[Any], fields: Fields) -> None:
    draft = ChangeDraft(EntityType.MEMBERSHIP, ChangeKind.UPDATED, row.id, key, row.path)
    models.authorise(work, model, Act.UPDATE, Kind.MEMBERSHIP, row.path)
    wanted = {name: typed_date(name, value) for name, value in fields.items() if name != "user_id"}
    await models.apply_edit(work, model.id, territory_membership, draft, row, wanted, row.version)


async def _make_member(
    work: UnitOfWork, model: models.ModelHead, key: str, node: Row[Any], fields: Fields, former_id: int | None
) -> None:
    models.authorise(work, model, Act.CREATE, Kind.MEMBERSHIP, node.path or ORGANISATION_PATH)
    known = {} if former_id is None else {"id": former_id}
    columns = {name: typed_date(name, value) for name, value in fields.items()}
    row = await work.session.row(
        insert(territory_membership)
        .values(**known, model_id=model.id, territory_id=node.id, version=work.next_number(model.id), **columns)
        .returning(*territory_membership.c)
    )
    if row is not None:
        after = logged(row._mapping)
        work.record(
            model.id, ChangeDraft(EntityType.MEMBERSHIP, ChangeKind.CREATED, row.id, key, node.path, after=after)
        )


def typed_date(name: str, value: object) -> object:
    """A column's value of the JSON that the log has."""
    return date.fromisoformat(value) if name.startswith("effective_") and isinstance(value, str) else value
