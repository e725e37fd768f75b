"""The jobs of activation: safe to run again from the beginning at any point."""

from dataclasses import dataclass, replace

from etm_graph.events.unit_of_work import Writer
from etm_graph.features.activation import service
from etm_graph.features.alignment.service import Engine, run_model
from etm_graph.identity.principal import SYSTEM, Principal
from etm_graph.jobs.queue import Job
from etm_graph.jobs.worker import Progress

ROUNDS_MAX = 10


@dataclass(frozen=True, slots=True)
class ActivationJobs:
    """Handlers of the job kinds `activate` and `run`."""

    writer: Writer
    engine: Engine

    @staticmethod
    def _actor(job: Job) -> Principal:
        """The job acts for the one who asked, whose right was checked then."""
        return replace(SYSTEM, user_id=job.created_by or SYSTEM.user_id)

    async def activate(self, job: Job, progress: Progress) -> None:
        """Prepare and switch."""
        model_id, archive_id = int(job.model_id or 0), job.arguments["archive_id"]
        for attempt in range(1, ROUNDS_MAX + 1):
            progress.report(f"computing assignments, round {attempt}", 0, 2)
            async with self.writer.unit_of_work(self._actor(job)) as work:
                prepared_at = await service.prepare_activation(work, self.engine, model_id)
            progress.report("switching", 1, 2)
            async with self.writer.unit_of_work(self._actor(job)) as work:
                done = await service.switch(work, self.engine, model_id, archive_id, prepared_at)
            if done:
                progress.report("active", 2, 2)
                return
        raise RuntimeError("the CRM changes faster than assignments can be computed")

    async def activation_failed(self, job: Job, reason: str) -> None:
        """Say so in the model."""
        async with self.writer.unit_of_work(self._actor(job)) as work:
            await service.fail_activation(work, int(job.model_id or 0), reason)

    async def run(self, job: Job, progress: Progress) -> None:
        """Compute the active model anew."""
        progress.report("computing assignments", 0, 1)
        async with self.writer.unit_of_work(self._actor(job)) as work:
            await run_model(work, self.engine, int(job.model_id or 0))
        progress.report("done", 1, 1)
