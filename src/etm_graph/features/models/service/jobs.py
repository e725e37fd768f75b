"""Stopping and repeating the jobs of models."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from etm_graph.core.access import Act, Kind
from etm_graph.core.errors import NotFound, WrongState
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.models.service.editing import lock_model, viewer_of
from etm_graph.jobs.queue import OPEN, Job, JobState, cancel, read_jobs
from etm_graph.jobs.worker import JobKind


async def _locate(work: UnitOfWork, kinds: Mapping[str, JobKind], job_id: int) -> tuple[JobKind, Row[Any]]:
    """A job that the principal may stop and repeat: who may do the same to its model, or who runs jobs.

    Raises `NotFound`, `Forbidden`.
    """
    missing = NotFound("There is no such job.", field=["id"])
    row = (await read_jobs(work.session, [job_id])).get(job_id)
    if row is None or row.kind not in kinds:
        raise missing
    own = row.created_by == work.principal.user_id
    if not own and not viewer_of(work).may(Act.READ, Kind.JOB):
        raise missing
    kind = kinds[row.kind]
    if row.model_id is None:
        if not own:
            viewer_of(work).require(Act.UPDATE, Kind.ORGANISATION)
        return kind, row
    model = await lock_model(work, row.model_id)
    viewer = viewer_of(work)
    if not own and not viewer.may(kind.act, Kind.MODEL, state=model.group, model_id=model.id):
        viewer.require(Act.RUN, Kind.JOB)
    return kind, row


async def cancel_job(work: UnitOfWork, kinds: Mapping[str, JobKind], job_id: int) -> int:
    """Ask for a job to stop before it takes effect; returns its id. Raises `WrongState`, `NotFound`, `Forbidden`."""
    kind, row = await _locate(work, kinds, job_id)
    if not kind.cancellable:
        raise WrongState(f"A job that does {row.kind} cannot be stopped; wait for its end and undo it.", field=["id"])
    await cancel(work.session, job_id, work.principal.user_id)
    return job_id


async def retry_job(work: UnitOfWork, kinds: Mapping[str, JobKind], job_id: int) -> int:
    """Ask for the same again after a failure; returns the new job's id. Raises `WrongState`, `NotFound`, `Forbidden`."""
    kind, row = await _locate(work, kinds, job_id)
    if row.state in {*OPEN, JobState.SUCCEEDED.value}:
        raise WrongState(
            f"The job is {row.state}; only a failed or cancelled one can be asked for again.", field=["id"]
        )
    if kind.retry is None:
        raise WrongState(f"A job that does {row.kind} cannot be asked for again.", field=["id"])
    arguments = (row.id, row.kind, row.model_id, row.arguments, row.attempts, row.created_by)
    return await kind.retry(work, Job(*arguments))
