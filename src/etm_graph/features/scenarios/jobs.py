"""The job that copies a model: one transaction, so that a worker's death leaves nothing half done."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from etm_graph.core.access import Act
from etm_graph.events.unit_of_work import Writer
from etm_graph.features.scenarios import service
from etm_graph.features.scenarios.service.cloning import CLONE
from etm_graph.identity.principal import SYSTEM, Principal
from etm_graph.jobs.queue import Job
from etm_graph.jobs.worker import Ending, JobKind, Progress


@dataclass(frozen=True, slots=True)
class CloneJobs:
    """Handler of the job kind `clone`."""

    writer: Writer

    def kinds(self) -> Mapping[str, JobKind]:
        """What a worker has to know of it."""
        return {CLONE: JobKind(self.clone, Act.CLONE, self.given_up, retry=service.retry_clone)}

    @staticmethod
    def _actor(job: Job) -> Principal:
        return replace(SYSTEM, user_id=job.created_by or SYSTEM.user_id)

    async def clone(self, job: Job, progress: Progress) -> None:
        """Copy the model."""
        progress.report("copying", 0, 1)
        options = service.CloneOptions(**job.arguments["options"])
        async with self.writer.unit_of_work(self._actor(job)) as work:
            await service.freeze(work)
            await progress.hold(work.session)
            await service.run_clone(work, int(job.model_id or 0), job.arguments["source_id"], options)
        progress.done = 1

    async def given_up(self, job: Job, ending: Ending) -> None:
        """Say why there is no copy."""
        async with self.writer.unit_of_work(self._actor(job)) as work:
            await Progress(job).hold(work.session, cancellable=False)
            await service.end_clone(work, int(job.model_id or 0), ending.reason)
