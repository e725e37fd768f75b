"""The subscription `draftImpact`: what a draft does, pushed after every edit to everybody who watches."""

import asyncio
from collections.abc import AsyncGenerator, Hashable, Sequence
from contextlib import AsyncExitStack
from time import perf_counter
from typing import Annotated, Self

import strawberry
from strawberry.types import Info

from etm_graph.core.access import Act, Kind
from etm_graph.core.changes import CRM_STREAM
from etm_graph.core.errors import Forbidden, NotFound
from etm_graph.core.lifecycle import GROUP_OF, ModelState
from etm_graph.events.feed import Feed, Follower
from etm_graph.features.comparisons.schema.impact import TerritoryImpact
from etm_graph.features.comparisons.schema.measures import ImpactTotals
from etm_graph.features.comparisons.service import Live, Look, Moment, rights_of
from etm_graph.features.models import queries as models
from etm_graph.features.models.schema.types import TerritoryModel, load_models
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.ids import decode_id
from etm_graph.graphql.scalars import BigInt

PAUSE_S = 0.05
"""Seconds that edits are gathered; as long as the last answer took when that is longer, so that load stays bounded."""


async def _active(items: "Sequence[DraftImpact]", context: Context) -> list[TerritoryModel | None]:
    return await load_models([item.active_key for item in items], context)


@strawberry.type(description="What a draft does to the active model's assignments, as far as you may see it.")
@needs(Act.READ, Kind.ASSIGNMENT)
class DraftImpact:
    """One event of draftImpact."""

    active_key: strawberry.Private[int | None]
    is_snapshot: bool = strawberry.field(
        description="Whether `territories` are all that change; else those whose numbers changed since the event before."
    )
    sequence: BigInt = strawberry.field(description="Number of the draft's change that this reflects, or a later one.")
    crm_sequence: BigInt = strawberry.field(description="Number of the CRM's change that this reflects.")
    totals: ImpactTotals = strawberry.field(description="All of it in numbers; always whole.")
    territories: list[TerritoryImpact] = strawberry.field(
        description="Territories by themselves; one that is gone, or changes nothing any more, comes once with zeros."
    )
    active_model: TerritoryModel | None = batched(
        _active, description="What it is compared with; null when there is none."
    )

    @classmethod
    def of(cls, look: Look, before: Look | None) -> Self:
        """The event that leads from one look to another; from nothing when `before` is None."""
        impact = look.impact
        rows = look.changed if before is None else look.since(before)
        return cls(
            active_key=look.moment.active_id,
            is_snapshot=before is None,
            sequence=BigInt(look.moment.draft_head),
            crm_sequence=BigInt(look.moment.crm_head),
            totals=ImpactTotals.of(look.totals, money=impact.money),
            territories=[TerritoryImpact.of(impact, row) for row in rows],
        )


class _Watch:
    """The streams that a draft's impact depends on: the draft's, the CRM's, and that of whichever model is active."""

    def __init__(self, feed: Feed, draft_id: int) -> None:
        self._feed = feed
        self._draft_id = draft_id
        self._stack = AsyncExitStack()
        self._active_stack = AsyncExitStack()
        self._active: tuple[int, Follower] | None = None
        self._draft: Follower
        self._crm: Follower

    async def __aenter__(self) -> Self:
        self._draft = await self._stack.enter_async_context(self._feed.follow(self._draft_id))
        self._crm = await self._stack.enter_async_context(self._feed.follow(CRM_STREAM))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._active_stack.aclose()
        await self._stack.aclose()

    async def follow_active(self, active_id: int | None) -> None:
        """Follow the stream of the model that is active now."""
        if active_id == (None if self._active is None else self._active[0]):
            return
        await self._active_stack.aclose()
        self._active_stack, self._active = AsyncExitStack(), None
        if active_id is not None:
            self._active = (active_id, await self._active_stack.enter_async_context(self._feed.follow(active_id)))

    async def after(self, moment: Moment, timeout_s: float) -> Moment | None:
        """Where the streams stand when one has moved on, or time is up; None when somebody has to look in the database."""
        waiting = [
            asyncio.ensure_future(self._draft.after(moment.draft_head, timeout_s=timeout_s)),
            asyncio.ensure_future(self._crm.after(moment.crm_head, timeout_s=timeout_s)),
        ]
        if self._active is not None:
            waiting.append(asyncio.ensure_future(self._active[1].after(moment.active_head, timeout_s=timeout_s)))
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        for task in done:
            task.result()
        return self._moment(moment)

    def _moment(self, known: Moment) -> Moment | None:
        found = Moment(
            max(known.draft_head, self._draft.head.head),
            known.active_id,
            known.active_head if self._active is None else max(known.active_head, self._active[1].head.head),
            max(known.crm_head, self._crm.head.head),
        )
        return None if self._active is None and found == known else found


def _require(context: Context, draft_id: int, look: Look) -> None:
    own = look.created_by is not None and look.created_by == context.principal.user_id
    if not context.viewer.may(Act.READ, Kind.MODEL, state=GROUP_OF[look.state], model_id=draft_id, own=own):
        raise Forbidden("You may no longer read this model.")


async def _check_start(context: Context, draft_id: int) -> None:
    rows = await models.models_by_id(await context.session(), context.viewer, {draft_id})
    await context.release()
    if draft_id not in rows:
        raise NotFound("There is no such model.", field=["modelId"])


async def _renewed(context: Context, rights: Hashable) -> bool:
    """Take note of who is calling as of now; True when the rights are others. Raises `Unauthenticated`."""
    await context.release()
    context.principal = await context.services.refresh(context.principal)
    return rights_of(context.viewer) != rights


async def follow_impact(context: Context, draft_id: int) -> AsyncGenerator[DraftImpact, None]:
    """A snapshot, then what is new after every edit, until the draft is a draft no more. Holds no session while it waits."""
    await _check_start(context, draft_id)
    services = context.services
    live, wait_s = services.get(Live), services.settings.checkpoint_interval_s
    before: Look | None = None
    moment: Moment | None = None
    async with _Watch(services.feed, draft_id) as watch:
        while True:
            rights, began = rights_of(context.viewer), perf_counter()
            look = await live.look(services.database, context.viewer, draft_id, moment, context.now.date())
            took = perf_counter() - began
            _require(context, draft_id, look)
            if look.state is not ModelState.PLANNING:
                return
            if before is None or before.essence != look.essence:
                yield DraftImpact.of(look, before)
                before = look
            await watch.follow_active(look.moment.active_id)
            moment = look.moment
            if not await _renewed(context, rights):  # they may have changed while the event was told
                moment = await watch.after(look.moment, wait_s)
                await asyncio.sleep(max(PAUSE_S, took))
            if await _renewed(context, rights):
                before = None


@strawberry.type
class ComparisonSubscription:
    """Root fields that follow comparisons."""

    @strawberry.subscription(
        description="What a draft does to the active model: a snapshot, then new totals and territories after each edit."
    )
    @needs(Act.READ, Kind.ASSIGNMENT)
    async def draft_impact(
        self,
        info: Info[Context, None],
        model_id: Annotated[strawberry.ID, strawberry.argument(description="The draft.")],
    ) -> AsyncGenerator[DraftImpact, None]:
        """Follow a draft's impact."""
        async for event in follow_impact(info.context, decode_id(model_id, "TerritoryModel", field="modelId")):
            yield event
