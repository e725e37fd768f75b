"""One rule of a draft edited: how soon its new impact on the active model is known, at 20,000 accounts."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from time import perf_counter

from benchmarks.harness import ACCOUNTS, Company, Result
from etm_graph.access.viewer import Viewer
from etm_graph.app import Process, make_process
from etm_graph.core.access import Grant, Role
from etm_graph.core.lifecycle import ModelState
from etm_graph.db.sessions import ReadSession
from etm_graph.features.alignment.service import Engine
from etm_graph.features.comparisons.service import Live, Look, Moment
from etm_graph.features.crm.queries import find_user
from etm_graph.features.models.queries import active_model_id
from etm_graph.features.rules.queries import whole_rules
from etm_graph.features.rules.service import update_rule
from etm_graph.features.territories.queries import all_nodes
from etm_graph.identity.principal import AuthMethod, Principal

DRAFT, ROUNDS, WATCHERS = 3, 7, 100


async def _toggle(process: Process, who: Principal) -> None:
    """Switch a rule of the draft on or off."""
    async with process.writer.unit_of_work(who) as work:
        rule = (await whole_rules(work.session, [DRAFT]))[7]
        await update_rule(work, rule.id, rule.version, {"is_active": not rule.is_active})


async def _plain(session: ReadSession, engine: Engine) -> dict[str, int]:
    """The same question as one would write it first: both models' pairs, one after the other, in dictionaries."""
    active = await active_model_id(session)
    assert active is not None
    sides = []
    for model_id, state in ((active, ModelState.ACTIVE), (DRAFT, ModelState.PLANNING)):
        names = {row.id: row.developer_name for row in await all_nodes(session, model_id)}
        found: dict[int, set[str]] = {}
        for object_id, territory_id in (
            (await engine.assignments(session, model_id, state)).pairs[["object_id", "territory_id"]].iter_rows()
        ):
            found.setdefault(object_id, set()).add(names[territory_id])
        sides.append(found)
    lost: dict[str, int] = {}
    for object_id in sides[0].keys() | sides[1].keys():
        for name in sides[0].get(object_id, set()) ^ sides[1].get(object_id, set()):
            lost[name] = lost.get(name, 0) + 1
    return lost


@dataclass(frozen=True)
class _Bench:
    """A process, and a planner who edits and watches."""

    process: Process
    who: Principal

    async def look(self, moment: Moment | None = None) -> Look:
        now = datetime.now(UTC)
        viewer = Viewer(self.process.access, self.who, now)
        return await self.process.services.get(Live).look(self.process.database, viewer, DRAFT, moment, now.date())

    async def watched(self) -> None:
        first = await self.look()
        for _ in range(WATCHERS - 1):
            await self.look(first.moment)

    async def plain(self) -> None:
        async with self.process.database.read() as session:
            await _plain(session, self.process.services.get(Engine))

    async def engine_alone(self) -> None:
        async with self.process.database.read() as session:
            await self.process.services.get(Engine).assignments(session, DRAFT, ModelState.PLANNING)

    async def after_edits(self, work: Callable[[], Awaitable[object]]) -> float:
        """Median milliseconds after an edit of a rule, the edit itself not counted."""
        await work()
        times = []
        for _ in range(ROUNDS):
            await _toggle(self.process, self.who)
            began = perf_counter()
            await work()
            times.append((perf_counter() - began) * 1000)
        return round(median(times), 1)


async def measure(company: Company) -> Result:
    process = make_process(company.settings(), company.url, "b" * 48)
    async with process.database.read() as session:
        planner = await find_user(session, "planner")
    assert planner is not None
    bench = _Bench(process, Principal(planner.id, "planner", (Grant(Role.PLANNER),), False, AuthMethod.JWT))
    value = await bench.after_edits(bench.look)
    territories = len((await bench.look()).rows)
    alternatives = {
        "pairs of accounts alone, one by one in dictionaries": await bench.after_edits(bench.plain),
        f"for {WATCHERS} watchers, shared": await bench.after_edits(bench.watched),
        f"for {WATCHERS} watchers, each by itself (from one)": round(value * WATCHERS, 1),
    }
    limit = {"the draft's assignments alone": await bench.after_edits(bench.engine_alone)}
    await process.database.close()
    size = f"{ACCOUNTS} accounts, {territories} territories in either model"
    return Result("draft-impact", value, "ms", "lower", size, alternatives, limit)
