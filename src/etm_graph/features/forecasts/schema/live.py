"""Live forecasts: a snapshot first, then the cells that changed, with those above them."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import Annotated, TypeVar

import strawberry
from strawberry.types import Info

from etm_graph.core.access import ORGANISATION_PATH, Act, Kind
from etm_graph.core.changes import CRM_STREAM
from etm_graph.core.errors import Forbidden, NotFound
from etm_graph.events.feed import Follower
from etm_graph.features.forecasts.queries.people import DEFAULT_KIND
from etm_graph.features.forecasts.schema.calendar import PeriodKey
from etm_graph.features.forecasts.schema.types import ForecastCell, cells_of, may, view_of
from etm_graph.features.forecasts.service import View
from etm_graph.features.forecasts.service.grid import CATEGORIES
from etm_graph.features.models.schema.types import TerritoryModel, load_models
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.ids import decode_id, decode_optional_id
from etm_graph.graphql.scalars import BigInt


@strawberry.type(description="Cells of a forecast: all of them at first, then those that changed.")
@needs(Act.READ, Kind.FORECAST)
class ForecastChange:
    """An item of forecastChanges."""

    snapshot: bool = strawberry.field(description="Whether these are all cells, from which to begin again.")
    cells: list[ForecastCell] = strawberry.field(description="The cells as they are now, in tree order.")
    model_sequence: BigInt = strawberry.field(description="Number of the model's change that they reflect.")
    crm_sequence: BigInt = strawberry.field(description="Number of the CRM's change that they reflect.")


Key = TypeVar("Key")


def changed_places(before: View, after: View, first: int, last: int) -> list[int]:
    """The places from `first` to before `last` whose cell is not what it was; all of them when the tree is another."""
    if before.grid.tree.ids != after.grid.tree.ids:
        return list(range(min(first, len(after.grid.tree.ids)), min(last, len(after.grid.tree.ids))))
    found: set[int] = set()
    for category in CATEGORIES:
        old, new = before.grid.block(0, category), after.grid.block(0, category)
        if old is new:
            continue
        for was, now in zip((*old.own, *old.total), (*new.own, *new.total), strict=True):
            if was is not now and was != now:
                found |= {place for place in range(first, last) if was[place] != now[place]}
    for was_moved, now_moved in ((before.without, after.without), (before.whole, after.whole)):
        found |= {place for _, _, place in _different(was_moved, now_moved)}
    old_quotas, new_quotas = before.quotas[0], after.quotas[0]
    found |= _different(old_quotas.territory, new_quotas.territory)
    found |= _different(old_quotas.people, new_quotas.people)
    found |= _different(old_quotas.below, new_quotas.below)
    return sorted(place for place in found if first <= place < last)


def _different(before: Mapping[Key, object], after: Mapping[Key, object]) -> set[Key]:
    return {key for key in {*before, *after} if before.get(key) != after.get(key)}


async def _wait(followers: Mapping[int, Follower], seen: dict[int, int], timeout_s: float) -> None:
    """Until one of the streams moved, or the time is over; then `seen` is where they stand."""
    tasks = [asyncio.ensure_future(f.after(seen[n], timeout_s=timeout_s)) for n, f in followers.items()]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
    for number, follower in followers.items():
        seen[number] = follower.head.head


async def _model(context: Context, model_id: int) -> TerritoryModel:
    found = (await load_models([model_id], context))[0]
    if found is None:
        raise NotFound("There is no such model.", field=["modelId"])
    return found


async def _look(
    context: Context, model_id: int, root_id: int | None, period: str, before: View | None
) -> tuple[View, list[ForecastCell]]:
    """The forecast now, and the cells to tell. Raises `Forbidden` when the root may not be read any more."""
    model = await _model(context, model_id)
    view = await view_of(context, model, [period], None, DEFAULT_KIND)
    tree = view.grid.tree
    first, last = 0, len(tree.ids)
    if root_id is None and not any(may(context, Act.READ, model, path) for path in tree.paths or [ORGANISATION_PATH]):
        raise Forbidden("You may not read this forecast.")
    if root_id is not None:
        if root_id not in tree.place_of:
            raise NotFound("There is no such territory in this model.", field=["territoryId"])
        first = tree.place_of[root_id]
        last = tree.ends[first]
        if not may(context, Act.READ, model, tree.paths[first]):
            raise Forbidden("You may not read this forecast.")
    places = list(range(first, last)) if before is None else changed_places(before, view, first, last)
    return view, cells_of(context, model, view, places)


def _item(view: View, cells: list[ForecastCell], *, snapshot: bool) -> ForecastChange:
    position = view.book.position
    return ForecastChange(
        snapshot=snapshot,
        cells=cells,
        model_sequence=BigInt(position.head),
        crm_sequence=BigInt(position.crm_seq),
    )


@strawberry.type
class ForecastSubscription:
    """Root fields that watch forecasts."""

    @strawberry.subscription(
        description="A forecast's cells, then those that change with an opportunity, an adjustment, a quota or an "
        "assignment, with those above them. Simply begin again after a lost connection."
    )
    @needs(Act.READ, Kind.FORECAST)
    async def forecast_changes(
        self,
        info: Info[Context, None],
        model_id: Annotated[strawberry.ID, strawberry.argument(description="The model.")],
        period: PeriodKey,
        territory_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only this territory and what is below it.")
        ] = None,
    ) -> AsyncGenerator[ForecastChange, None]:
        """Follow a forecast. Holds no session while it waits."""
        context = info.context
        model, root = decode_id(model_id, "TerritoryModel", field="modelId"), None
        root = decode_optional_id(territory_id, "Territory", field="territoryId")
        await _model(context, model)
        feed = context.services.feed
        async with feed.follow(model) as of_model, feed.follow(CRM_STREAM) as of_crm:
            followers = {model: of_model, CRM_STREAM: of_crm}
            seen = {number: follower.head.head for number, follower in followers.items()}
            view, cells = await _look(context, model, root, period, None)
            yield _item(view, cells, snapshot=True)
            await context.release()
            while True:
                await _wait(followers, seen, context.services.settings.checkpoint_interval_s)
                context.principal = await context.services.refresh(context.principal)
                view, cells = await _look(context, model, root, period, view)
                if cells:
                    yield _item(view, cells, snapshot=False)
                await context.release()
