"""What access costs: a warm decision, a filtered page of a large tree, a look at every subscriber for one event."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from time import perf_counter

from sqlalchemy import BigInteger, Column, MetaData, Table, Text, literal, select, text

from benchmarks.harness import Company, Result, timed
from etm_graph.access.decisions import Access
from etm_graph.access.filters import visible
from etm_graph.access.snapshot import default_policy_folder
from etm_graph.access.viewer import Viewer
from etm_graph.core.access import Act, Grant, Kind, Role, StateGroup
from etm_graph.core.lifecycle import ModelState
from etm_graph.db.base import Bytewise
from etm_graph.db.sessions import open_database
from etm_graph.identity.principal import AuthMethod, Principal

ACCESS = Access(default_policy_folder())
SUBSCRIBERS, TERRITORIES, GRANTS, PAGE = 1_000, 100_000, 20, 100


def _person(number: int, *grants: Grant) -> Principal:
    return Principal(number, f"user {number}", grants, suspended=False, method=AuthMethod.JWT)


def _per_second(ask: Callable[[], object], times: int = 200_000) -> float:
    ask()
    best = 0.0
    for _ in range(5):
        began = perf_counter()
        for _ in range(times):
            ask()
        best = max(best, times / (perf_counter() - began))
    return round(best)


async def measure_decisions(_: Company) -> Result:
    viewer = Viewer(ACCESS, _person(1, Grant(Role.VIEWER), Grant(Role.MANAGER, 1, "/A/B/")), datetime.now(UTC))
    cell = (frozenset({Role.VIEWER, Role.MANAGER}), Kind.TERRITORY, StateGroup.ACTIVE, Act.READ, False)
    request = (frozenset({"viewer", "manager", "everyone"}), "territory", "active", "read", False)
    enforcer = ACCESS.snapshot._enforcers[Kind.TERRITORY, Act.READ]

    def warm() -> bool:
        return viewer.may(Act.READ, Kind.TERRITORY, state=StateGroup.ACTIVE, model_id=1, path="/A/B/C/")

    def first_time() -> bool:
        return ACCESS.allows(
            viewer.principal,
            Act.READ,
            Kind.TERRITORY,
            state=StateGroup.ACTIVE,
            model_id=1,
            path="/A/B/C/",
            now=viewer.now,
        )

    return Result(
        "access-decisions",
        _per_second(warm),
        "decisions/s",
        "higher",
        "one process, two grants, best of five",
        {
            "a path asked about for the first time": _per_second(first_time, 50_000),
            "Casbin asked each time": _per_second(lambda: enforcer.enforce(*request), 500),
        },
        {"the policy's memo alone": _per_second(lambda: ACCESS.snapshot.allowed(*cell))},
    )


async def measure_recheck(_: Company) -> Result:
    now = datetime.now(UTC)
    viewers = [
        Viewer(ACCESS, _person(n, Grant(Role.MANAGER, 1, f"/A/B{n % 50}/"), Grant(Role.VIEWER)), now)
        for n in range(SUBSCRIBERS)
    ]

    async def one_event() -> None:
        for viewer in viewers:
            viewer.may(Act.READ, Kind.MODEL, state=StateGroup.PLANNING, model_id=1)
            viewer.may(Act.READ, Kind.TERRITORY, state=StateGroup.PLANNING, model_id=1, path="/A/B7/C/")

    async def one_by_one() -> None:
        for viewer in viewers:
            for kind, path in ((Kind.MODEL, "/"), (Kind.TERRITORY, "/A/B7/C/")):
                ACCESS.allows(
                    viewer.principal, Act.READ, kind, state=StateGroup.PLANNING, model_id=1, path=path, now=now
                )

    return Result(
        "access-recheck",
        await timed(one_event),
        "ms",
        "lower",
        "1,000 live subscribers looked at for one event, two decisions each",
        {"without what viewers remember": await timed(one_by_one)},
    )


thing = Table(
    "bench_territory",
    MetaData(),
    Column("id", BigInteger, primary_key=True),
    Column("model_id", BigInteger),
    Column("path", Bytewise),
    Column("name", Text),
)
FILL = f"""INSERT INTO bench_territory SELECT n, 1,
  '/R/A' || n % 40 || '/B' || n / 40 % 50 || '/C' || n || '/', 'Territory ' || n FROM generate_series(1, {TERRITORIES}) n"""


async def measure_list(company: Company) -> Result:
    grants = [Grant(Role.MANAGER, 1, f"/R/A{number}/") for number in range(GRANTS // 2)]
    grants += [Grant(Role.PLANNER, 1, f"/R/A{number}/B{number}/") for number in range(GRANTS - len(grants))]
    who, columns = _person(1, *grants), thing.c
    database = open_database(company.url)
    state = literal(ModelState.PLANNING.value)
    page = select(thing).order_by(columns.path).limit(PAGE + 1)

    def filtered() -> object:
        allowed = visible(
            ACCESS,
            who,
            Kind.TERRITORY,
            now=datetime.now(UTC),
            state=state,
            model_id=columns.model_id,
            path=columns.path,
        )
        return page.where(columns.model_id == 1, allowed)

    async with database.write() as session:
        await session.execute(text("DROP TABLE IF EXISTS bench_territory"))
        await session.connection.run_sync(thing.metadata.create_all)
        await session.execute(text(FILL))
        await session.execute(text("CREATE UNIQUE INDEX ON bench_territory (model_id, path)"))
    async with database.engine.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(
            text("ANALYZE bench_territory")
        )
    async with database.read() as session:
        await session.rows(page)
        mine = await timed(lambda: session.rows(filtered()), 41)  # type: ignore[arg-type]  # a statement
        unfiltered = await timed(lambda: session.rows(page.where(columns.model_id == 1)), 41)
        everything = await timed(lambda: _row_by_row(session, who), 1)
    async with database.write() as session:
        await session.execute(text("DROP TABLE bench_territory"))
    await database.close()
    await asyncio.sleep(0)
    return Result(
        "access-list",
        round(mine / unfiltered, 2),
        "times the unfiltered query",
        "lower",
        f"{PAGE} of {TERRITORIES:,} territories with {GRANTS} grants; {mine} ms",
        {"every row read and checked, ms": everything},
        {"unfiltered, ms": unfiltered},
    )


async def _row_by_row(session: object, who: Principal) -> None:
    now = datetime.now(UTC)
    rows = await session.rows(select(thing.c.id, thing.c.path).order_by(thing.c.path))  # type: ignore[attr-defined]  # a session
    kept = []
    for row in rows:
        if ACCESS.allows(who, Act.READ, Kind.TERRITORY, state=StateGroup.PLANNING, model_id=1, path=row.path, now=now):
            kept.append(row)
            if len(kept) > PAGE:
                return
