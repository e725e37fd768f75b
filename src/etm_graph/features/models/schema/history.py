"""A model's history: its changes, page by page, with filters."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry
from sqlalchemy import Row

from etm_graph.core.access import Act, Kind
from etm_graph.core.changes import ChangeKind, EntityType
from etm_graph.core.errors import NotFound
from etm_graph.events.cursors import encode_cursor
from etm_graph.features.models import queries
from etm_graph.features.models.schema.feed import TYPE_NAMES, ChangeEvent, change_event
from etm_graph.features.models.schema.types import TerritoryModel
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.extending import extend
from etm_graph.graphql.ids import decode_optional_id, split_id
from etm_graph.graphql.pages import After, Before, Connection, First, Last, connect, make_page


@strawberry.input(description="Which changes; all conditions must hold.")
class ChangeFilter:
    """Conditions on changes."""

    entity_types: list[EntityType] | None = strawberry.field(default=None, description="Only of these kinds of things.")
    entity_id: strawberry.ID | None = strawberry.field(default=None, description="Only of the thing with this id.")
    kinds: list[ChangeKind] | None = strawberry.field(default=None, description="Only where this happened.")
    actor_id: strawberry.ID | None = strawberry.field(default=None, description="Only those that this user made.")
    change_set: strawberry.ID | None = strawberry.field(default=None, description="Only those of this change set.")
    since: datetime | None = strawberry.field(default=None, description="Only those made at this time or later.")
    until: datetime | None = strawberry.field(default=None, description="Only those made before this time.")


def parse_change_set(value: str, *, field: str = "changeSet") -> UUID:
    """The id of a change set; raises `NotFound` for what is none."""
    try:
        return UUID(value)
    except ValueError as error:
        raise NotFound(f"There is no change set {value!r}.", field=[field]) from error


def _wanted(given: ChangeFilter | None) -> queries.ChangeFilter:
    if given is None:
        return queries.ChangeFilter()
    entities = None if given.entity_types is None else {EntityType(entity) for entity in given.entity_types}
    number = None
    if given.entity_id is not None:
        type_name, number = split_id(given.entity_id)
        named = {entity for entity, name in TYPE_NAMES.items() if name == type_name}
        entities = named if entities is None else entities & named
    return queries.ChangeFilter(
        entities=None if entities is None else tuple(sorted(entity.value for entity in entities)),
        entity_id=number,
        kinds=None if given.kinds is None else tuple(ChangeKind(kind).value for kind in given.kinds),
        actor_id=decode_optional_id(given.actor_id, "User", field="actorId"),
        change_set=None if given.change_set is None else parse_change_set(given.change_set),
        since=given.since,
        until=given.until,
    )


async def _count(keys: Sequence[int], context: Context, wanted: queries.ChangeFilter) -> list[int]:
    found = await queries.count_changes(await context.session(), context.viewer, set(keys), wanted)
    return [found.get(key, 0) for key in keys]


@needs(Act.READ, Kind.MODEL)
async def _changes(
    models: Sequence[TerritoryModel],
    context: Context,
    filter: Annotated[ChangeFilter | None, strawberry.argument(description="Which changes.")] = None,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> list[Connection[ChangeEvent]]:
    page = make_page(context, first, after, last, before)
    wanted = _wanted(filter)
    keys = [model.key for model in models]
    found = await queries.changes_of_models(await context.session(), context.viewer, keys, wanted, page)

    def event(model: TerritoryModel, row: Row[Any]) -> ChangeEvent:
        change = queries.read_change(row)
        return change_event(change, encode_cursor(model.epoch, model.key, change.seq))

    return [
        connect(
            found.get(model.key, ()),
            queries.CHANGES,
            page,
            lambda row, model=model: event(model, row),  # type: ignore[misc]  # binds the model of this round
            (_count, model.key, {"wanted": wanted}),
        )
        for model in models
    ]


extend(
    TerritoryModel,
    "changes",
    Connection[ChangeEvent],
    batched(_changes, description="Its history as far as you may see it, latest first; comments' events included."),
)
