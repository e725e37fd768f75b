"""Bringing a draft onto the active model as it now is: a three-way merge by developer name, conflicts decided by people."""

from collections.abc import Mapping
from dataclasses import dataclass

from etm_graph.core.access import Act, Kind
from etm_graph.core.changes import EntityType
from etm_graph.core.errors import Conflict, FieldConflict, Invalid, WrongState
from etm_graph.core.facts import Fact, Fields, Structure, differences, rewind, violations
from etm_graph.core.merge import Choice, Merge, Side, merge
from etm_graph.core.names import check_name
from etm_graph.db.sessions import ReadSession
from etm_graph.events.log import read_heads
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.editing.queries import read_history, read_structure
from etm_graph.features.editing.service.writing import write_structure
from etm_graph.features.models import service as models
from etm_graph.features.models.queries import active_model_id, base_of_model

FREE_TEXT = frozenset({"name", "description", "note", "role_in_territory"})
"""Fields that a resolution may give any text; others are one of the values that met."""

SHOWN = 5
"""How many conflicts a message lists."""


@dataclass(frozen=True, slots=True)
class Rebase:
    """What a rebase would do.

    onto_id, onto_head: the active model and where its structure stands. is_current: the draft is based on that already.
    """

    onto_id: int
    onto_head: int
    is_current: bool
    draft: Structure
    merged: Merge

    @property
    def violations(self) -> list[str]:
        """What would make the result impossible although nothing conflicts."""
        return violations(self.merged.structure)

    @property
    def change_count(self) -> int:
        """How many facts of the draft would differ."""
        return len(differences(self.draft, self.merged.structure))


async def plan_rebase(session: ReadSession, model_id: int, choices: Mapping[str, Choice]) -> Rebase:
    """Merge a draft with the active model on their common base, whoever asks.

    Raises `WrongState` without an active model, `Invalid` for a resolution that is none, `Conflict` when the log of the
    base no longer reaches back.
    """
    onto_id = await active_model_id(session)
    if onto_id is None or onto_id == model_id:
        raise WrongState("There is no active model to rebase on.")
    base_id, base_head = await base_of_model(session, model_id)
    heads = await read_heads(session, {onto_id, *([] if base_id is None else [base_id])})
    base: Structure = {}
    if base_id is not None:
        if heads[base_id].floor > base_head:
            raise Conflict("The log of the model that this draft was cloned from no longer reaches back to then.")
        history = await read_history(session, base_id, base_head)
        base = rewind(history.now, history.since(base_head))
    draft = _structural(await read_structure(session, model_id))
    theirs = _structural(await read_structure(session, onto_id))
    merged = merge(_structural(base), draft, theirs, choices)
    _check(merged, choices)
    onto_head = heads[onto_id].structure_head
    return Rebase(onto_id, onto_head, base_id == onto_id and base_head >= onto_head, draft, merged)


def _structural(structure: Structure) -> dict[Fact, Fields]:
    return {fact: fields for fact, fields in structure.items() if fact[0] is not EntityType.MODEL}


def _check(merged: Merge, choices: Mapping[str, Choice]) -> None:
    for conflict in merged.conflicts:
        choice = choices.get(conflict.key)
        if choice is None or choice.side is not Side.VALUE:
            continue
        met = [conflict.base, conflict.ours, conflict.theirs]
        free = conflict.field in FREE_TEXT and isinstance(choice.value, str)
        if conflict.field is None or not (free or choice.value in met or conflict.field == "parent"):
            raise Invalid(f"{conflict.key} takes OURS or THEIRS, or one of the values that met.", field=["resolutions"])
        if conflict.field == "name":
            check_name(str(choice.value), field="resolutions")


async def rebase_draft(work: UnitOfWork, model_id: int, choices: Mapping[str, Choice]) -> int:
    """Rebase a draft on the active model as one change set; returns its id.

    Raises `Conflict` while a conflict is not resolved or the result is impossible, `WrongState`, `Invalid`, `Forbidden`.
    """
    onto_id = await active_model_id(work.session)
    for stream_id in sorted({model_id, *([] if onto_id is None else [onto_id])}):
        await work.lock_stream(stream_id)
    model = await models.lock_model(work, model_id)
    models.require_planning(model)
    models.authorise(work, model, Act.UPDATE, Kind.MODEL, own=model.created_by == work.principal.user_id)
    plan = await plan_rebase(work.session, model_id, choices)
    left = plan.merged.open
    if left:
        keys = ", ".join(conflict.key for conflict in left[:SHOWN])
        details = [FieldConflict(found.key, found.base, found.theirs, found.ours) for found in left]
        raise Conflict(
            f"{len(left)} conflicts are not resolved, nothing was changed: {keys}.",
            field=["resolutions"],
            details={"conflicts": details},
        )
    now = await read_structure(work.session, model_id)
    itself = {fact: fields for fact, fields in now.items() if fact[0] is EntityType.MODEL}
    await write_structure(work, model, now, {**itself, **plan.merged.structure})
    await models.note_base(work, model, plan.onto_id, plan.onto_head)
    return model_id
