"""The worker: runs claimed jobs, keeps their leases, and lets another take over when its process dies."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError

from etm_graph.core.errors import ExpectedError
from etm_graph.db.sessions import Database
from etm_graph.jobs.queue import Job, JobState, claim, finish, renew

IDLE_S = 0.5
"""Seconds between two looks at an empty queue."""

logger = logging.getLogger(__name__)


class Progress:
    """What a running job reports; it is written with every renewal of the lease."""

    def __init__(self) -> None:
        self.step: str | None = None
        self.done = 0
        self.total: int | None = None

    def report(self, step: str, done: int = 0, total: int | None = None) -> None:
        """Now doing `step`, `done` of `total`."""
        self.step, self.done, self.total = step, done, total


Handler = Callable[[Job, Progress], Awaitable[None]]
FailureHandler = Callable[[Job, str], Awaitable[None]]


class Worker:
    """Runs jobs of one process one after another.

    handlers: what to do, by kind. on_failure: what to do when a handler gave up, by kind.
    """

    def __init__(
        self,
        database: Database,
        handlers: Mapping[str, Handler],
        on_failure: Mapping[str, FailureHandler],
        *,
        lease_s: float,
    ) -> None:
        self._database = database
        self._handlers = handlers
        self._on_failure = on_failure
        self._lease_s = lease_s
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to work."""
        self._task = asyncio.create_task(self._work(), name="worker")

    async def stop(self) -> None:
        """Stop; a job that was running is taken over when its lease ends."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def wake(self) -> None:
        """There may be a new job."""
        self._wake.set()

    async def _work(self) -> None:
        while True:
            try:
                worked = await self.run_one()
            except (OSError, SQLAlchemyError):
                logger.warning("worker: the queue could not be read, trying again", exc_info=True)
                worked = False
            if not worked:
                self._wake.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), IDLE_S)

    async def run_one(self) -> bool:
        """Run the next job to its end; False when there is none."""
        async with self._database.write() as session:
            claimed = await claim(session, self._lease_s)
        if claimed is None:
            return False
        progress = Progress()
        handler = asyncio.ensure_future(self._handlers[claimed.kind](claimed, progress))
        keeper = asyncio.create_task(self._keep(claimed, progress), name="lease")
        try:
            await asyncio.wait({handler, keeper}, return_when=asyncio.FIRST_COMPLETED)
            if not handler.done():
                logger.warning("job lost its lease", extra={"job": claimed.id})
                return True
            await self._end(claimed, progress, handler.exception())
        finally:
            for task in (handler, keeper):
                task.cancel()
            await asyncio.gather(handler, keeper, return_exceptions=True)
        return True

    async def _keep(self, claimed: Job, progress: Progress) -> None:
        while True:
            await asyncio.sleep(min(self._lease_s / 3, 0.25))
            async with self._database.write() as session:
                held = await renew(
                    session,
                    claimed,
                    self._lease_s,
                    step=progress.step,
                    done=progress.done,
                    total=progress.total,
                )
            if not held:
                return

    async def _end(self, claimed: Job, progress: Progress, error: BaseException | None) -> None:
        if error is None:
            async with self._database.write() as session:
                await renew(
                    session, claimed, self._lease_s, step=progress.step, done=progress.done, total=progress.total
                )
                await finish(session, claimed, JobState.SUCCEEDED)
            return
        reason = error.message if isinstance(error, ExpectedError) else "Something went wrong on our side."
        logger.error("job failed", exc_info=error, extra={"job": claimed.id, "kind": claimed.kind})
        if claimed.kind in self._on_failure:
            await self._on_failure[claimed.kind](claimed, reason)
        async with self._database.write() as session:
            await finish(session, claimed, JobState.FAILED, reason)
