"""The jobs of activation: safe to run again from the beginning at any point.

Every step is one short transaction that counts only while the job is still this worker's (jobs/queue.py, `hold`).
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from etm_graph.core.access import Act
from etm_graph.core.errors import WrongState
from etm_graph.core.lifecycle import ModelState
from etm_graph.db.sessions import ReadSession
from etm_graph.events.unit_of_work import UnitOfWork, Writer
from etm_graph.features.activation import service
from etm_graph.features.activation.service.deleting import DELETE
from etm_graph.features.activation.service.preflight import Preflight
from etm_graph.features.activation.service.requests import ACTIVATE, ARCHIVE, RUN
from etm_graph.features.activation.service.scheduling import SCHEDULED
from etm_graph.features.alignment.service import Engine
from etm_graph.features.alignment.service.staging import (
    Plan,
    Steps,
    discard_some,
    only_differing,
    plan_model,
    still_planned,
    write_step,
)
from etm_graph.features.models import service as models
from etm_graph.features.models.queries import model_state
from etm_graph.identity.principal import SYSTEM, Principal
from etm_graph.jobs.queue import Job
from etm_graph.jobs.worker import Ending, JobKind, Progress

ROUNDS_MAX = 20


def actor(job: Job) -> Principal:
    """The job acts for the one who asked, whose right was checked then."""
    return replace(SYSTEM, user_id=job.created_by or SYSTEM.user_id)


@dataclass(frozen=True, slots=True)
class ActivationJobs:
    """Handlers of the job kinds `activate`, `archive` and `run`."""

    writer: Writer
    engine: Engine
    preflight: Preflight
    principal_of: Callable[[ReadSession, int], Awaitable[Principal | None]]

    def kinds(self) -> Mapping[str, JobKind]:
        """What a worker has to know of them."""
        return {
            ACTIVATE: JobKind(self.activate, Act.ACTIVATE, self.activation_given_up, retry=service.retry_activation),
            ARCHIVE: JobKind(self.archive, Act.ARCHIVE, self.archive_given_up, retry=service.retry_archive),
            DELETE: JobKind(self.delete, Act.DELETE, self.deletion_given_up, retry=service.retry_deletion),
            SCHEDULED: JobKind(self.activate_scheduled, Act.ACTIVATE, self.schedule_given_up),
            RUN: JobKind(self.run, Act.RUN, retry=service.retry_run),
        }

    @asynccontextmanager
    async def _step(self, job: Job, progress: Progress, *, cancellable: bool = True) -> AsyncIterator[UnitOfWork]:
        async with self.writer.unit_of_work(actor(job)) as work:
            await progress.hold(work.session, cancellable=cancellable)
            yield work

    async def activate(self, job: Job, progress: Progress) -> None:
        """Prepare and switch."""
        model_id, archive_id = int(job.model_id or 0), job.arguments["archive_id"]
        async with self._step(job, progress) as work:
            if not await service.begin_activation(work, model_id):
                return
        progress.report("computing assignments")
        async with self.writer.database.read() as session:
            plan = await plan_model(session, self.engine, model_id)
        await self._write_all(job, progress, plan, "writing assignments")
        for attempt in range(1, ROUNDS_MAX + 1):
            async with self.writer.database.read() as session:
                changed = await service.accounts_to_follow(session, plan.crm_seq)
                if changed:
                    plan = await plan_model(session, self.engine, model_id, changed)
            if changed:
                await self._write_all(job, progress, plan, f"following the CRM, round {attempt}")
            progress.report("switching")
            async with self._step(job, progress) as work:
                if await service.switch(work, self.engine, model_id, archive_id, plan.crm_seq):
                    return
        raise WrongState("The CRM changes faster than assignments can be written; activate again when it is quieter.")

    async def _write_all(self, job: Job, progress: Progress, plan: Plan, step: str) -> None:
        steps = Steps(plan)
        for part in steps:
            progress.report(step, steps.done, steps.total)
            async with self._step(job, progress) as work:
                await write_step(work, int(job.model_id or 0), part)
        progress.report(step, steps.done, steps.total)

    async def activation_given_up(self, job: Job, ending: Ending) -> None:
        """Throw away what was written, and make a draft again or say why it failed."""
        model_id, left = int(job.model_id or 0), 1
        progress = Progress(job)
        while left:
            async with self._step(job, progress, cancellable=False) as work:
                model = await models.lock_for_system(work, model_id)
                left = await discard_some(work.session, model_id) if model.state is ModelState.ACTIVATING else 0
        async with self._step(job, progress, cancellable=False) as work:
            await service.end_activation(work, model_id, ending.reason, cancelled=ending.cancelled)

    async def archive(self, job: Job, progress: Progress) -> None:
        """Take the active model out of force."""
        progress.report("archiving", 0, 1)
        async with self._step(job, progress) as work:
            await service.archive(work, int(job.model_id or 0))
        progress.done = 1

    async def archive_given_up(self, job: Job, ending: Ending) -> None:
        """Put the model back in force, or say why it failed."""
        async with self._step(job, Progress(job), cancellable=False) as work:
            await service.end_archive(work, int(job.model_id or 0), ending.reason, cancelled=ending.cancelled)

    async def activate_scheduled(self, job: Job, progress: Progress) -> None:
        """Begin an activation at its time, with the checks and rights of that moment."""
        progress.report("beginning", 0, 1)
        async with self.writer.database.read() as session:
            scheduler = await self.principal_of(session, int(job.created_by or 0))
            state = await model_state(session, int(job.model_id or 0))
            if state is not ModelState.PLANNING:
                return
            examination = await self.preflight.examine(session, self.engine, int(job.model_id or 0), state)
        if scheduler is None:
            raise WrongState("Who scheduled it can no longer sign in.")
        async with self.writer.unit_of_work(scheduler) as work:
            await progress.hold(work.session)
            await service.begin_scheduled(work, job, examination)
        progress.done = 1

    async def schedule_given_up(self, job: Job, ending: Ending) -> None:
        """Say why the draft is still a draft."""
        if job.model_id is not None and not ending.cancelled:
            async with self._step(job, Progress(job), cancellable=False) as work:
                await service.note_failure(work, job.model_id, ending.reason)

    async def delete(self, job: Job, progress: Progress) -> None:
        """Take a deleted draft away for good."""
        if job.model_id is None:
            return  # an earlier worker of this job got this far before it died
        progress.report("deleting", 0, 1)
        async with self._step(job, progress) as work:
            await service.purge(work, job.model_id)
        progress.done = 1

    async def deletion_given_up(self, job: Job, ending: Ending) -> None:
        """Bring the draft back, or say why it could not be deleted."""
        if job.model_id is not None:
            async with self._step(job, Progress(job), cancellable=False) as work:
                await service.end_deletion(work, job, ending.reason, cancelled=ending.cancelled)

    async def run(self, job: Job, progress: Progress) -> None:
        """Compute the active model anew, beside those who read and write it."""
        model_id = int(job.model_id or 0)
        progress.report("computing assignments")
        async with self.writer.database.read() as session:
            plan = await plan_model(session, self.engine, model_id)
            plan = await only_differing(session, model_id, plan)
        steps = Steps(plan)
        for part in steps:
            progress.report("writing assignments", steps.done, steps.total)
            async with self._step(job, progress) as work:
                await self._require_active(work, model_id)
                await write_step(work, model_id, await still_planned(work.session, model_id, part))
        async with self._step(job, progress) as work:
            await models.note_run(work, await self._require_active(work, model_id))
        progress.done = steps.done

    @staticmethod
    async def _require_active(work: UnitOfWork, model_id: int) -> models.ModelHead:
        model = await models.lock_for_system(work, model_id)
        if model.state is not ModelState.ACTIVE:
            raise WrongState(f"{model.name} is {model.state} by now; only the active model is run.")
        return model
