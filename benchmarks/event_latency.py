"""From sending an edit to its arrival at another person's socket, at another server process."""

import asyncio
from statistics import median, quantiles
from time import perf_counter

import asyncpg
import httpx

from benchmarks.harness import Company, Result
from benchmarks.servers import DRAFT, RENAME, ask, follow, next_change, serving

EDITS = 100


async def _notify(company: Company) -> float:
    """The limit: a bare NOTIFY between two connections."""
    listener, sender = await asyncpg.connect(company.url), await asyncpg.connect(company.url)
    arrived: asyncio.Queue[float] = asyncio.Queue()
    await listener.add_listener("bench", lambda *_: arrived.put_nowait(perf_counter()))
    times = []
    for _ in range(EDITS):
        began = perf_counter()
        await sender.execute("NOTIFY bench")
        times.append((await arrived.get() - began) * 1000)
    await listener.close()
    await sender.close()
    return round(median(times), 2)


async def measure(company: Company) -> Result:
    times, answers = [], []
    async with serving(company) as here, serving(company) as there, httpx.AsyncClient(timeout=60) as client:
        draft = (await ask(client, here, "planner", DRAFT))["territoryModels"]["nodes"][0]
        territory = draft["territories"]["nodes"][0]
        version = territory["version"]
        socket = await follow(there, "planner2", draft["id"])
        for number in range(EDITS):
            began = perf_counter()
            arrival = asyncio.create_task(next_change(socket))
            answer = await ask(client, here, "planner", RENAME, id=territory["id"], v=version, n=f"Latency {number}")
            answers.append((perf_counter() - began) * 1000)
            await arrival
            times.append((perf_counter() - began) * 1000)
            version = answer["territoryUpdate"]["territory"]["version"]
        await socket.close()
    return Result(
        "event-latency",
        round(median(times), 2),
        "ms",
        "lower",
        f"{EDITS} edits, two server processes; p99 {quantiles(times, n=100)[98]:.1f} ms",
        {"the editor's own answer": round(median(answers), 2)},
        {"a bare NOTIFY": await _notify(company)},
    )
