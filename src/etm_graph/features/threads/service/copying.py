"""Copying what is still discussed with a model."""

from collections.abc import Mapping

from sqlalchemy import case, insert, literal, select

from etm_graph.core.anchors import AnchorKind
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.threads.tables import comment, thread


async def copy_open_threads(
    work: UnitOfWork, source_id: int, target_id: int, copies: Mapping[AnchorKind, Mapping[int, int]]
) -> None:
    """Copy threads that are not resolved, with comments, into a new model, which nobody reads yet.

    copies: the id of each anchor's copy, by kind. A thread on what has no copy, such as a change, hangs on the model.
    """
    rows = await work.session.rows(
        select(thread).where(thread.c.model_id == source_id, thread.c.resolved_at.is_(None)).order_by(thread.c.id)
    )
    if not rows:
        return
    kept = ("anchor_label", "subject", "created_by", "created_at")
    values = []
    for row in rows:
        kind = AnchorKind(row.anchor_kind)
        copy = copies.get(kind, {}).get(row.anchor_id)
        moved = (kind.value, copy, row.anchor_part, row.path)
        place = moved if copy is not None else (AnchorKind.MODEL.value, target_id, "", None)
        values.append(
            {
                "model_id": target_id,
                "version": 0,
                **dict(zip(("anchor_kind", "anchor_id", "anchor_part", "path"), place, strict=True)),
                **{name: row._mapping[name] for name in kept},
            }
        )
    copied = await work.session.execute(insert(thread).returning(thread.c.id, sort_by_parameter_order=True), values)
    new_ids = {old.id: new.id for old, new in zip(rows, copied.all(), strict=True)}
    await _copy_comments(work, target_id, new_ids)


async def _copy_comments(work: UnitOfWork, target_id: int, new_ids: Mapping[int, int]) -> None:
    names = ["author_id", "body", "created_at", "edited_at", "deleted_at"]
    new_thread = case(new_ids, value=comment.c.thread_id)
    await work.session.execute(
        insert(comment).from_select(
            ["thread_id", "model_id", "version", *names],
            select(new_thread, literal(target_id), literal(0), *(comment.c[name] for name in names))
            .where(comment.c.thread_id.in_(list(new_ids)))
            .order_by(comment.c.id),
        )
    )
