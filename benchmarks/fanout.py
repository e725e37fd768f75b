"""Deliveries per second of one process to subscribers of one draft."""

import asyncio
from time import perf_counter

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import broadcast, serve

from benchmarks.harness import Company, Result
from benchmarks.servers import DRAFT, RENAME, ask, follow, next_change, serving

SUBSCRIBERS, EDITS = 200, 20


async def _receive(socket: ClientConnection, count: int) -> None:
    for _ in range(count):
        await next_change(socket)


async def _raw(payload: bytes) -> float:
    """The limit: the same number of frames from a bare websockets server in this process to this process."""
    async with serve(lambda c: c.wait_closed(), "127.0.0.1", 0, compression=None) as server:
        port = server.sockets[0].getsockname()[1]
        sockets = [await connect(f"ws://127.0.0.1:{port}", compression=None) for _ in range(SUBSCRIBERS)]

        async def receive(socket: ClientConnection) -> None:
            for _ in range(EDITS):
                await socket.recv()

        began = perf_counter()
        tasks = [asyncio.create_task(receive(socket)) for socket in sockets]
        for _ in range(EDITS):
            broadcast(server.connections, payload.decode())
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        seconds = perf_counter() - began
        for socket in sockets:
            await socket.close()
    return round(SUBSCRIBERS * EDITS / seconds)


async def measure(company: Company) -> Result:
    async with serving(company) as url, httpx.AsyncClient(timeout=60) as client:
        draft = (await ask(client, url, "planner", DRAFT.replace("CO 1", "TX 1")))["territoryModels"]["nodes"][0]
        territory = draft["territories"]["nodes"][0]
        sockets = [await follow(url, "planner", draft["id"]) for _ in range(SUBSCRIBERS)]
        version = territory["version"]
        began = perf_counter()
        tasks = [asyncio.create_task(_receive(socket, EDITS)) for socket in sockets]
        for number in range(EDITS):
            answer = await ask(client, url, "planner", RENAME, id=territory["id"], v=version, n=f"Fan {number}")
            version = answer["territoryUpdate"]["territory"]["version"]
        await asyncio.gather(*tasks)
        rate = SUBSCRIBERS * EDITS / (perf_counter() - began)
        for socket in sockets:
            await socket.close()
    return Result(
        "fanout",
        round(rate),
        "deliveries/s",
        "higher",
        f"{SUBSCRIBERS} subscribers in one process, {EDITS} edits; the client shares the two cores",
        {},
        {"pre-encoded frames, no GraphQL": await _raw(b"x" * 300)},
    )
