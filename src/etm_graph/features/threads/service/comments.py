"""Adding, editing and deleting comments.

What a comment says is not written into the log, so that deleting it takes the words away everywhere; events name it.
"""

from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from etm_graph.core.access import Act
from etm_graph.core.anchors import Anchor, thread_key
from etm_graph.core.changes import ChangeDraft, ChangeKind, EntityType
from etm_graph.core.errors import Conflict, FieldConflict, Invalid, NotFound
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.models import service as models
from etm_graph.features.threads.service.anchoring import anchor_of, authorise, check_body, locate
from etm_graph.features.threads.service.mentioning import follow_by_taking_part, note_mentions
from etm_graph.features.threads.tables import comment, comment_mention, comment_reaction, comment_revision


async def insert_comment(
    work: UnitOfWork, model: models.ModelHead, anchor: Anchor, thread_id: int, *, path: str | None, body: str
) -> int:
    """Write a checked and authorised comment with its change; returns its id."""
    comment_id = int(
        await work.session.scalar(
            insert(comment)
            .values(
                thread_id=thread_id,
                model_id=model.id,
                author_id=work.principal.user_id,
                body=body,
                created_at=work.now,
                version=0,
            )
            .returning(comment.c.id)
        )
    )
    after = {"thread_id": thread_id, "author_id": work.principal.user_id}
    key = thread_key(anchor, thread_id, comment_id)
    seq = work.record(model.id, ChangeDraft(EntityType.COMMENT, ChangeKind.CREATED, comment_id, key, path, after=after))
    await work.session.execute(update(comment).where(comment.c.id == comment_id).values(version=seq))
    await follow_by_taking_part(work, thread_id, [work.principal.user_id])
    await note_mentions(work, model, thread_id, comment_id, path=path, body=body, seq=seq)
    return comment_id


async def add_comment(work: UnitOfWork, thread_id: int, body: str) -> int:
    """Answer in a thread, resolved or not; returns the comment's id. Raises `NotFound`, `Invalid`, `Forbidden`."""
    model, row = await locate(work, thread_id)
    authorise(work, model, row, Act.COMMENT)
    return await insert_comment(work, model, anchor_of(row), thread_id, path=row.path, body=check_body(body))


async def locate_comment(work: UnitOfWork, comment_id: int) -> tuple[models.ModelHead, Row[Any], Row[Any]]:
    """Lock the model of a comment; the model, the thread and the comment as they are then."""
    missing = NotFound("There is no such comment.", field=["id"])
    thread_id = await work.session.scalar(select(comment.c.thread_id).where(comment.c.id == comment_id))
    if thread_id is None:
        raise missing
    try:
        model, thread = await locate(work, thread_id)
    except NotFound as error:
        raise missing from error
    row = await work.session.row(select(comment).where(comment.c.id == comment_id))
    if row is None:
        raise missing
    return model, thread, row


async def edit_comment(work: UnitOfWork, comment_id: int, body: str, expected_version: int) -> int:
    """Say something else in one's own comment; what it said is kept. Returns its id.

    Raises `Conflict` when it was edited to something else or deleted since `expected_version`; `NotFound`, `Invalid`,
    `Forbidden`.
    """
    model, thread, row = await locate_comment(work, comment_id)
    authorise(work, model, thread, Act.UPDATE, own=row.author_id == work.principal.user_id)
    said = check_body(body)
    if expected_version > row.version:
        raise Invalid(f"The comment is at version {row.version}; read it again.", field=["expectedVersion"])
    if row.deleted_at is not None:
        raise Conflict("The comment was deleted; nothing was changed.", field=["id"])
    if said == row.body:
        return comment_id
    if expected_version < row.version:
        raise await _conflict(work, row, expected_version, said)
    key = thread_key(anchor_of(thread), thread.id, comment_id)
    edited_at = work.now.isoformat()
    before = {"edited_at": None if row.edited_at is None else row.edited_at.isoformat()}
    draft = ChangeDraft(
        EntityType.COMMENT, ChangeKind.UPDATED, comment_id, key, thread.path, before, {"edited_at": edited_at}
    )
    seq = work.record(model.id, draft)
    written_at = row.edited_at or row.created_at
    await work.session.execute(
        insert(comment_revision).values(comment_id=comment_id, version=row.version, body=row.body, at=written_at)
    )
    values = {"body": said, "edited_at": work.now, "version": seq}
    await work.session.execute(update(comment).where(comment.c.id == comment_id).values(**values))
    await note_mentions(work, model, thread.id, comment_id, path=thread.path, body=said, seq=seq)
    return comment_id


async def _conflict(work: UnitOfWork, row: Row[Any], expected_version: int, yours: str) -> Conflict:
    revision = comment_revision.c
    base = await work.session.scalar(
        select(revision.body)
        .where(revision.comment_id == row.id, revision.version <= expected_version)
        .order_by(revision.version.desc())
        .limit(1)
    )
    by = {"userId": row.author_id, "at": row.edited_at.isoformat(), "sequence": row.version}
    return Conflict(
        f"The comment was edited since version {expected_version}; look at what it says now and decide.",
        field=["expectedVersion"],
        details={"conflicts": [FieldConflict("body", base, row.body, yours)], "by": [by]},
    )


async def delete_comment(work: UnitOfWork, comment_id: int) -> int:
    """Leave a tombstone of a comment, without its words and former ones; a deleted one stays as it is.

    Returns its id. Raises `NotFound`, `Forbidden`.
    """
    model, thread, row = await locate_comment(work, comment_id)
    authorise(work, model, thread, Act.DELETE, own=row.author_id == work.principal.user_id)
    if row.deleted_at is not None:
        return comment_id
    key = thread_key(anchor_of(thread), thread.id, comment_id)
    before = {"author_id": row.author_id}
    draft = ChangeDraft(EntityType.COMMENT, ChangeKind.DELETED, comment_id, key, thread.path, before=before)
    seq = work.record(model.id, draft)
    for table in (comment_revision, comment_mention, comment_reaction):
        await work.session.execute(delete(table).where(table.c.comment_id == comment_id))
    values = {"body": None, "deleted_at": work.now, "version": seq}
    await work.session.execute(update(comment).where(comment.c.id == comment_id).values(**values))
    return comment_id
