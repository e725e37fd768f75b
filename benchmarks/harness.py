"""What benchmarks share: a database with the demo company, timing, the shape of a result."""

import asyncio
import os
import platform
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter

from rich.console import Console

from etm_graph.db.embedded import start_embedded
from etm_graph.db.migrate import migrate
from etm_graph.demo.records import Sizes
from etm_graph.serving import load_demo_company
from etm_graph.settings import Settings

SECRET = "b" * 48
ACCOUNTS = 20_000


@dataclass(frozen=True)
class Result:
    """A figure with what it is compared with."""

    name: str
    value: float
    unit: str
    better: str
    size: str
    alternatives: dict[str, float] = field(default_factory=dict)
    limit: dict[str, float] = field(default_factory=dict)


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, CPython {platform.python_version()}"


@dataclass(frozen=True)
class Company:
    """A database with the demo company in it."""

    url: str
    folder: Path

    def settings(self) -> Settings:
        return Settings(data_dir=self.folder, dev_secret=SECRET, database_url=self.url)


def load_company(folder: Path, accounts: int = ACCOUNTS) -> Company:
    url = start_embedded(folder / "postgres")
    company = Company(url, folder)
    asyncio.run(migrate(url))
    asyncio.run(load_demo_company(company.settings(), url, Console(stderr=True), Sizes(accounts, 3 * accounts)))
    return company


async def timed(work: Callable[[], Awaitable[object]], rounds: int = 9) -> float:
    """Median milliseconds, after one warm-up."""
    await work()
    times = []
    for _ in range(rounds):
        began = perf_counter()
        await work()
        times.append((perf_counter() - began) * 1000)
    return round(median(times), 2)
