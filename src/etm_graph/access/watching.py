"""Hot reload: the policy files are looked at every few seconds; changed ones are taken when they are fit."""

import asyncio
import logging
from hashlib import sha256
from pathlib import Path

from etm_graph.access.decisions import Access
from etm_graph.access.snapshot import FILES

logger = logging.getLogger(__name__)


class PolicyWatch:
    """Reloads a policy whose files changed. Files that are not fit are named in the log once, the old policy stays."""

    def __init__(self, access: Access, folder: Path, *, poll_s: float) -> None:
        self._access = access
        self._folder = folder
        self._poll_s = poll_s
        self._seen = self._fingerprint()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._poll(), name="policy watch")

    async def stop(self) -> None:
        """Look no longer."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def look(self) -> bool:
        """Reload when a file changed since the last look; whether a new policy is in force."""
        found = self._fingerprint()
        if found == self._seen:
            return False
        self._seen = found
        before = self._access.snapshot.version
        if not self._access.reload():
            logger.error("the policy files are not fit, the old policy stays: %s", self._access.failure)
            return False
        logger.info("policy %s is in force, after %s", self._access.snapshot.version, before)
        return self._access.snapshot.version != before

    def _fingerprint(self) -> str:
        whole = sha256()
        for name in FILES:
            try:
                whole.update((self._folder / name).read_bytes())
            except OSError as error:
                whole.update(f"{name}: {error.errno}".encode())
        return whole.hexdigest()

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self._poll_s)
            await asyncio.to_thread(self.look)
