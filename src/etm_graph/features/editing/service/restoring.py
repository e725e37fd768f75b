"""Bringing a draft back to how it was at a number of its stream or at a named checkpoint, as new changes."""

from sqlalchemy import delete, insert, select

from etm_graph.core.access import Act, Kind
from etm_graph.core.errors import Invalid, NotFound, Taken
from etm_graph.core.facts import Structure, rewind
from etm_graph.core.names import check_name
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.editing.queries import packed, read_history, read_structure, unpacked
from etm_graph.features.editing.service.writing import write_structure
from etm_graph.features.editing.tables import checkpoint
from etm_graph.features.models import service as models

CHECKPOINTS_MAX = 100
"""Checkpoints of one model."""


async def _lock(work: UnitOfWork, model_id: int) -> models.ModelHead:
    model = await models.lock_model(work, model_id)
    models.require_planning(model)
    models.authorise(work, model, Act.UPDATE, Kind.MODEL, own=model.created_by == work.principal.user_id)
    return model


async def create_checkpoint(work: UnitOfWork, model_id: int, name: str) -> int:
    """Keep a draft's present structure under a name; returns the model's id. Raises `Taken`, `Invalid`, `Forbidden`."""
    await _lock(work, model_id)
    named = check_name(name)
    columns = checkpoint.c
    names = await work.session.rows(select(columns.name).where(columns.model_id == model_id))
    if named in {row.name for row in names}:
        raise Taken(f"There is a checkpoint {named} already.", field=["name"])
    if len(names) >= CHECKPOINTS_MAX:
        raise Invalid(f"A model has at most {CHECKPOINTS_MAX} checkpoints; delete one first.", field=["name"])
    await work.session.execute(
        insert(checkpoint).values(
            model_id=model_id,
            name=named,
            seq=work.heads[model_id].head,
            structure=packed(await read_structure(work.session, model_id)),
            created_by=work.principal.user_id,
            created_at=work.now,
        )
    )
    return model_id


async def delete_checkpoint(work: UnitOfWork, model_id: int, name: str) -> int:
    """Forget a checkpoint; returns the model's id. Raises `NotFound`, `Forbidden`."""
    await _lock(work, model_id)
    gone = await work.session.execute(
        delete(checkpoint).where(checkpoint.c.model_id == model_id, checkpoint.c.name == name)
    )
    if gone.rowcount == 0:
        raise NotFound(f"There is no checkpoint {name}.", field=["name"])
    return model_id


async def restore_draft(
    work: UnitOfWork, model_id: int, *, seq: int | None = None, checkpoint_name: str | None = None
) -> int:
    """Bring a draft's structure back to how it was after change `seq`, or at a checkpoint; returns its id.

    Raises `NotFound` for a number below the floor, above the head or an unknown name; `Conflict`, `WrongState`,
    `Forbidden`.
    """
    model = await _lock(work, model_id)
    head = work.heads[model_id]
    if checkpoint_name is not None:
        columns = checkpoint.c
        row = await work.session.row(
            select(columns.structure, columns.seq).where(columns.model_id == model_id, columns.name == checkpoint_name)
        )
        if row is None:
            raise NotFound(f"There is no checkpoint {checkpoint_name}.", field=["to", "checkpoint"])
        history = await read_history(work.session, model_id, max(int(row.seq), head.floor))
        target: Structure = unpacked(row.structure)
    else:
        wanted = seq or 0
        if not max(head.floor, 1) <= wanted <= head.head:
            least = max(head.floor, 1)
            raise NotFound(
                f"The draft can be restored to numbers {least} to {head.head}, or to a checkpoint.",
                field=["to", "sequence"],
            )
        history = await read_history(work.session, model_id, wanted)
        target = rewind(history.now, history.since(wanted))
    await write_structure(work, model, history.now, target, history.former_ids)
    return model_id
