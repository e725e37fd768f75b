"""The board: who waits in this process for news of a job.

News is a hint only; what happened is read from the job's events, so that a lost hint costs at most a poll.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Row

from etm_graph.db.sessions import Database
from etm_graph.jobs.queue import OPEN, read_events, read_jobs

POLL_S = 0.5
"""Seconds between two looks at the events of a job that somebody waits for; repairs lost hints."""


_BELOW_STREAMS = -1_000
"""Hints of jobs have numbers below this; streams have those above."""


def hint_of(job_id: int) -> int:
    """The number under which news of a job is hinted, on the channel of the streams."""
    return _BELOW_STREAMS - job_id


def job_of(hint: int) -> int | None:
    """The job that a hint's number means; None for a stream's."""
    return _BELOW_STREAMS - hint if hint < _BELOW_STREAMS else None


class JobBoard:
    """Followers of jobs in one process."""

    def __init__(self, database: Database, *, poll_s: float = POLL_S) -> None:
        self._database = database
        self._poll_s = poll_s
        self._news: dict[int, asyncio.Event] = {}

    def tell(self, job_id: int) -> None:
        """There is a new event of a job."""
        news = self._news.pop(job_id, None)
        if news is not None:
            news.set()

    async def follow(self, job_id: int, after: int) -> AsyncGenerator[Sequence[Row[Any]], None]:
        """Batches of a job's events after a number, waiting for more until it has ended; an empty batch is a moment's quiet.

        Holds no session while it waits.
        """
        while True:
            news = self._news.setdefault(job_id, asyncio.Event())
            async with self._database.read() as session:
                events = await read_events(session, job_id, after)
                found = (await read_jobs(session, [job_id])).get(job_id)
            yield events
            after = events[-1].seq if events else after
            if found is None or (found.state not in OPEN and after >= found.seq):
                return
            if events:
                continue
            with suppress(TimeoutError):  # not wait_for: in Python 3.11 that can swallow a cancellation
                async with asyncio.timeout(self._poll_s):
                    await news.wait()
