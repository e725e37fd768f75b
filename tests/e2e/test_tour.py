"""The tour in docs/tour.md, run as it is written."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from tests.e2e.servers import SECRET, Client, serving

from etm_graph.demo.records import Sizes
from etm_graph.serving import load_demo_company
from etm_graph.settings import Settings

TOUR = Path(__file__).parents[2] / "docs" / "tour.md"
STEP = re.compile(
    r"^## [^\n]*\(`(?P<user>\w+)`\)|^```graphql\n(?P<query>.*?)^```|^<!-- keep: (?P<name>\w+) = (?P<path>[\w.]+) -->"
    r"|^<!-- until: (?P<until>\w+) -->",
    re.MULTILINE | re.DOTALL,
)


@dataclass
class Step:
    user: str
    query: str
    keep: dict[str, str] = field(default_factory=dict)
    until: str | None = None


def read_tour() -> list[Step]:
    steps: list[Step] = []
    user = ""
    for found in STEP.finditer(TOUR.read_text()):
        if found["user"]:
            user = found["user"]
        elif found["query"]:
            steps.append(Step(user, found["query"]))
        elif found["until"]:
            steps[-1].until = found["until"]
        else:
            steps[-1].keep[found["name"]] = found["path"]
    return steps


def pick(data: Any, path: str) -> Any:
    for part in path.split("."):
        data = data[int(part)] if part.isdigit() else data[part]
    return data


def no_user_errors(data: Any) -> None:
    for payload in data.values():
        if isinstance(payload, dict) and "userErrors" in payload:
            assert payload["userErrors"] == []


async def test_every_step_of_the_tour_works(database_url: str, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, dev_secret=SECRET)
    assert await load_demo_company(settings, database_url, Console(quiet=True), Sizes(2_000, 6_000))
    steps = read_tour()
    assert len(steps) == 19
    kept: dict[str, Any] = {}
    async with serving(database_url, tmp_path) as server:
        clients = {user: Client(server, user) for user in {step.user for step in steps}}
        for step in steps:
            wanted = {name: kept[name] for name in re.findall(r"\$(\w+):", step.query)}
            client = clients[step.user]
            if step.query.startswith("subscription"):
                async with client.socket() as socket:
                    await socket.subscribe(step.query, **wanted)
                    item = await socket.item()
                    while step.until is not None and item["state"] != step.until:
                        item = await socket.item()
                continue
            data = await client.data(step.query, **wanted)
            no_user_errors(data)
            kept |= {name: pick(data, path) for name, path in step.keep.items()}
        final = await clients["viewer"].data("{ activeTerritoryModel { developerName } }")
        assert final == {"activeTerritoryModel": {"developerName": "Tour"}}
        for client in clients.values():
            await client.close()
