"""Queries, mutations and the subscription of threads, and what threads add to models and to changes."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Annotated

import strawberry
from strawberry.types import Info

from etm_graph.access.viewer import Viewer
from etm_graph.core.access import Act, Kind
from etm_graph.core.anchors import hangs_on
from etm_graph.core.changes import Change
from etm_graph.core.errors import BusinessError, NotFound
from etm_graph.db.sessions import WriteSession
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.models.schema.feed import ChangeEvent, StreamItem, follow_model, is_discussion, load_change
from etm_graph.features.models.schema.roots import StreamAfter
from etm_graph.features.models.schema.types import TerritoryModel
from etm_graph.features.threads import queries, service
from etm_graph.features.threads.schema.inputs import (
    CommentAddInput,
    CommentDeleteInput,
    CommentEditInput,
    CommentReactInput,
    ThreadAnchorInput,
    ThreadCreateInput,
    ThreadFilter,
    ThreadFollowInput,
    ThreadInput,
    ThreadMarkReadInput,
    anchor_of,
    wanted_threads,
)
from etm_graph.features.threads.schema.types import Comment, Thread, load_comments, load_threads
from etm_graph.features.threads.service import AnchorRegistry
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.extending import extend
from etm_graph.graphql.ids import decode_id, decode_optional_id, split_id
from etm_graph.graphql.mutations import Outcome, UserError, mutate, user_error
from etm_graph.graphql.pages import After, Before, Connection, First, Last, connect, make_page

ContextInfo = Info[Context, None]


async def _count_threads(keys: Sequence[int], context: Context, wanted: queries.ThreadFilter) -> list[int]:
    found = await queries.count_of_models(await context.session(), context.viewer, set(keys), wanted)
    return [found.get(key, 0) for key in keys]


async def _threads(
    models: Sequence[TerritoryModel],
    context: Context,
    filter: Annotated[ThreadFilter | None, strawberry.argument(description="Which threads.")] = None,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> list[Connection[Thread]]:
    page = make_page(context, first, after, last, before)
    wanted = wanted_threads(filter, context.principal.user_id)
    keys = [model.key for model in models]
    found = await queries.threads_of_models(await context.session(), context.viewer, keys, wanted, page)
    return [
        connect(found.get(key, ()), queries.NEWEST, page, Thread.of, (_count_threads, key, {"wanted": wanted}))
        for key in keys
    ]


def _numbers(events: Sequence[ChangeEvent], type_name: str) -> list[int | None]:
    split = [split_id(event.entity_id) for event in events]
    return [number if name == type_name else None for name, number in split]


async def _event_threads(events: Sequence[ChangeEvent], context: Context) -> list[Thread | None]:
    return await load_threads(_numbers(events, "Thread"), context)


async def _event_comments(events: Sequence[ChangeEvent], context: Context) -> list[Comment | None]:
    return await load_comments(_numbers(events, "Comment"), context)


extend(
    TerritoryModel,
    "threads",
    Connection[Thread],
    batched(_threads, description="The threads on the model and on what is in it, newest first."),
)


@needs(Act.READ, Kind.THREAD)
async def _unread(models: Sequence[TerritoryModel], context: Context) -> list[int]:
    found = await queries.unread_counts_of_models(
        await context.session(), context.viewer, {model.key for model in models}
    )
    return [found.get(model.key, 0) for model in models]


extend(
    TerritoryModel,
    "unread_comment_count",
    int,
    batched(_unread, description="How many comments of others in its threads you have not read."),
)
extend(
    ChangeEvent,
    "thread",
    Thread | None,
    batched(_event_threads, description="The thread that a change of a thread is about, as it is now."),
)
extend(
    ChangeEvent,
    "comment",
    Comment | None,
    batched(_event_comments, description="The comment that a change of a comment is about, as it is now."),
)


@strawberry.type
class ThreadQuery:
    """Root fields that read threads."""

    @strawberry.field(description="One thread; null when there is none that you may read.")
    @needs(Act.READ, Kind.THREAD)
    async def thread(
        self,
        info: ContextInfo,
        id: Annotated[strawberry.ID, strawberry.argument(description="Its global id.")],
    ) -> Thread | None:
        """One thread."""
        return (await load_threads([decode_id(id, "Thread")], info.context))[0]

    @strawberry.field(description="The threads of all models that you may read, newest first; also the search.")
    @needs(Act.READ, Kind.THREAD)
    async def threads(
        self,
        info: ContextInfo,
        filter: Annotated[ThreadFilter | None, strawberry.argument(description="Which threads.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Thread]:
        """A page of threads."""
        context = info.context
        page = make_page(context, first, after, last, before)
        wanted = wanted_threads(filter, context.principal.user_id)
        rows = await queries.list_threads(await context.session(), context.viewer, wanted, page)
        return connect(rows, queries.NEWEST, page, Thread.of, (_count_found, wanted, {}))


async def _count_found(wanted: Sequence[queries.ThreadFilter], context: Context) -> list[int]:
    session = await context.session()
    return [await queries.count_threads(session, context.viewer, one) for one in wanted]


@strawberry.type(description="What a mutation of a thread did.")
class ThreadPayload:
    """Entity and change, or errors."""

    thread: Thread | None = strawberry.field(description="The thread as it is now.")
    change: ChangeEvent | None = strawberry.field(
        description="The last change that was made; null when nothing changed."
    )
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.type(description="What a mutation of a comment did.")
class CommentPayload:
    """Entity and change, or errors."""

    comment: Comment | None = strawberry.field(description="The comment as it is now, also after a CONFLICT.")
    change: ChangeEvent | None = strawberry.field(description="The change that was made; null when nothing changed.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


async def _thread_payload(context: Context, outcome: Outcome) -> ThreadPayload:
    found = (await load_threads([outcome.result], context))[0]
    change = await load_change(context, outcome.changes)
    return ThreadPayload(thread=found, change=change, user_errors=outcome.errors)


async def _comment_payload(context: Context, outcome: Outcome, comment_id: str | None = None) -> CommentPayload:
    key = outcome.result if comment_id is None else decode_id(comment_id, "Comment")
    found = (await load_comments([key], context))[0]
    change = await load_change(context, outcome.changes)
    return CommentPayload(comment=found, change=change, user_errors=outcome.errors)


OwnAct = Callable[[WriteSession, Viewer, int], Awaitable[None]]
"""What somebody does for oneself only: no change of the model, nobody else is told."""


async def _own(context: Context, thread_id: str, act: OwnAct) -> ThreadPayload:
    try:
        key = decode_id(thread_id, "Thread")
        async with context.services.database.write() as session:
            await act(session, context.viewer, key)
    except BusinessError as error:
        return ThreadPayload(thread=None, change=None, user_errors=[user_error(error)])
    await context.release()
    return ThreadPayload(thread=(await load_threads([key], context))[0], change=None, user_errors=[])


@strawberry.type
class ThreadMutation:
    """Root fields that change threads and comments."""

    @strawberry.mutation(description="Begin a thread on a model, a territory, a rule or a change.")
    @needs(Act.CREATE, Kind.THREAD)
    async def thread_create(self, info: ContextInfo, input: ThreadCreateInput) -> ThreadPayload:
        """Begin a thread."""
        anchors = info.context.services.get(AnchorRegistry)

        async def create(work: UnitOfWork) -> int:
            anchor, model_id = anchor_of(input.anchor)
            return await service.create_thread(work, anchors, anchor, input.subject, input.body, model_id=model_id)

        return await _thread_payload(info.context, await mutate(info.context, input, create))

    @strawberry.mutation(description="Settle a thread's question; it can still be answered.")
    @needs(Act.RESOLVE, Kind.THREAD)
    async def thread_resolve(self, info: ContextInfo, input: ThreadInput) -> ThreadPayload:
        """Resolve a thread."""
        outcome = await mutate(
            info.context, input, lambda work: service.resolve_thread(work, decode_id(input.id, "Thread"))
        )
        return await _thread_payload(info.context, outcome)

    @strawberry.mutation(description="Open a resolved thread again.")
    @needs(Act.RESOLVE, Kind.THREAD)
    async def thread_reopen(self, info: ContextInfo, input: ThreadInput) -> ThreadPayload:
        """Reopen a thread."""
        outcome = await mutate(
            info.context, input, lambda work: service.reopen_thread(work, decode_id(input.id, "Thread"))
        )
        return await _thread_payload(info.context, outcome)

    @strawberry.mutation(description="Answer in a thread.")
    @needs(Act.COMMENT, Kind.THREAD)
    async def comment_add(self, info: ContextInfo, input: CommentAddInput) -> CommentPayload:
        """Add a comment."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.add_comment(work, decode_id(input.thread_id, "Thread", field="threadId"), input.body),
        )
        return await _comment_payload(info.context, outcome)

    @strawberry.mutation(description="Say something else in your own comment; what it said is kept as a revision.")
    @needs(Act.UPDATE, Kind.THREAD)
    async def comment_edit(self, info: ContextInfo, input: CommentEditInput) -> CommentPayload:
        """Edit a comment."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.edit_comment(work, decode_id(input.id, "Comment"), input.body, input.expected_version),
        )
        return await _comment_payload(info.context, outcome, input.id)

    @strawberry.mutation(description="Delete a comment: its place stays, its words and former words do not.")
    @needs(Act.DELETE, Kind.THREAD)
    async def comment_delete(self, info: ContextInfo, input: CommentDeleteInput) -> CommentPayload:
        """Delete a comment."""
        outcome = await mutate(
            info.context, input, lambda work: service.delete_comment(work, decode_id(input.id, "Comment"))
        )
        return await _comment_payload(info.context, outcome)

    @strawberry.mutation(description="Put a sign on a comment.")
    @needs(Act.COMMENT, Kind.THREAD)
    async def comment_react(self, info: ContextInfo, input: CommentReactInput) -> CommentPayload:
        """React."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.react(work, decode_id(input.id, "Comment"), input.emoji, on=True),
        )
        return await _comment_payload(info.context, outcome, input.id)

    @strawberry.mutation(description="Take your own sign off a comment.")
    @needs(Act.COMMENT, Kind.THREAD)
    async def comment_unreact(self, info: ContextInfo, input: CommentReactInput) -> CommentPayload:
        """Take a reaction back."""
        outcome = await mutate(
            info.context,
            input,
            lambda work: service.react(work, decode_id(input.id, "Comment"), input.emoji, on=False),
        )
        return await _comment_payload(info.context, outcome, input.id)

    @strawberry.mutation(description="Be told of what is said in a thread.")
    @needs(Act.READ, Kind.THREAD)
    async def thread_follow(self, info: ContextInfo, input: ThreadFollowInput) -> ThreadPayload:
        """Follow."""
        return await _own(
            info.context,
            input.id,
            lambda session, viewer, key: service.follow_thread(session, viewer, key, following=True),
        )

    @strawberry.mutation(description="Be told no more of a thread, unless you are mentioned.")
    @needs(Act.READ, Kind.THREAD)
    async def thread_unfollow(self, info: ContextInfo, input: ThreadFollowInput) -> ThreadPayload:
        """Do not follow."""
        return await _own(
            info.context,
            input.id,
            lambda session, viewer, key: service.follow_thread(session, viewer, key, following=False),
        )

    @strawberry.mutation(description="Note how far you have read a thread.")
    @needs(Act.READ, Kind.THREAD)
    async def thread_mark_read(self, info: ContextInfo, input: ThreadMarkReadInput) -> ThreadPayload:
        """Mark as read."""
        return await _own(
            info.context,
            input.id,
            lambda session, viewer, key: service.mark_read(
                session, viewer, key, decode_optional_id(input.up_to, "Comment", field="upTo")
            ),
        )


@strawberry.type
class ThreadSubscription:
    """Root fields that follow threads."""

    @strawberry.subscription(description="Every event of a model's threads, live; resumable like draftChanges.")
    @needs(Act.READ, Kind.MODEL)
    async def thread_events(
        self,
        info: ContextInfo,
        model_id: Annotated[strawberry.ID, strawberry.argument(description="The model to follow.")],
        after: StreamAfter = None,
        anchor: Annotated[
            ThreadAnchorInput | None, strawberry.argument(description="Only threads that hang on this.")
        ] = None,
    ) -> AsyncGenerator[StreamItem, None]:
        """Follow the threads of a model."""
        number = decode_id(model_id, "TerritoryModel", field="modelId")
        on, change_model = (None, None) if anchor is None else anchor_of(anchor)
        if change_model not in {None, number}:
            raise NotFound("The change is one of another model.", field=["anchor"])

        def wanted(change: Change) -> bool:
            return is_discussion(change) and (on is None or hangs_on(change.draft.key, on))

        async for item in follow_model(info.context, number, after, wanted, until_active=False):
            yield item
