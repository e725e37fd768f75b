"""GraphQL types of threads and comments."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

import strawberry
from sqlalchemy import Row

from etm_graph.core.access import Act, Kind
from etm_graph.core.anchors import Anchor, AnchorKind
from etm_graph.core.markup import render_html
from etm_graph.events.log import read_changes_by_number
from etm_graph.features.crm.schema.types import User, load_users
from etm_graph.features.models.schema.types import TerritoryModel, load_models
from etm_graph.features.threads import queries
from etm_graph.features.threads.service import AnchorRegistry
from etm_graph.graphql.batching import batched
from etm_graph.graphql.context import Context
from etm_graph.graphql.declaring import needs
from etm_graph.graphql.enums import describe
from etm_graph.graphql.ids import Node, encode_id
from etm_graph.graphql.pages import After, Before, Connection, First, Last, connect, make_page
from etm_graph.graphql.scalars import BigInt

describe(
    AnchorKind,
    "What a thread hangs on.",
    {
        "MODEL": "A territory model as a whole.",
        "TERRITORY": "A territory.",
        "RULE": "An assignment rule.",
        "ASSIGNMENT": "An account in a territory.",
        "FORECAST_CELL": "The forecast of a territory in a period.",
        "CHANGE": "A change of a model's stream.",
    },
)

ANCHOR_TYPES = {
    AnchorKind.MODEL: "TerritoryModel",
    AnchorKind.TERRITORY: "Territory",
    AnchorKind.RULE: "AssignmentRule",
    AnchorKind.ASSIGNMENT: "Territory",
    AnchorKind.FORECAST_CELL: "Territory",
}
"""Names of the types of anchors' global ids; a change has a number in its model instead."""


async def _gone(anchors: "Sequence[ThreadAnchor]", context: Context) -> list[bool]:
    """Whether anchors were deleted: one call for each kind that is among them."""
    session = await context.session()
    registry = context.services.get(AnchorRegistry)
    standing: set[tuple[int, Anchor]] = set()
    for kind, resolve in registry.resolvers.items():
        wanted = {anchor.anchor for anchor in anchors if anchor.kind is kind}
        found = await resolve(session, wanted) if wanted else {}
        standing |= {(place.model_id, key) for key, place in found.items()}
    changes = {(anchor.model_key, anchor.key) for anchor in anchors if anchor.kind is AnchorKind.CHANGE}
    if changes:
        numbers = await read_changes_by_number(session, changes)
        standing |= {(model_id, Anchor(AnchorKind.CHANGE, seq)) for model_id, seq in numbers}
    return [
        anchor.kind is not AnchorKind.MODEL and (anchor.model_key, anchor.anchor) not in standing for anchor in anchors
    ]


@strawberry.type(description="What a thread hangs on.")
class ThreadAnchor:
    """The anchor of a thread."""

    key: strawberry.Private[int]
    part: strawberry.Private[str]
    model_key: strawberry.Private[int]
    kind: AnchorKind = strawberry.field(description="What kind of thing it is.")
    id: strawberry.ID | None = strawberry.field(
        description="Its global id, of an assignment or forecast cell the territory's; null for a change."
    )
    account_id: strawberry.ID | None = strawberry.field(description="Of an assignment: the account.")
    period: str | None = strawberry.field(description="Of a forecast cell: the period, such as FY2027-Q1.")
    sequence: BigInt | None = strawberry.field(description="The number of a change in its model; null for others.")
    label: str = strawberry.field(description="Its name when the thread began; stays when it is deleted.")
    is_gone: bool = batched(_gone, description="Whether it was deleted since; the thread stays readable.")

    @property
    def anchor(self) -> Anchor:
        """What names it."""
        return Anchor(self.kind, self.key, self.part)

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The anchor of a thread's row."""
        kind = AnchorKind(row.anchor_kind)
        change = kind is AnchorKind.CHANGE
        return cls(
            key=row.anchor_id,
            part=row.anchor_part,
            model_key=row.model_id,
            kind=kind,
            account_id=encode_id("Account", int(row.anchor_part)) if kind is AnchorKind.ASSIGNMENT else None,
            period=row.anchor_part if kind is AnchorKind.FORECAST_CELL else None,
            id=None if change else encode_id(ANCHOR_TYPES[kind], row.anchor_id),
            sequence=BigInt(row.anchor_id) if change else None,
            label=row.anchor_label,
        )


@strawberry.type(description="What a comment said before an edit.")
class CommentRevision:
    """A row of comment_revision."""

    body: str = strawberry.field(description="What it said.")
    written_at: datetime = strawberry.field(description="When that was written.")
    version: BigInt = strawberry.field(description="The version that the comment had then.")


async def _users_of(groups: Sequence[Sequence[int]], context: Context) -> list[list[User]]:
    """The users of several groups of ids with one call."""
    ids = [user_id for group in groups for user_id in group]
    found = dict(zip(ids, await load_users(ids, context), strict=True)) if ids else {}
    return [[user for user_id in group if (user := found.get(user_id)) is not None] for group in groups]


async def _reacting(reactions: "Sequence[Reaction]", context: Context) -> list[list[User]]:
    return await _users_of([reaction.user_keys for reaction in reactions], context)


async def _authors(comments: "Sequence[Comment]", context: Context) -> list[User | None]:
    return await load_users([comment.author_key for comment in comments], context)


async def _threads(comments: "Sequence[Comment]", context: Context) -> "list[Thread | None]":
    return await load_threads([comment.thread_key for comment in comments], context)


async def _revisions(comments: "Sequence[Comment]", context: Context) -> list[list[CommentRevision]]:
    keys = {comment.key for comment in comments}
    found = await queries.revisions_of(await context.session(), context.viewer, keys)
    return [
        [
            CommentRevision(body=row.body, written_at=row.at, version=BigInt(row.version))
            for row in found.get(comment.key, ())
        ]
        for comment in comments
    ]


@strawberry.type(description="A sign that people put on a comment.")
class Reaction:
    """One emoji and who put it there."""

    user_keys: strawberry.Private[list[int]]
    emoji: str = strawberry.field(description="The sign.")
    count: int = strawberry.field(description="How many people put it there.")
    is_mine: bool = strawberry.field(description="Whether you are one of them.")
    users: list[User] = batched(_reacting, description="Who they are, in the order in which they came.")


async def _html(comments: "Sequence[Comment]", _: Context) -> list[str | None]:
    return [None if comment.body is None else render_html(comment.body) for comment in comments]


async def _reactions(comments: "Sequence[Comment]", context: Context) -> list[list[Reaction]]:
    session, me = await context.session(), context.principal.user_id
    found = await queries.reactions_of(session, context.viewer, {comment.key for comment in comments})
    answer = []
    for comment in comments:
        by_sign: dict[str, list[int]] = {}
        for row in found.get(comment.key, ()):
            by_sign.setdefault(row.emoji, []).append(row.user_id)
        answer.append(
            [
                Reaction(user_keys=users, emoji=sign, count=len(users), is_mine=me in users)
                for sign, users in by_sign.items()
            ]
        )
    return answer


async def _mentions(comments: "Sequence[Comment]", context: Context) -> list[list[User]]:
    session = await context.session()
    found = await queries.mentions_of(session, context.viewer, {comment.key for comment in comments})
    return await _users_of([found.get(comment.key, ()) for comment in comments], context)


@strawberry.type(description="One comment of a thread.")
@needs(Act.READ, Kind.THREAD)
class Comment(Node):
    """A row of comment."""

    key: strawberry.Private[int]
    thread_key: strawberry.Private[int]
    author_key: strawberry.Private[int]
    body: str | None = strawberry.field(
        description="What it says in Markdown, 1 to 5,000 characters; null when it was deleted."
    )
    created_at: datetime = strawberry.field(description="When it was written.")
    edited_at: datetime | None = strawberry.field(description="When it was last edited.")
    deleted_at: datetime | None = strawberry.field(description="When it was deleted; its place in the thread stays.")
    version: BigInt = strawberry.field(description="Number of its last change; send it as `expectedVersion`.")
    author: User | None = batched(_authors, description="Who wrote it.")
    thread: "Thread | None" = batched(_threads, description="The thread that it is in.")
    body_html: str | None = batched(
        _html,
        description="The same as HTML that is safe to show: no scripts, no pictures, no raw HTML of the author's.",
    )
    mentions: list[User] = batched(_mentions, description="Whom it mentions with @.")
    reactions: list[Reaction] = batched(_reactions, description="The signs on it, by when the first of each came.")
    revisions: list[CommentRevision] = batched(
        _revisions, description="What it said before its edits, oldest first; empty when it was deleted."
    )

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The comment of a row."""
        return cls(
            id=encode_id("Comment", row.id),
            key=row.id,
            thread_key=row.thread_id,
            author_key=row.author_id,
            body=row.body,
            created_at=row.created_at,
            edited_at=row.edited_at,
            deleted_at=row.deleted_at,
            version=BigInt(row.version),
        )


async def _creators(threads: "Sequence[Thread]", context: Context) -> list[User | None]:
    return await load_users([thread.creator_key for thread in threads], context)


async def _resolvers(threads: "Sequence[Thread]", context: Context) -> list[User | None]:
    return await load_users([thread.resolver_key for thread in threads], context)


async def _models(threads: "Sequence[Thread]", context: Context) -> list[TerritoryModel | None]:
    return await load_models([thread.model_key for thread in threads], context)


async def _count_all(keys: Sequence[int], context: Context) -> list[int]:
    session = await context.session()
    found = await queries.comment_counts(session, context.viewer, set(keys), with_deleted=True)
    return [found.get(key, 0) for key in keys]


async def _comment_counts(threads: "Sequence[Thread]", context: Context) -> list[int]:
    keys = {thread.key for thread in threads}
    found = await queries.comment_counts(await context.session(), context.viewer, keys, with_deleted=False)
    return [found.get(thread.key, 0) for thread in threads]


async def _comments(
    threads: "Sequence[Thread]",
    context: Context,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> list[Connection[Comment]]:
    page = make_page(context, first, after, last, before)
    keys = [thread.key for thread in threads]
    found = await queries.comments_of(await context.session(), context.viewer, keys, page)
    return [connect(found.get(key, ()), queries.OLDEST, page, Comment.of, (_count_all, key, {})) for key in keys]


async def _unread_counts(threads: "Sequence[Thread]", context: Context) -> list[int]:
    keys = {thread.key for thread in threads}
    found = await queries.unread_counts(await context.session(), context.viewer, keys)
    return [found.get(thread.key, 0) for thread in threads]


async def _followed(threads: "Sequence[Thread]", context: Context) -> list[bool]:
    keys = {thread.key for thread in threads}
    found = await queries.followed_of(await context.session(), context.principal.user_id, keys)
    return [thread.key in found for thread in threads]


@strawberry.type(description="A conversation that hangs on something of a model.")
@needs(Act.READ, Kind.THREAD)
class Thread(Node):
    """A row of thread."""

    key: strawberry.Private[int]
    model_key: strawberry.Private[int]
    creator_key: strawberry.Private[int]
    resolver_key: strawberry.Private[int | None]
    anchor: ThreadAnchor = strawberry.field(description="What it hangs on.")
    subject: str | None = strawberry.field(description="What it is about.")
    is_resolved: bool = strawberry.field(description="Whether its question is settled.")
    resolved_at: datetime | None = strawberry.field(description="When it was resolved; null while it is open.")
    created_at: datetime = strawberry.field(description="When it was begun.")
    version: BigInt = strawberry.field(description="Number of its last own change; comments have their own.")
    model: TerritoryModel | None = batched(_models, description="The model that it belongs to.")
    created_by: User | None = batched(_creators, description="Who began it.")
    resolved_by: User | None = batched(_resolvers, description="Who resolved it; null while it is open.")
    unread_count: int = batched(_unread_counts, description="How many comments of others you have not read.")
    is_followed: bool = batched(
        _followed, description="Whether you follow it; who takes part or is mentioned does, until they stop."
    )
    comment_count: int = batched(_comment_counts, description="How many comments it has, deleted ones not counted.")
    comments: Connection[Comment] = batched(
        _comments, description="Its comments, oldest first; deleted ones keep their place without their words."
    )

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The thread of a row."""
        return cls(
            id=encode_id("Thread", row.id),
            key=row.id,
            model_key=row.model_id,
            creator_key=row.created_by,
            resolver_key=row.resolved_by,
            anchor=ThreadAnchor.of(row),
            subject=row.subject,
            is_resolved=row.resolved_at is not None,
            resolved_at=row.resolved_at,
            created_at=row.created_at,
            version=BigInt(row.version),
        )


async def load_threads(ids: Sequence[int | None], context: Context) -> list[Thread | None]:
    """Threads by id, None for those that the viewer may not read."""
    wanted = {number for number in ids if number is not None}
    if not wanted:
        return [None] * len(ids)
    found = await queries.threads_by_id(await context.session(), context.viewer, wanted)
    return [Thread.of(found[number]) if number in found else None for number in ids]


async def load_comments(ids: Sequence[int | None], context: Context) -> list[Comment | None]:
    """Comments by id, None for those that the viewer may not read."""
    wanted = {number for number in ids if number is not None}
    if not wanted:
        return [None] * len(ids)
    found = await queries.comments_by_id(await context.session(), context.viewer, wanted)
    return [Comment.of(found[number]) if number in found else None for number in ids]
