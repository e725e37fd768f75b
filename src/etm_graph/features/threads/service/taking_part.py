"""What is one's own in a thread: reactions, following, how far one has read."""

import unicodedata

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from etm_graph.access.viewer import Viewer
from etm_graph.core.access import Act
from etm_graph.core.anchors import thread_key
from etm_graph.core.changes import ChangeDraft, ChangeKind, EntityType
from etm_graph.core.errors import Conflict, Invalid, NotFound
from etm_graph.db.sessions import WriteSession
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.threads.queries import threads_by_id
from etm_graph.features.threads.service.anchoring import anchor_of, authorise
from etm_graph.features.threads.service.comments import locate_comment
from etm_graph.features.threads.tables import comment, comment_reaction, thread_follow, thread_read_mark

EMOJI_CHARACTERS_MAX = 16
_SIGNS = frozenset({"So", "Sk", "Sm"})


def check_emoji(value: str) -> str:
    """A reaction: one emoji, with its modifiers. Raises `Invalid`."""
    sign = any(unicodedata.category(char) in _SIGNS for char in value)
    plain = any(char.isalpha() or char.isspace() or char in "<>&" for char in value)
    if not sign or plain or len(value) > EMOJI_CHARACTERS_MAX:
        raise Invalid(f"A reaction is one emoji, not {value[:EMOJI_CHARACTERS_MAX]!r}.", field=["emoji"])
    return value


async def react(work: UnitOfWork, comment_id: int, emoji: str, *, on: bool) -> int:
    """Put a sign on a comment or take one's own back; what is so already stays so. Returns the comment's id.

    Raises `NotFound`, `Invalid`, `Conflict` for a deleted comment, `Forbidden`.
    """
    model, thread, row = await locate_comment(work, comment_id)
    authorise(work, model, thread, Act.COMMENT)
    sign, user_id = check_emoji(emoji), work.principal.user_id
    if row.deleted_at is not None:
        raise Conflict("The comment was deleted; nothing was changed.", field=["id"])
    columns = comment_reaction.c
    if on:
        values = {"comment_id": comment_id, "emoji": sign, "user_id": user_id, "at": work.now}
        done = await work.session.execute(insert(comment_reaction).values(**values).on_conflict_do_nothing())
    else:
        done = await work.session.execute(
            delete(comment_reaction).where(
                columns.comment_id == comment_id, columns.emoji == sign, columns.user_id == user_id
            )
        )
    if done.rowcount:
        key = f"{thread_key(anchor_of(thread), thread.id, comment_id)}/{user_id}/{sign}"
        told = {"comment_id": comment_id, "user_id": user_id, "emoji": sign}
        kind, before, after = (ChangeKind.CREATED, {}, told) if on else (ChangeKind.DELETED, told, {})
        draft = ChangeDraft(EntityType.REACTION, kind, comment_id, key, thread.path, before, after)
        work.record(model.id, draft)
    return comment_id


async def _require_readable(session: WriteSession, viewer: Viewer, thread_id: int) -> None:
    if thread_id not in await threads_by_id(session, viewer, [thread_id]):
        raise NotFound("There is no such thread.", field=["id"])


async def follow_thread(session: WriteSession, viewer: Viewer, thread_id: int, *, following: bool) -> None:
    """Follow a thread, or do not. Raises `NotFound`."""
    await _require_readable(session, viewer, thread_id)
    values = {"following": following}
    await session.execute(
        insert(thread_follow)
        .values(thread_id=thread_id, user_id=viewer.principal.user_id, **values)
        .on_conflict_do_update(index_elements=["thread_id", "user_id"], set_=values)
    )


async def mark_read(session: WriteSession, viewer: Viewer, thread_id: int, comment_id: int | None) -> None:
    """Note that one has read a thread up to a comment (None: up to the last); a mark never goes back.

    Raises `NotFound`.
    """
    await _require_readable(session, viewer, thread_id)
    reached = select(func.max(comment.c.id)).where(comment.c.thread_id == thread_id)
    if comment_id is not None:
        reached = reached.where(comment.c.id <= comment_id)
    last = await session.scalar(reached)
    if last is None:
        return
    mark = insert(thread_read_mark).values(thread_id=thread_id, user_id=viewer.principal.user_id, comment_id=last)
    furthest = func.greatest(thread_read_mark.c.comment_id, mark.excluded.comment_id)
    await session.execute(
        mark.on_conflict_do_update(index_elements=["thread_id", "user_id"], set_={"comment_id": furthest})
    )
