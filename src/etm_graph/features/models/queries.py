"""Reading territory models, territory types and the heads of models."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, Select, func, select

from etm_graph.access.viewer import Viewer
from etm_graph.core.access import Kind
from etm_graph.core.lifecycle import ModelState
from etm_graph.db.paging import Order, Page, apply_page
from etm_graph.db.sessions import ReadSession
from etm_graph.events.tables import stream
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


async def type_names(session: ReadSession) -> dict[int, str]:
    """The developer names of all territory types, by id."""
    return {row.id: row.developer_name for row in await session.rows(select(territory_type))}
