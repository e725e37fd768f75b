"""Beginning, resolving and reopening threads, and keeping their paths."""

from collections.abc import Mapping

from sqlalchemy import String, column, func, insert, update, values

from etm_graph.core.access import ORGANISATION_PATH, Act, Kind
from etm_graph.core.anchors import Anchor, thread_key
from etm_graph.core.changes import ChangeDraft, ChangeKind, EntityType
from etm_graph.core.hierarchy import subtree_end
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.models import service as models
from etm_graph.features.threads.service.anchoring import (
    AnchorRegistry,
    anchor_of,
    authorise,
    check_body,
    check_subject,
    locate,
    place_anchor,
)
from etm_graph.features.threads.service.comments import insert_comment
from etm_graph.features.threads.tables import thread


async def create_thread(
    work: UnitOfWork,
    anchors: AnchorRegistry,
    anchor: Anchor,
    subject: str | None,
    body: str,
    *,
    model_id: int | None = None,
) -> int:
    """Begin a thread on an anchor with its first comment; returns its id.

    model_id: the model of a CHANGE. Raises `NotFound`, `Invalid`, `Forbidden`.
    """
    model, place = await place_anchor(work, anchors, anchor, model_id)
    models.authorise(work, model, Act.CREATE, Kind.THREAD, place.path or ORGANISATION_PATH)
    said, about = check_body(body), check_subject(subject)
    thread_id = int(
        await work.session.scalar(
            insert(thread)
            .values(
                model_id=model.id,
                anchor_kind=anchor.kind.value,
                anchor_id=anchor.id,
                anchor_part=anchor.part,
                anchor_label=place.label,
                path=place.path,
                subject=about,
                created_by=work.principal.user_id,
                created_at=work.now,
                version=0,
            )
            .returning(thread.c.id)
        )
    )
    after = {"anchor_kind": anchor.kind.value, "anchor_id": anchor.id, "anchor_part": anchor.part, "subject": about}
    key = thread_key(anchor, thread_id)
    draft = ChangeDraft(EntityType.THREAD, ChangeKind.CREATED, thread_id, key, place.path, after=after)
    seq = work.record(model.id, draft)
    await work.session.execute(update(thread).where(thread.c.id == thread_id).values(version=seq))
    await insert_comment(work, model, anchor, thread_id, path=place.path, body=said)
    return thread_id


async def resolve_thread(work: UnitOfWork, thread_id: int) -> int:
    """Close a thread's question; a resolved one stays as it is. Returns its id. Raises `NotFound`, `Forbidden`."""
    return await _settle(work, thread_id, resolved=True)


async def reopen_thread(work: UnitOfWork, thread_id: int) -> int:
    """Open a resolved thread again; an open one stays as it is. Returns its id. Raises `NotFound`, `Forbidden`."""
    return await _settle(work, thread_id, resolved=False)


async def _settle(work: UnitOfWork, thread_id: int, *, resolved: bool) -> int:
    model, row = await locate(work, thread_id)
    authorise(work, model, row, Act.RESOLVE)
    if (row.resolved_at is not None) is resolved:
        return thread_id
    before = {
        "resolved_by": row.resolved_by,
        "resolved_at": None if row.resolved_at is None else row.resolved_at.isoformat(),
    }
    by, at = (work.principal.user_id, work.now) if resolved else (None, None)
    after = {"resolved_by": by, "resolved_at": None if at is None else at.isoformat()}
    kind = ChangeKind.RESOLVED if resolved else ChangeKind.REOPENED
    key = thread_key(anchor_of(row), thread_id)
    seq = work.record(
        model.id, ChangeDraft(EntityType.THREAD, kind, thread_id, key, row.path, before=before, after=after)
    )
    values = {"resolved_by": by, "resolved_at": at, "version": seq}
    await work.session.execute(update(thread).where(thread.c.id == thread_id).values(**values))
    return thread_id


async def relocate_threads(work: UnitOfWork, model_id: int, old_path: str, new_path: str) -> None:
    """Follow a moved territory: threads of its subtree are read by those who reach its new place.

    The model must be locked. What happened before keeps the path that it had then.
    """
    moved = func.concat(new_path, func.substr(thread.c.path, len(old_path) + 1))
    await work.session.execute(
        update(thread)
        .where(thread.c.model_id == model_id, thread.c.path >= old_path, thread.c.path < subtree_end(old_path))
        .values(path=moved)
    )


async def relocate_threads_by_path(work: UnitOfWork, model_id: int, paths: Mapping[str, str]) -> None:
    """Follow territories that moved together: threads get the new paths of the old ones. The model must be locked."""
    places = values(column("old", String), column("new", String), name="places").data(list(paths.items()))
    await work.session.execute(
        update(thread)
        .where(thread.c.model_id == model_id, thread.c.path == places.c.old.collate("C"))
        .values(path=places.c.new)
    )
