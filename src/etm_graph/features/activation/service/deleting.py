"""Deleting a draft: into the bin at once, for good after a while, and out of the bin until then.

A deleted model is DELETING: nobody edits it, its name stays taken, and the job that takes it away waits for its time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import delete, text

from etm_graph.core.access import Act, Kind
from etm_graph.core.errors import InUse, WrongState
from etm_graph.core.lifecycle import ModelState
from etm_graph.events.tables import stream
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.alignment import queries as alignment
from etm_graph.features.models import queries as model_queries
from etm_graph.features.models import service as models
from etm_graph.features.threads import queries as threads
from etm_graph.jobs.queue import Job, enqueue, withdraw

DELETE = "delete"
DELETABLE = frozenset({ModelState.PLANNING, ModelState.CLONING_FAILED, ModelState.DELETING_FAILED})


class Fate(StrEnum):
    """What becomes of something that belongs to what is deleted."""

    REFUSE = "REFUSE"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True)
class Fates:
    """What becomes of a draft's decisions by hand, its threads, and drafts that were cloned from it.

    Clones with DELETE only forget where they came from.
    """

    decisions: Fate = Fate.REFUSE
    threads: Fate = Fate.REFUSE
    clones: Fate = Fate.REFUSE


async def request_deletion(work: UnitOfWork, model_id: int, fates: Fates, keep: timedelta) -> int:
    """Put a draft into the bin, from which it goes for good after `keep`; returns the id of the job that waits for it.

    Raises `InUse` when it has something that was not meant, `WrongState`, `NotFound`, `Forbidden`.
    """
    model = await models.lock_model(work, model_id)
    if model.state not in DELETABLE:
        raise WrongState(
            f"{model.name} is {model.state}; only drafts can be deleted, models that were in force are kept."
        )
    models.authorise(work, model, Act.DELETE, Kind.MODEL, own=model.created_by == work.principal.user_id)
    await _require_meant(work, model, fates)
    back_to = ModelState.PLANNING if model.state is ModelState.DELETING_FAILED else model.state
    await models.change_state(work, model, ModelState.DELETING)
    job_id = await enqueue(
        work.session,
        DELETE,
        {"back_to": back_to.value},
        now=work.now,
        model_id=model_id,
        created_by=work.principal.user_id or None,
        run_after=work.now + keep,
        key=f"{DELETE}:{model_id}",
    )
    if job_id is None:
        raise WrongState(f"{model.name} is being deleted already.")
    return job_id


async def _require_meant(work: UnitOfWork, model: models.ModelHead, fates: Fates) -> None:
    asked: Mapping[str, tuple[Fate, int, str]] = {
        "decisions": (
            fates.decisions,
            await alignment.count_decisions(work.session, model.id),
            "assignments by hand and exclusions",
        ),
        "threads": (fates.threads, await threads.count_all(work.session, model.id), "threads"),
        "clones": (fates.clones, await model_queries.count_clones(work.session, model.id), "clones"),
    }
    for name, (fate, count, what) in asked.items():
        if fate is Fate.REFUSE and count:
            raise InUse(f"{model.name} has {count} {what}; say {name}: DELETE when they are meant, too.", field=[name])


async def undelete(work: UnitOfWork, model_id: int) -> int:
    """Take a draft out of the bin, as it was; returns its id. Raises `WrongState`, `NotFound`, `Forbidden`."""
    model = await models.lock_model(work, model_id)
    if model.state not in {ModelState.DELETING, ModelState.DELETING_FAILED}:
        raise WrongState(f"{model.name} is {model.state}; only a deleted draft can be brought back.")
    models.authorise(work, model, Act.DELETE, Kind.MODEL, own=model.created_by == work.principal.user_id)
    waiting = await withdraw(work.session, f"{DELETE}:{model_id}", by=work.principal.user_id)
    back_to = ModelState.PLANNING if waiting is None else ModelState(waiting["back_to"])
    await models.change_state(work, model, back_to)
    return model_id


async def purge(work: UnitOfWork, model_id: int) -> None:
    """Take a deleted draft away for good, with all that belongs to it."""
    await work.session.execute(text("SET LOCAL statement_timeout = 0"))  # as long as a large draft takes
    await work.lock_stream(model_id)
    model = await models.lock_for_system(work, model_id)
    if model.state is not ModelState.DELETING:
        raise WrongState(f"{model.name} is {model.state} by now; it was not deleted.")
    await work.session.execute(delete(stream).where(stream.c.id == model_id))


async def end_deletion(work: UnitOfWork, job: Job, reason: str, *, cancelled: bool) -> None:
    """Bring a draft back whose deletion was cancelled, or say why it could not be deleted."""
    model = await models.lock_for_system(work, int(job.model_id or 0))
    if model.state is ModelState.DELETING:
        wanted = ModelState(job.arguments["back_to"]) if cancelled else ModelState.DELETING_FAILED
        await models.change_state(work, model, wanted, reason=None if cancelled else reason)


async def retry_deletion(work: UnitOfWork, job: Job) -> int:
    """Delete again what could not be deleted; returns the new job's id. Raises as the first one did."""
    every = Fates(Fate.DELETE, Fate.DELETE, Fate.DELETE)
    return await request_deletion(work, int(job.model_id or 0), every, timedelta(0))
