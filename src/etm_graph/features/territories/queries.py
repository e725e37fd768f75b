"""Reading territories and their members."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select

from etm_graph.access.viewer import Viewer
from etm_graph.core.access import Kind
from etm_graph.core.hierarchy import ancestor_paths, subtree_end
from etm_graph.db.paging import Order, Page, apply_page
from etm_graph.db.sessions import ReadSession
from etm_graph.features.models import queries as models
from etm_graph.features.territories.tables import territory, territory_membership

TREE = Order("tree", (territory.c.path,))
BY_NAME = Order("name", (territory.c.name, territory.c.id))
MEMBERS = Order("members", (territory_membership.c.id,))

columns = (
    territory.c.id,
    territory.c.model_id,
    territory.c.developer_name,
    territory.c.name,
    territory.c.parent_id,
    territory.c.type_id,
    territory.c.description,
    territory.c.rule_combination,
    territory.c.inherit_only,
    territory.c.account_access,
    territory.c.opportunity_access,
    territory.c.contact_access,
    territory.c.case_access,
    territory.c.forecast_manager_id,
    territory.c.path,
    territory.c.depth,
    territory.c.version,
)


@dataclass(frozen=True, slots=True)
class TerritoryFilter:
    """Which territories of a model: those below a path, not deeper than a depth, of types, with a text in the name."""

    within: str | None = None
    max_depth: int | None = None
    type_ids: tuple[int, ...] | None = None
    name_contains: str | None = None


def visible(viewer: Viewer) -> Select[Any]:
    """Every territory that the viewer may read."""
    scope = models.scope
    return (
        select(*columns)
        .join(scope, scope.c.id == territory.c.model_id)
        .where(viewer.sees(Kind.TERRITORY, state=scope.c.state, model_id=territory.c.model_id, path=territory.c.path))
    )


def _conditions(wanted: TerritoryFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.within is not None:
        conditions += [territory.c.path >= wanted.within, territory.c.path < subtree_end(wanted.within)]
    if wanted.max_depth is not None:
        base = 0 if wanted.within is None else wanted.within.count("/") - 2
        conditions.append(territory.c.depth <= base + wanted.max_depth)
    if wanted.type_ids is not None:
        conditions.append(territory.c.type_id.in_(wanted.type_ids))
    if wanted.name_contains is not None:
        conditions.append(territory.c.name.icontains(wanted.name_contains, autoescape=True))
    return conditions


async def territories_of_models(
    session: ReadSession,
    viewer: Viewer,
    model_ids: Collection[int],
    wanted: TerritoryFilter,
    order: Order,
    page: Page,
    selected: Sequence[ColumnElement[Any]] = columns,
) -> Mapping[int, Sequence[Row[Any]]]:
    """A page of each model's territories, by model."""
    base = visible(viewer).with_only_columns(*selected)
    base = base.where(territory.c.model_id.in_(model_ids), *_conditions(wanted))
    partition = territory.c.model_id if len(model_ids) > 1 else None
    grouped: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in await session.rows(apply_page(base, order, page, partition)):
        grouped[row.model_id].append(row)
    return grouped


async def count_of_models(
    session: ReadSession, viewer: Viewer, model_ids: Collection[int], wanted: TerritoryFilter
) -> Mapping[int, int]:
    """How many territories each model has, by model."""
    base = visible(viewer).where(territory.c.model_id.in_(model_ids), *_conditions(wanted))
    counted = base.with_only_columns(territory.c.model_id, func.count().label("n")).group_by(territory.c.model_id)
    return {row.model_id: row.n for row in await session.rows(counted)}


async def children_of(
    session: ReadSession,
    viewer: Viewer,
    parent_ids: Collection[int],
    page: Page,
    selected: Sequence[ColumnElement[Any]] = columns,
) -> Mapping[int, Sequence[Row[Any]]]:
    """A page of each territory's children by name, by parent."""
    base = visible(viewer).with_only_columns(*selected).where(territory.c.parent_id.in_(parent_ids))
    grouped: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in await session.rows(apply_page(base, BY_NAME, page, territory.c.parent_id)):
        grouped[row.parent_id].append(row)
    return grouped


async def namesakes(session: ReadSession, source_id: int, target_id: int) -> Sequence[Row[Any]]:
    """Territories of two models with the same developer name: old_id, new_id, whoever asks."""
    old, new = territory.alias("old"), territory.alias("new")
    return await session.rows(
        select(old.c.id.label("old_id"), new.c.id.label("new_id"))
        .join(new, and_(new.c.model_id == target_id, new.c.developer_name == old.c.developer_name))
        .where(old.c.model_id == source_id)
    )


async def child_counts(session: ReadSession, viewer: Viewer, parent_ids: Collection[int]) -> Mapping[int, int]:
    """How many children each territory has that the viewer may read."""
    base = visible(viewer).where(territory.c.parent_id.in_(parent_ids))
    counted = base.with_only_columns(territory.c.parent_id, func.count().label("n")).group_by(territory.c.parent_id)
    return {row.parent_id: row.n for row in await session.rows(counted)}


async def descendant_counts(session: ReadSession, territory_ids: Collection[int]) -> Mapping[int, int]:
    """How many territories are below each, by territory: a subtree is one range of the path's index."""
    above, below = territory.alias("above"), territory.alias("below")
    end = func.rtrim(above.c.path, "/").concat("0").collate("C")
    joined = and_(below.c.model_id == above.c.model_id, below.c.path > above.c.path, below.c.path < end)
    counted = (
        select(above.c.id, func.count(below.c.id).label("n"))
        .join(below, joined)
        .where(above.c.id.in_(territory_ids))
        .group_by(above.c.id)
    )
    return {row.id: row.n for row in await session.rows(counted)}


async def territories_by_id(session: ReadSession, viewer: Viewer, ids: Collection[int]) -> dict[int, Row[Any]]:
    """The territories with these ids that the viewer may read, by id."""
    return {row.id: row for row in await session.rows(visible(viewer).where(territory.c.id.in_(ids)))}


async def ancestors_of(
    session: ReadSession, viewer: Viewer, wanted: Collection[tuple[int, str]]
) -> Mapping[tuple[int, str], Row[Any]]:
    """Territories by (model, path)."""
    by_model: dict[int, set[str]] = defaultdict(set)
    for model_id, path in wanted:
        by_model[model_id].add(path)
    which = [and_(territory.c.model_id == model, territory.c.path.in_(paths)) for model, paths in by_model.items()]
    if not which:
        return {}
    rows = await session.rows(visible(viewer).where(or_(*which)))
    return {(row.model_id, row.path): row for row in rows}


def _visible_members(viewer: Viewer) -> Select[Any]:
    scope = models.scope
    return (
        select(territory_membership, territory.c.path)
        .join(territory, territory.c.id == territory_membership.c.territory_id)
        .join(scope, scope.c.id == territory.c.model_id)
        .where(viewer.sees(Kind.MEMBERSHIP, state=scope.c.state, model_id=territory.c.model_id, path=territory.c.path))
    )


async def members_of(
    session: ReadSession, viewer: Viewer, territory_ids: Collection[int], page: Page
) -> Mapping[int, Sequence[Row[Any]]]:
    """A page of each territory's members, by territory."""
    base = _visible_members(viewer).where(territory_membership.c.territory_id.in_(territory_ids))
    grouped: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in await session.rows(apply_page(base, MEMBERS, page, territory_membership.c.territory_id)):
        grouped[row.territory_id].append(row)
    return grouped


async def member_counts(session: ReadSession, viewer: Viewer, territory_ids: Collection[int]) -> Mapping[int, int]:
    """How many members each territory has."""
    key = territory_membership.c.territory_id
    base = _visible_members(viewer).where(key.in_(territory_ids))
    counted = base.with_only_columns(key, func.count().label("n")).group_by(key)
    return {row.territory_id: row.n for row in await session.rows(counted)}


async def memberships_by_id(session: ReadSession, viewer: Viewer, ids: Collection[int]) -> dict[int, Row[Any]]:
    """Memberships by id."""
    rows = await session.rows(_visible_members(viewer).where(territory_membership.c.id.in_(ids)))
    return {row.id: row for row in rows}


async def all_nodes(session: ReadSession, model_id: int) -> Sequence[Row[Any]]:
    """A model's whole tree, parents before children, whoever asks: what engines compute with."""
    return await session.rows(
        select(
            territory.c.id,
            territory.c.parent_id,
            territory.c.developer_name,
            territory.c.path,
            territory.c.depth,
            territory.c.type_id,
            territory.c.rule_combination,
            territory.c.inherit_only,
        )
        .where(territory.c.model_id == model_id)
        .order_by(territory.c.path)
    )


nodes = select(
    territory.c.id, territory.c.model_id, territory.c.developer_name, territory.c.path, territory.c.type_id
).subquery("territory_nodes")
"""Every territory's place, for features above to join with."""


async def places_of(session: ReadSession, ids: Collection[int]) -> Sequence[Row[Any]]:
    """Where territories are, whoever asks: id, model_id, path, name."""
    columns = territory.c
    return await session.rows(
        select(columns.id, columns.model_id, columns.path, columns.name).where(columns.id.in_(ids))
    )


async def whole_trees(session: ReadSession, model_ids: Collection[int]) -> Sequence[Row[Any]]:
    """Every column of every territory of models, whoever asks: what structures are made of."""
    return await session.rows(select(territory).where(territory.c.model_id.in_(model_ids)))


async def whole_memberships(session: ReadSession, model_ids: Collection[int]) -> Sequence[Row[Any]]:
    """Every membership of models with the territory's `developer_name`, whoever asks."""
    return await session.rows(
        select(territory_membership, territory.c.developer_name)
        .join(territory, territory.c.id == territory_membership.c.territory_id)
        .where(territory_membership.c.model_id.in_(model_ids))
    )


async def ids_by_name(session: ReadSession, wanted: Collection[tuple[int, str]]) -> Mapping[tuple[int, str], int]:
    """The ids of territories by (model, developer name), whoever asks."""
    if not wanted:
        return {}
    rows = await session.rows(
        select(territory.c.id, territory.c.model_id, territory.c.developer_name).where(
            territory.c.model_id.in_({model_id for model_id, _ in wanted}),
            territory.c.developer_name.in_({name for _, name in wanted}),
        )
    )
    return {(row.model_id, row.developer_name): row.id for row in rows}


async def find_in_model(session: ReadSession, model_id: int, developer_name: str) -> Row[Any] | None:
    """A territory of a model by developer name, whoever asks: id, version, path."""
    return await session.row(
        select(territory.c.id, territory.c.version, territory.c.path).where(
            territory.c.model_id == model_id, territory.c.developer_name == developer_name
        )
    )


async def find_member(session: ReadSession, territory_id: int, user_id: int) -> Row[Any] | None:
    """A user's membership in a territory, whoever asks: id, version."""
    member = territory_membership.c
    return await session.row(
        select(member.id, member.version).where(member.territory_id == territory_id, member.user_id == user_id)
    )


async def namesake(session: ReadSession, territory_id: int, model_id: int) -> int | None:
    """The territory of another model that has the same developer name."""
    own = select(territory.c.developer_name).where(territory.c.id == territory_id).scalar_subquery()
    found = await session.scalar(
        select(territory.c.id).where(territory.c.model_id == model_id, territory.c.developer_name == own)
    )
    return None if found is None else int(found)


async def managers_above(session: ReadSession, model_id: int, path: str) -> Sequence[Row[Any]]:
    """Forecast managers of the territory at a path and of its ancestors: path, depth, forecast_manager_id."""
    columns = territory.c
    return await session.rows(
        select(columns.path, columns.depth, columns.forecast_manager_id).where(
            columns.model_id == model_id,
            columns.path.in_([*ancestor_paths(path), path]),
            columns.forecast_manager_id.is_not(None),
        )
    )


async def staffing(session: ReadSession, model_id: int) -> Sequence[Row[Any]]:
    """How many members each territory of a model has, and its forecast manager: territory_id, members, manager."""
    member, node = territory_membership.c, territory.c
    counted = (
        select(
            node.id.label("territory_id"),
            func.count(member.id).label("members"),
            node.forecast_manager_id.label("manager"),
        )
        .outerjoin(territory_membership, member.territory_id == node.id)
        .where(node.model_id == model_id)
        .group_by(node.id, node.forecast_manager_id)
    )
    return await session.rows(counted)


async def member_ids(session: ReadSession, model_id: int) -> Mapping[int, Sequence[int]]:
    """The users who are members of each territory of a model today, whoever asks."""
    member = territory_membership.c
    today = func.current_date()
    rows = await session.rows(
        select(member.territory_id, member.user_id)
        .where(
            member.model_id == model_id,
            or_(member.effective_from.is_(None), member.effective_from <= today),
            or_(member.effective_until.is_(None), member.effective_until >= today),
        )
        .order_by(member.territory_id, member.user_id)
    )
    found: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        found[row.territory_id].append(row.user_id)
    return found


async def places_of_members(session: ReadSession, ids: Collection[int]) -> Sequence[Row[Any]]:
    """Where memberships are, whoever asks: id, model_id, path."""
    member = territory_membership.c
    return await session.rows(
        select(member.id, member.model_id, territory.c.path)
        .join(territory, territory.c.id == member.territory_id)
        .where(member.id.in_(ids))
    )


async def levels_of(session: ReadSession, ids: Collection[int]) -> Sequence[Row[Any]]:
    """What territories let their members do with records, whoever asks."""
    node = territory.c
    levels = (node.account_access, node.opportunity_access, node.contact_access, node.case_access)
    return await session.rows(select(node.id, node.path, *levels).where(node.id.in_(ids)).order_by(node.path))


async def members_above(session: ReadSession, model_id: int, paths: Collection[str], today: date) -> Sequence[Row[Any]]:
    """The members, on a day, of territories and of all above them, whoever asks: user_id, territory_id, path."""
    member, node = territory_membership.c, territory.c
    above = {above for path in paths for above in (*ancestor_paths(path), path)}
    return await session.rows(
        select(member.user_id, member.territory_id, node.path)
        .join(territory, node.id == member.territory_id)
        .where(
            node.model_id == model_id,
            node.path.in_(above),
            or_(member.effective_from.is_(None), member.effective_from <= today),
            or_(member.effective_until.is_(None), member.effective_until >= today),
        )
        .order_by(member.user_id, node.path)
    )
