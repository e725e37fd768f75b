"""Taking change sets back and bringing them again: both are new changes, history is never rewritten.

Undo is a three-way merge: the present with what was before the change set, on the base of what was after it. Where they
conflict, a later change depends on the change set, and the undo is refused with the reason.
"""

from collections.abc import Sequence
from uuid import UUID

from etm_graph.core.access import Act, Kind
from etm_graph.core.changes import Change, EntityType
from etm_graph.core.errors import Conflict, FieldConflict, Invalid, NotFound
from etm_graph.core.facts import rewind
from etm_graph.core.merge import MergeConflict, merge
from etm_graph.events.log import find_change_set, find_undo_of, last_change_set_of
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.editing.queries import History, read_history
from etm_graph.features.editing.service.writing import write_structure
from etm_graph.features.models import service as models


async def undo_change_set(work: UnitOfWork, model_id: int, change_set: UUID | None) -> int:
    """Take back one's own change set, the latest that is not taken back when none is named; returns the model's id.

    Raises `Conflict` with the reason where later changes depend on it, `NotFound`, `Invalid` for another's,
    `WrongState`, `Forbidden`.
    """
    model = await _lock(work, model_id)
    if change_set is None:
        change_set = await last_change_set_of(work.session, model_id, work.principal.user_id)
        if change_set is None:
            raise NotFound("You have nothing to undo in this model.", field=["changeSet"])
    await _take_back(work, model, change_set)
    return model_id


async def redo_change_set(work: UnitOfWork, model_id: int, change_set: UUID) -> int:
    """Bring back one's own change set that was undone, by undoing its undo; returns the model's id. Raises as undo."""
    model = await _lock(work, model_id)
    undo = await find_undo_of(work.session, model_id, change_set)
    if undo is None:
        raise NotFound("That change set was not undone.", field=["changeSet"])
    await _take_back(work, model, undo)
    return model_id


async def _lock(work: UnitOfWork, model_id: int) -> models.ModelHead:
    model = await models.lock_model(work, model_id)
    models.require_planning(model)
    models.authorise(work, model, Act.UPDATE, Kind.MODEL, own=model.created_by == work.principal.user_id)
    return model


async def _take_back(work: UnitOfWork, model: models.ModelHead, change_set: UUID) -> None:
    changes = await find_change_set(work.session, model.id, change_set)
    if not changes:
        raise NotFound("There is no such change set in this model.", field=["changeSet"])
    if any(change.actor_id != work.principal.user_id for change in changes):
        raise Invalid("Only the author of a change set can undo it; restore the draft instead.", field=["changeSet"])
    first, last = changes[0].seq, changes[-1].seq
    history = await read_history(work.session, model.id, first - 1)
    after = rewind(history.now, history.since(last))
    before = rewind(history.now, history.since(first - 1))
    if after == before:
        raise Invalid("That change set changed nothing of the structure.", field=["changeSet"])
    if any(fact[0] is EntityType.MODEL and fact not in before for fact in after):
        raise Invalid("A model's creation is not undone; delete the draft instead.", field=["changeSet"])
    merged = merge(after, history.now, before)
    if merged.conflicts:
        raise _refusal(merged.conflicts, history, last)
    work.undoes = change_set
    if not await write_structure(work, model, history.now, merged.structure, history.former_ids):
        raise Invalid("That change set is taken back already.", field=["changeSet"])


def _refusal(conflicts: Sequence[MergeConflict], history: History, last: int) -> Conflict:
    later = [change for change, _ in history.steps if change.seq > last]
    reasons = [_reason(conflict, later) for conflict in conflicts]
    details = [FieldConflict(conflict.key, conflict.base, conflict.ours, conflict.theirs) for conflict in conflicts]
    return Conflict(
        f"Later changes depend on it, nothing was changed: {'; '.join(dict.fromkeys(reasons))}.",
        field=["changeSet"],
        details={"conflicts": details},
    )


def _reason(conflict: MergeConflict, later: Sequence[Change]) -> str:
    entity, key = conflict.fact
    what = f"{entity.value} {key}" + (f" ({conflict.field})" if conflict.field else "")
    keys = {conflict.fact[1], *(name.rpartition(":")[2] for name in conflict.facts)}
    by = next((change for change in reversed(later) if change.draft.key in keys), None)
    return f"{what} by change {by.seq}" if by is not None else what
