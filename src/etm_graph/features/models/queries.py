"""Reading territory models, territory types and the heads of models."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, func, literal, or_, select

from etm_graph.access.viewer import Viewer
from etm_graph.core.access import ORGANISATION_PATH, Kind
from etm_graph.core.changes import Change, EntityType
from etm_graph.core.lifecycle import ModelState
from etm_graph.db.paging import Order, Page, apply_page
from etm_graph.db.sessions import ReadSession
from etm_graph.events.log import change_of
from etm_graph.events.tables import change, stream
from etm_graph.features.models.tables import model_type_priority, territory_model, territory_type

scope = select(territory_model.c.id, territory_model.c.state).subquery("model_scope")
"""Every model's id and state, for features above to join with when they filter by access."""

NEWEST = Order("models", (territory_model.c.created_at, territory_model.c.id), descending=True)
BY_PRIORITY = Order("types", (territory_type.c.priority,), descending=True)


def _visible_models(viewer: Viewer) -> Select[Any]:
    model = territory_model.c
    return (
        select(territory_model, stream.c.head, stream.c.structure_head, stream.c.epoch)
        .join(stream, stream.c.id == model.id)
        .where(viewer.sees(Kind.MODEL, state=model.state, model_id=model.id, owner=model.created_by))
    )


async def models_by_id(session: ReadSession, viewer: Viewer, ids: Collection[int]) -> dict[int, Row[Any]]:
    """The models with these ids that the viewer may read, by id."""
    rows = await session.rows(_visible_models(viewer).where(territory_model.c.id.in_(ids)))
    return {row.id: row for row in rows}


def _filtered(statement: Select[Any], states: Sequence[ModelState] | None) -> Select[Any]:
    return statement if states is None else statement.where(territory_model.c.state.in_([s.value for s in states]))


async def list_models(
    session: ReadSession, viewer: Viewer, states: Sequence[ModelState] | None, page: Page
) -> Sequence[Row[Any]]:
    """A page of the readable models, newest first."""
    return await session.rows(apply_page(_filtered(_visible_models(viewer), states), NEWEST, page))


async def count_models(session: ReadSession, viewer: Viewer, states: Sequence[ModelState] | None) -> int:
    """How many models are readable."""
    statement = _filtered(_visible_models(viewer), states).with_only_columns(func.count())
    return int(await session.scalar(statement))


async def find_model(session: ReadSession, viewer: Viewer, developer_name: str) -> Row[Any] | None:
    """The readable model of that developer name."""
    return await session.row(_visible_models(viewer).where(territory_model.c.developer_name == developer_name))


async def active_model(session: ReadSession, viewer: Viewer) -> Row[Any] | None:
    """The active model, when there is one and the viewer may read it."""
    return await session.row(_visible_models(viewer).where(territory_model.c.state == ModelState.ACTIVE.value))


async def active_model_id(session: ReadSession) -> int | None:
    """The id of the active model, whoever asks."""
    found = await session.scalar(select(territory_model.c.id).where(territory_model.c.state == ModelState.ACTIVE.value))
    return None if found is None else int(found)


async def model_state(session: ReadSession, model_id: int) -> ModelState | None:
    """A model's state, whoever asks; None when it is gone."""
    found = await session.scalar(select(territory_model.c.state).where(territory_model.c.id == model_id))
    return None if found is None else ModelState(found)


async def base_of(session: ReadSession, model_id: int) -> tuple[int | None, int | None]:
    """What a model was cloned from, and the structure's number there then; whoever asks."""
    columns = territory_model.c
    row = await session.row(select(columns.cloned_from_id, columns.base_structure_head).where(columns.id == model_id))
    return (None, None) if row is None else (row.cloned_from_id, row.base_structure_head)


async def count_clones(session: ReadSession, model_id: int) -> int:
    """How many models were cloned from a model, whoever asks."""
    statement = select(func.count()).select_from(territory_model).where(territory_model.c.cloned_from_id == model_id)
    return int(await session.scalar(statement))


async def states_of(session: ReadSession, ids: Collection[int]) -> dict[int, Row[Any]]:
    """The state and creator of models, by id, whoever asks."""
    columns = territory_model.c
    rows = await session.rows(select(columns.id, columns.state, columns.created_by).where(columns.id.in_(ids)))
    return {row.id: row for row in rows}


async def types_by_id(session: ReadSession, ids: Collection[int]) -> dict[int, Row[Any]]:
    """Territory types by id; everybody signed in may read them."""
    return {row.id: row for row in await session.rows(select(territory_type).where(territory_type.c.id.in_(ids)))}


async def list_types(session: ReadSession, page: Page) -> Sequence[Row[Any]]:
    """A page of the territory types, highest priority first."""
    return await session.rows(apply_page(select(territory_type), BY_PRIORITY, page))


async def count_types(session: ReadSession) -> int:
    """How many territory types there are."""
    return int(await session.scalar(select(func.count()).select_from(territory_type)))


async def type_priorities(session: ReadSession, model_ids: Collection[int]) -> Sequence[Row[Any]]:
    """Each model's own priorities: (model_id, type_id, priority, version), highest first."""
    columns = model_type_priority.c
    return await session.rows(
        select(model_type_priority)
        .where(columns.model_id.in_(model_ids))
        .order_by(columns.model_id, columns.priority.desc(), columns.type_id)
    )


async def describe_model(session: ReadSession, model_id: int) -> Row[Any] | None:
    """A model's developer name, name and description, whoever asks."""
    columns = territory_model.c
    statement = select(columns.developer_name, columns.name, columns.description).where(columns.id == model_id)
    return await session.row(statement)


KINDS = {
    EntityType.MODEL: Kind.MODEL,
    EntityType.TYPE_PRIORITY: Kind.MODEL,
    EntityType.TERRITORY: Kind.TERRITORY,
    EntityType.RULE: Kind.RULE,
    EntityType.RULE_LINK: Kind.RULE,
    EntityType.MEMBERSHIP: Kind.MEMBERSHIP,
    EntityType.ASSIGNMENT: Kind.ASSIGNMENT,
    EntityType.EXCLUSION: Kind.ASSIGNMENT,
    EntityType.THREAD: Kind.THREAD,
    EntityType.COMMENT: Kind.THREAD,
    EntityType.REACTION: Kind.THREAD,
    EntityType.REVIEW: Kind.REVIEW,
    EntityType.CHALLENGE: Kind.REVIEW,
}
"""What a reader must be allowed to read to be told of a change."""

CHANGES = Order("changes", (change.c.seq,), descending=True)


@dataclass(frozen=True, slots=True)
class ChangeFilter:
    """Which changes of a model; all conditions that are given must hold. entity_id: with one entity of `entities`."""

    entities: tuple[str, ...] | None = None
    entity_id: int | None = None
    kinds: tuple[str, ...] | None = None
    actor_id: int | None = None
    change_set: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


def _readable_changes(viewer: Viewer) -> ColumnElement[bool]:
    """Changes of what the viewer may read, where it is or where it came from."""
    model = territory_model.c
    alternatives: list[ColumnElement[bool]] = [change.c.entity_type == EntityType.MODEL.value]
    places = (func.coalesce(change.c.path, ORGANISATION_PATH), change.c.before["path"].astext)
    for kind in dict.fromkeys(KINDS.values()):
        entities = [entity.value for entity, own in KINDS.items() if own is kind]
        seen = [
            viewer.sees(kind, state=model.state, model_id=change.c.stream_id, path=path, owner=model.created_by)
            for path in places
        ]
        alternatives.append(and_(change.c.entity_type.in_(entities), or_(*seen)))
    return or_(*alternatives)


def _wanted_changes(viewer: Viewer, model_ids: Collection[int], wanted: ChangeFilter) -> Select[Any]:
    columns = change.c
    conditions: list[tuple[object, ColumnElement[bool]]] = [
        (wanted.entities, columns.entity_type.in_(wanted.entities or ())),
        (wanted.entity_id, columns.entity_id == wanted.entity_id),
        (wanted.kinds, columns.kind.in_(wanted.kinds or ())),
        (wanted.actor_id, columns.actor_id == wanted.actor_id),
        (wanted.change_set, columns.change_set == wanted.change_set),
        (wanted.since, columns.at >= literal(wanted.since, columns.at.type)),
        (wanted.until, columns.at < literal(wanted.until, columns.at.type)),
    ]
    given = [condition for value, condition in conditions if value is not None]
    return (
        select(change)
        .join(territory_model, territory_model.c.id == columns.stream_id)
        .where(columns.stream_id.in_(model_ids), _readable_changes(viewer), *given)
    )


async def changes_of_models(
    session: ReadSession, viewer: Viewer, model_ids: Collection[int], wanted: ChangeFilter, page: Page
) -> Mapping[int, Sequence[Row[Any]]]:
    """A page of each model's changes that the viewer may be told of, latest first, by model."""
    partition = change.c.stream_id if len(model_ids) > 1 else None
    grouped: dict[int, list[Row[Any]]] = defaultdict(list)
    statement = apply_page(_wanted_changes(viewer, model_ids, wanted), CHANGES, page, partition)
    for row in await session.rows(statement):
        grouped[row.stream_id].append(row)
    return grouped


async def count_changes(
    session: ReadSession, viewer: Viewer, model_ids: Collection[int], wanted: ChangeFilter
) -> Mapping[int, int]:
    """How many changes of each model the viewer may be told of, by model."""
    key = change.c.stream_id
    base = _wanted_changes(viewer, model_ids, wanted)
    counted = base.with_only_columns(key, func.count().label("n")).group_by(key)
    return {row.stream_id: row.n for row in await session.rows(counted)}


def read_change(row: Row[Any]) -> Change:
    """The change of a row of `changes_of_models`."""
    return change_of(row)


async def type_names(session: ReadSession) -> dict[int, str]:
    """The developer names of all territory types, by id."""
    return {row.id: row.developer_name for row in await session.rows(select(territory_type))}


async def model_for_system(session: ReadSession, model_id: int) -> Row[Any] | None:
    """A model's id, names, state and creator, whoever asks."""
    columns = territory_model.c
    statement = select(columns.id, columns.name, columns.developer_name, columns.state, columns.created_by)
    return await session.row(statement.where(columns.id == model_id))


async def base_of_model(session: ReadSession, model_id: int) -> tuple[int | None, int]:
    """The model that a draft was cloned from or last rebased on, and where that one's structure stood then."""
    columns = territory_model.c
    row = await session.row(select(columns.cloned_from_id, columns.base_structure_head).where(columns.id == model_id))
    return (None, 0) if row is None else (row.cloned_from_id, int(row.base_structure_head or 0))


async def archived_at(session: ReadSession, moment: datetime) -> int | None:
    """The model that went out of force at exactly this moment, whoever asks."""
    columns = territory_model.c
    found = await session.scalar(
        select(columns.id).where(columns.state == ModelState.ARCHIVED.value, columns.archived_at == moment)
    )
    return None if found is None else int(found)


async def standings(session: ReadSession, ids: Collection[int]) -> Sequence[Row[Any]]:
    """What access to models is decided by, whoever asks: id, state, created_by."""
    columns = territory_model.c
    return await session.rows(select(columns.id, columns.state, columns.created_by).where(columns.id.in_(ids)))
