"""Reading threads, comments and what comments said before."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select

from etm_graph.access.viewer import Viewer
from etm_graph.core.access import ORGANISATION_PATH, Kind
from etm_graph.core.anchors import Anchor
from etm_graph.db.paging import Order, Page, apply_page
from etm_graph.db.sessions import ReadSession
from etm_graph.features.models import queries as models
from etm_graph.features.threads.tables import (
    comment,
    comment_mention,
    comment_reaction,
    comment_revision,
    thread,
    thread_follow,
    thread_read_mark,
)

NEWEST = Order("threads", (thread.c.id,), descending=True)
OLDEST = Order("comments", (comment.c.id,))


@dataclass(frozen=True, slots=True)
class ThreadFilter:
    """Which threads; all conditions that are given must hold.

    model_id: of an anchor that is a change. text: words that a comment or the subject has, as people search the web.
    followed_by, unread_by: a user's id.
    """

    resolved: bool | None = None
    anchor: Anchor | None = None
    model_id: int | None = None
    text: str | None = None
    followed_by: int | None = None
    unread_by: int | None = None


async def count_all(session: ReadSession, model_id: int) -> int:
    """How many threads a model has, whoever asks."""
    return int(await session.scalar(select(func.count()).where(thread.c.model_id == model_id)))


def _readable(viewer: Viewer) -> ColumnElement[bool]:
    """Threads on a territory are read by those who reach it; threads on the model as a whole from its root."""
    scope = models.scope
    path = func.coalesce(thread.c.path, ORGANISATION_PATH)
    return viewer.sees(Kind.THREAD, state=scope.c.state, model_id=thread.c.model_id, path=path)


def _visible_threads(viewer: Viewer) -> Select[Any]:
    scope = models.scope
    return select(thread).join(scope, scope.c.id == thread.c.model_id).where(_readable(viewer))


def _visible_comments(viewer: Viewer) -> Select[Any]:
    scope = models.scope
    return (
        select(comment)
        .join(thread, thread.c.id == comment.c.thread_id)
        .join(scope, scope.c.id == thread.c.model_id)
        .where(_readable(viewer))
    )


def _conditions(wanted: ThreadFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.resolved is not None:
        at = thread.c.resolved_at
        conditions.append(at.is_not(None) if wanted.resolved else at.is_(None))
    if wanted.anchor is not None:
        conditions += [thread.c.anchor_kind == wanted.anchor.kind.value, thread.c.anchor_id == wanted.anchor.id]
        conditions.append(thread.c.anchor_part == wanted.anchor.part)
    if wanted.model_id is not None:
        conditions.append(thread.c.model_id == wanted.model_id)
    if wanted.text is not None:
        conditions.append(_says(wanted.text))
    if wanted.followed_by is not None:
        conditions.append(thread.c.id.in_(_followed(wanted.followed_by)))
    if wanted.unread_by is not None:
        unread = select(comment.c.thread_id).where(_is_unread(wanted.unread_by))
        conditions.append(thread.c.id.in_(unread))
    return conditions


def _says(text: str) -> ColumnElement[bool]:
    """Threads in which a comment, or whose subject, has the words."""
    query = func.websearch_to_tsquery("simple", text)
    said = select(comment.c.thread_id).where(
        comment.c.deleted_at.is_(None), func.to_tsvector("simple", comment.c.body).op("@@")(query)
    )
    about = func.to_tsvector("simple", func.coalesce(thread.c.subject, "")).op("@@")(query)
    return or_(thread.c.id.in_(said), about)


def _followed(user_id: int) -> Select[Any]:
    columns = thread_follow.c
    return select(columns.thread_id).where(columns.user_id == user_id, columns.following)


def _is_unread(user_id: int) -> ColumnElement[bool]:
    """Comments of others after a user's mark, tombstones left out."""
    columns = thread_read_mark.c
    mark = (
        select(columns.comment_id)
        .where(columns.thread_id == comment.c.thread_id, columns.user_id == user_id)
        .scalar_subquery()
    )
    return and_(comment.c.author_id != user_id, comment.c.deleted_at.is_(None), comment.c.id > func.coalesce(mark, 0))


async def threads_by_id(session: ReadSession, viewer: Viewer, ids: Collection[int]) -> dict[int, Row[Any]]:
    """The threads with these ids that the viewer may read, by id."""
    return {row.id: row for row in await session.rows(_visible_threads(viewer).where(thread.c.id.in_(ids)))}


async def threads_of_models(
    session: ReadSession, viewer: Viewer, model_ids: Collection[int], wanted: ThreadFilter, page: Page
) -> Mapping[int, Sequence[Row[Any]]]:
    """A page of each model's threads, newest first, by model."""
    base = _visible_threads(viewer).where(thread.c.model_id.in_(model_ids), *_conditions(wanted))
    grouped: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in await session.rows(apply_page(base, NEWEST, page, thread.c.model_id)):
        grouped[row.model_id].append(row)
    return grouped


async def count_of_models(
    session: ReadSession, viewer: Viewer, model_ids: Collection[int], wanted: ThreadFilter
) -> Mapping[int, int]:
    """How many threads each model has, by model."""
    key = thread.c.model_id
    base = _visible_threads(viewer).where(key.in_(model_ids), *_conditions(wanted))
    counted = base.with_only_columns(key, func.count().label("n")).group_by(key)
    return {row.model_id: row.n for row in await session.rows(counted)}


async def comments_by_id(session: ReadSession, viewer: Viewer, ids: Collection[int]) -> dict[int, Row[Any]]:
    """The comments with these ids that the viewer may read, tombstones included, by id."""
    return {row.id: row for row in await session.rows(_visible_comments(viewer).where(comment.c.id.in_(ids)))}


async def comments_of(
    session: ReadSession, viewer: Viewer, thread_ids: Collection[int], page: Page
) -> Mapping[int, Sequence[Row[Any]]]:
    """A page of each thread's comments, oldest first, tombstones included, by thread."""
    base = _visible_comments(viewer).where(comment.c.thread_id.in_(thread_ids))
    grouped: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in await session.rows(apply_page(base, OLDEST, page, comment.c.thread_id)):
        grouped[row.thread_id].append(row)
    return grouped


async def comment_counts(
    session: ReadSession, viewer: Viewer, thread_ids: Collection[int], *, with_deleted: bool
) -> Mapping[int, int]:
    """How many comments each thread has, with or without tombstones, by thread."""
    key = comment.c.thread_id
    base = _visible_comments(viewer).where(key.in_(thread_ids))
    if not with_deleted:
        base = base.where(comment.c.deleted_at.is_(None))
    counted = base.with_only_columns(key, func.count().label("n")).group_by(key)
    return {row.thread_id: row.n for row in await session.rows(counted)}


async def revisions_of(
    session: ReadSession, viewer: Viewer, comment_ids: Collection[int]
) -> Mapping[int, Sequence[Row[Any]]]:
    """What each comment said before its edits (comment_id, version, body, at), oldest first, by comment."""
    columns = comment_revision.c
    statement = (
        _visible_comments(viewer)
        .join(comment_revision, columns.comment_id == comment.c.id)
        .where(comment.c.id.in_(comment_ids))
        .with_only_columns(columns.comment_id, columns.version, columns.body, columns.at)
        .order_by(columns.comment_id, columns.version)
    )
    grouped: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in await session.rows(statement):
        grouped[row.comment_id].append(row)
    return grouped


async def list_threads(session: ReadSession, viewer: Viewer, wanted: ThreadFilter, page: Page) -> Sequence[Row[Any]]:
    """A page of the readable threads of all models, newest first."""
    return await session.rows(apply_page(_visible_threads(viewer).where(*_conditions(wanted)), NEWEST, page))


async def count_threads(session: ReadSession, viewer: Viewer, wanted: ThreadFilter) -> int:
    """How many threads are readable."""
    counted = _visible_threads(viewer).where(*_conditions(wanted)).with_only_columns(func.count())
    return int(await session.scalar(counted))


async def unread_counts(session: ReadSession, viewer: Viewer, thread_ids: Collection[int]) -> Mapping[int, int]:
    """How many comments of others each thread has that the viewer has not read, by thread."""
    key = comment.c.thread_id
    unread = _is_unread(viewer.principal.user_id)
    base = _visible_comments(viewer).where(key.in_(thread_ids), unread)
    counted = base.with_only_columns(key, func.count().label("n")).group_by(key)
    return {row.thread_id: row.n for row in await session.rows(counted)}


async def unread_counts_of_models(
    session: ReadSession, viewer: Viewer, model_ids: Collection[int]
) -> Mapping[int, int]:
    """How many comments of others the viewer has not read, by model."""
    key = comment.c.model_id
    base = _visible_comments(viewer).where(key.in_(model_ids), _is_unread(viewer.principal.user_id))
    counted = base.with_only_columns(key, func.count().label("n")).group_by(key)
    return {row.model_id: row.n for row in await session.rows(counted)}


async def followed_of(session: ReadSession, user_id: int, thread_ids: Collection[int]) -> frozenset[int]:
    """Which of the threads a user follows."""
    columns = thread_follow.c
    rows = await session.rows(_followed(user_id).where(columns.thread_id.in_(thread_ids)))
    return frozenset(row.thread_id for row in rows)


async def reactions_of(
    session: ReadSession, viewer: Viewer, comment_ids: Collection[int]
) -> Mapping[int, Sequence[Row[Any]]]:
    """Each comment's signs (comment_id, emoji, user_id), by comment, in the order in which they came."""
    columns = comment_reaction.c
    statement = (
        _visible_comments(viewer)
        .join(comment_reaction, columns.comment_id == comment.c.id)
        .where(comment.c.id.in_(comment_ids))
        .with_only_columns(columns.comment_id, columns.emoji, columns.user_id)
        .order_by(columns.comment_id, columns.at, columns.user_id)
    )
    grouped: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in await session.rows(statement):
        grouped[row.comment_id].append(row)
    return grouped


async def mentions_of(
    session: ReadSession, viewer: Viewer, comment_ids: Collection[int]
) -> Mapping[int, Sequence[int]]:
    """Whom each comment mentions, by comment."""
    columns = comment_mention.c
    statement = (
        _visible_comments(viewer)
        .join(comment_mention, columns.comment_id == comment.c.id)
        .where(comment.c.id.in_(comment_ids))
        .with_only_columns(columns.comment_id, columns.user_id)
        .order_by(columns.comment_id, columns.user_id)
    )
    grouped: dict[int, list[int]] = defaultdict(list)
    for row in await session.rows(statement):
        grouped[row.comment_id].append(row.user_id)
    return grouped


async def places_of_threads(session: ReadSession, ids: Collection[int]) -> Sequence[Row[Any]]:
    """Where threads are, whoever asks: id, model_id, path, created_by."""
    columns = thread.c
    return await session.rows(
        select(columns.id, columns.model_id, columns.path, columns.created_by).where(columns.id.in_(ids))
    )


async def places_of_comments(session: ReadSession, ids: Collection[int]) -> Sequence[Row[Any]]:
    """Where comments are, whoever asks: id, model_id, path, author_id."""
    return await session.rows(
        select(comment.c.id, comment.c.model_id, thread.c.path, comment.c.author_id)
        .join(thread, thread.c.id == comment.c.thread_id)
        .where(comment.c.id.in_(ids))
    )


async def comment_for_system(session: ReadSession, comment_id: int) -> Row[Any] | None:
    """A comment that stands, with its thread's subject and anchor_label, whoever asks."""
    return await session.row(
        select(comment.c.id, comment.c.thread_id, thread.c.subject, thread.c.anchor_label)
        .join(thread, thread.c.id == comment.c.thread_id)
        .where(comment.c.id == comment_id, comment.c.deleted_at.is_(None))
    )


async def mentioned_by(session: ReadSession, comment_id: int, seq: int) -> Sequence[int]:
    """Whom a change of a comment began to mention, whoever asks."""
    columns = comment_mention.c
    statement = select(columns.user_id).where(columns.comment_id == comment_id, columns.seq == seq)
    return [row.user_id for row in await session.rows(statement.order_by(columns.user_id))]


async def followers_of(session: ReadSession, thread_id: int) -> Sequence[int]:
    """Who follows a thread, whoever asks."""
    columns = thread_follow.c
    statement = select(columns.user_id).where(columns.thread_id == thread_id, columns.following)
    return [row.user_id for row in await session.rows(statement.order_by(columns.user_id))]
