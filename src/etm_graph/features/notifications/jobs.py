"""What tells and sends in the background of every process; several processes take turns by locks in the database."""

import asyncio
import logging
import socket
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime

import httpx
from sqlalchemy.exc import SQLAlchemyError

from etm_graph.db.sessions import Database
from etm_graph.events.unit_of_work import Writer
from etm_graph.features.notifications import service
from etm_graph.features.notifications.queries import untold_streams
from etm_graph.features.notifications.service import Message
from etm_graph.features.notifications.service.outbox import is_public
from etm_graph.identity.principal import SYSTEM

logger = logging.getLogger(__name__)

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""The IP addresses of a host."""


async def resolve_host(host: str, port: int) -> list[str]:
    """The IP addresses of a host, by the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class _Repeating(ABC):
    """Does something again and again until it is stopped."""

    def __init__(self, name: str, every_s: float) -> None:
        self._name = name
        self._every_s = every_s
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    @abstractmethod
    async def once(self) -> bool:
        """One round; True when there may be more to do at once."""

    async def _run(self) -> None:
        while True:
            try:
                while await self.once():
                    pass
            except (OSError, SQLAlchemyError):
                logger.warning("%s: the next round tries again", self._name, exc_info=True)
            except Exception:
                logger.exception("%s: fault in a round", self._name)
            await asyncio.sleep(self._every_s)


class Teller(_Repeating):
    """Brings what happened in models into inboxes."""

    def __init__(self, database: Database, writer: Writer, *, every_s: float) -> None:
        super().__init__("teller", every_s)
        self._database = database
        self._writer = writer

    async def once(self) -> bool:
        """Tell every stream that has something new."""
        async with self._database.read() as session:
            streams = await untold_streams(session)
        more = False
        for stream_id in streams:
            async with self._writer.unit_of_work(SYSTEM) as work:
                more = await service.tell_stream(work, stream_id) or more
        return more


class Sender(_Repeating):
    """Sends the messages of the outbox.

    private_allowed: also to addresses that are not of the open internet. The address that was checked is the one that is
    connected to, so that a name cannot mean another one a moment later; redirects are not followed.
    """

    def __init__(
        self,
        database: Database,
        *,
        every_s: float,
        timeout_s: float,
        private_allowed: bool,
        resolve: Resolve = resolve_host,
    ) -> None:
        super().__init__("webhook sender", every_s)
        self._database = database
        self._timeout_s = timeout_s
        self._private_allowed = private_allowed
        self._resolve = resolve

    async def once(self) -> bool:
        """Send what is due."""
        async with self._database.write() as session:
            messages = await service.claim_messages(session, datetime.now(UTC))
        await asyncio.gather(*(self._send(message) for message in messages))
        return bool(messages)

    async def _send(self, message: Message) -> None:
        status: int | None = None
        error: str | None = None
        try:
            async with asyncio.timeout(self._timeout_s):
                status = await self._post(message)
            if not httpx.codes.is_success(status):
                error = f"The receiver answered {status}."
        except (httpx.HTTPError, OSError, TimeoutError, ValueError) as failure:
            error = f"{type(failure).__name__}: {failure}"[:500]
        async with self._database.write() as session:
            await service.note_delivery(session, message, datetime.now(UTC), error=error, status=status)

    async def _post(self, message: Message) -> int:
        url = httpx.URL(message.url)
        port = url.port or (443 if url.scheme == "https" else 80)
        addresses = await self._resolve(url.host, port)
        allowed = [address for address in addresses if self._private_allowed or is_public(address)]
        if not allowed or len(allowed) < len(addresses):
            raise ValueError(f"{url.host} is not an address of the open internet (webhook_private_allowed).")
        headers = {**message.headers(datetime.now(UTC)), "host": url.netloc.decode()}
        async with httpx.AsyncClient(follow_redirects=False, trust_env=False) as client:
            answer = await client.post(
                url.copy_with(host=allowed[0]),
                content=message.body,
                headers=headers,
                extensions={"sni_hostname": url.host},
            )
        return answer.status_code
