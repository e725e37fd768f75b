"""The worker: runs claimed jobs, keeps their leases, and lets another take over when its process dies."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError, IntegrityError

from etm_graph.core.access import Act
from etm_graph.core.errors import Busy, ExpectedError
from etm_graph.db.sessions import Database, WriteSession
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.jobs.board import JobBoard
from etm_graph.jobs.queue import (
    Job,
    JobCancelled,
    JobState,
    LeaseLost,
    claim,
    finish,
    hold,
    postpone,
    release,
    renew,
)

IDLE_S = 0.5
"""Seconds between two looks at an empty queue."""

ATTEMPTS_MAX = 8
"""How often a job is begun, by take-overs and after passing failures, before it fails."""

logger = logging.getLogger(__name__)


class Progress:
    """What a running job reports, and how its steps make sure that it is still theirs to do.

    It is written with every renewal of the lease.
    """

    def __init__(self, claimed: Job) -> None:
        self._claimed = claimed
        self.cancelled = claimed.cancel_requested_at is not None
        self.step: str | None = None
        self.done = 0
        self.total: int | None = None

    @property
    def told(self) -> tuple[str | None, int, int | None]:
        """What is to be told."""
        return self.step, self.done, self.total

    def report(self, step: str, done: int = 0, total: int | None = None) -> None:
        """Now doing `step`, `done` of `total`. Raises `JobCancelled` when the job is to stop."""
        self.step, self.done, self.total = step, done, total
        if self.cancelled:
            raise JobCancelled

    async def hold(self, session: WriteSession, *, cancellable: bool = True) -> None:
        """First statement of every step that writes: the transaction counts only while the job is this worker's."""
        await hold(session, self._claimed, cancellable=cancellable)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ended without success. reason: for a person. cancelled: a person stopped it."""

    reason: str
    cancelled: bool


Handler = Callable[[Job, Progress], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class JobKind:
    """What a process knows of one kind of job.

    run: does it; safe to begin again from the start at any point. act: who may do this to the model may cancel and retry.
    given_up: puts things back after a failure or a cancellation. cancellable: whether it can be stopped in the middle.
    retry: asks for the same again after a failure; returns the new job's id.
    """

    run: Handler
    act: Act
    given_up: Callable[[Job, Ending], Awaitable[None]] | None = None
    cancellable: bool = True
    retry: Callable[[UnitOfWork, Job], Awaitable[int]] | None = None


class Worker:
    """Runs jobs of one process one after another.

    kinds: what it knows to do. on_event: is told (job, number of its event) after every event that this worker wrote.
    """

    def __init__(
        self,
        database: Database,
        kinds: Mapping[str, JobKind],
        *,
        lease_s: float,
        on_event: Callable[[int, int], None] = lambda _job, _seq: None,
    ) -> None:
        self._database = database
        self.kinds = kinds
        self._lease_s = lease_s
        self._on_event = on_event
        self.board = JobBoard(database)
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether this process works on jobs at all."""
        return self._task is not None

    async def start(self) -> None:
        """Begin to work."""
        self._task = asyncio.create_task(self._work(), name="worker")

    async def stop(self) -> None:
        """Stop; another worker goes on at once with a job that was running."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def wake(self) -> None:
        """There may be a new job."""
        self._wake.set()

    async def _work(self) -> None:
        while True:
            self._wake.clear()
            try:
                worked = await self.run_one()
            except Exception:  # a worker that stops working is worse than any fault
                logger.exception("worker: a job could not be ended, its lease will run out")
                worked = False
            if not worked:
                with suppress(TimeoutError):  # not wait_for: in Python 3.11 that can swallow a cancellation
                    async with asyncio.timeout(IDLE_S):
                        await self._wake.wait()

    async def _claim(self) -> Job | None:
        try:
            async with self._database.write() as session:
                return await claim(session, self._lease_s)
        except IntegrityError:
            return None  # another worker took a job of the same model in this moment

    async def run_one(self) -> bool:
        """Run the next job to its end; False when there is none."""
        claimed = await self._claim()
        if claimed is None:
            return False
        progress = Progress(claimed)
        handler = asyncio.ensure_future(self._attempt(claimed, progress))
        keeper = asyncio.create_task(self._keep(claimed, progress), name="lease")
        try:
            await asyncio.wait({handler, keeper}, return_when=asyncio.FIRST_COMPLETED)
            if not handler.done():
                logger.warning("job lost its lease", extra={"job": claimed.id})
                return True
            await self._end(claimed, progress, handler.exception())
        except asyncio.CancelledError:
            await _over(handler, keeper)
            async with self._database.write() as session:
                await release(session, claimed)
            raise
        finally:
            await _over(handler, keeper)
        return True

    async def _attempt(self, claimed: Job, progress: Progress) -> None:
        if claimed.attempts > ATTEMPTS_MAX:
            raise TooManyAttempts
        if progress.cancelled and self.kinds[claimed.kind].cancellable:
            raise JobCancelled
        await self.kinds[claimed.kind].run(claimed, progress)

    async def _keep(self, claimed: Job, progress: Progress) -> None:
        told: tuple[str | None, int, int | None] | None = None
        while True:
            step, done, total = now = progress.told
            try:
                async with self._database.write() as session:
                    renewed = await renew(
                        session, claimed, self._lease_s, step=step, done=done, total=total, told=now == told
                    )
            except (OSError, DBAPIError):
                logger.warning("worker: the lease could not be renewed, trying again", extra={"job": claimed.id})
            else:
                if not renewed.held:
                    return
                if now != told:
                    self._on_event(claimed.id, renewed.seq)
                told = now
                progress.cancelled = renewed.cancelled and self.kinds[claimed.kind].cancellable
            await asyncio.sleep(min(self._lease_s / 3, 0.25))

    async def _end(self, claimed: Job, progress: Progress, error: BaseException | None) -> None:
        if isinstance(error, LeaseLost):
            logger.warning("job lost its lease", extra={"job": claimed.id})
            return
        if error is None:
            step, done, total = progress.told
            async with self._database.write() as session:
                await renew(session, claimed, self._lease_s, step=step, done=done, total=total, told=False)
                await finish(session, claimed, JobState.SUCCEEDED)
        elif _passing(error) and claimed.attempts < ATTEMPTS_MAX:
            logger.warning("job put back", exc_info=error, extra={"job": claimed.id, "kind": claimed.kind})
            async with self._database.write() as session:
                await postpone(
                    session, claimed, min(0.25 * 2**claimed.attempts, 30), "Put back after a passing failure."
                )
        else:
            await self._give_up(claimed, error)
        self._on_event(claimed.id, 0)

    async def _give_up(self, claimed: Job, error: BaseException) -> None:
        cancelled = isinstance(error, JobCancelled)
        reason = "Cancelled." if cancelled else _reason(error)
        if not cancelled:
            logger.error("job failed", exc_info=error, extra={"job": claimed.id, "kind": claimed.kind})
        given_up = self.kinds[claimed.kind].given_up
        if given_up is not None:
            try:
                await given_up(claimed, Ending(reason, cancelled))
            except ExpectedError:
                logger.exception("job could not be put back", extra={"job": claimed.id, "kind": claimed.kind})
        async with self._database.write() as session:
            await finish(
                session, claimed, JobState.CANCELLED if cancelled else JobState.FAILED, None if cancelled else reason
            )


class TooManyAttempts(Exception):
    """A job that every worker died of, or that never got through."""


async def _over(*tasks: "asyncio.Future[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _reason(error: BaseException) -> str:
    if isinstance(error, TooManyAttempts):
        return f"It was begun {ATTEMPTS_MAX} times and never ended; the workers' logs say more."
    return error.message if isinstance(error, ExpectedError) else "Something went wrong on our side."


def _passing(error: BaseException) -> bool:
    """Whether the same may work a moment later: the database was away, or somebody else had a lock."""
    if isinstance(error, DBAPIError):
        state = getattr(error.orig, "sqlstate", None) or ""
        return error.connection_invalidated or state[:2] in {"08", "40", "53", "55", "57"}
    return isinstance(error, Busy | OSError)
