"""Forecasts through GraphQL: what each role is shown, and in how many statements."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import insert, update
from tests.factories.world import (
    ACCESS,
    make_account,
    make_model,
    make_opportunity,
    make_territory,
    make_type,
    make_user,
    make_world,
)

from etm_graph.api import make_schema
from etm_graph.core.access import Grant, Role
from etm_graph.db.sessions import Database
from etm_graph.events.feed import Feed
from etm_graph.features.alignment.service import Engine
from etm_graph.features.alignment.tables import opportunity_alignment
from etm_graph.features.crm.tables import organisation
from etm_graph.features.forecasts.service import ForecastCube
from etm_graph.features.models.tables import territory_model
from etm_graph.graphql.context import Context, Services
from etm_graph.graphql.execution import Executor, Operation
from etm_graph.graphql.ids import encode_id
from etm_graph.identity.principal import Principal
from etm_graph.settings import Settings

SETTINGS = Settings()
EXECUTOR = Executor(make_schema(SETTINGS), SETTINGS)

AMOUNTS = """{ pipeline bestCase mostLikely commit closed omitted
  openPipeline bestCaseForecast mostLikelyForecast commitForecast }"""
CELL = f"{{ period start end opportunityCount own {AMOUNTS} rolledUp {AMOUNTS} territory {{ developerName }} }}"
ONE = f"query($id: ID!, $p: String!) {{ territory(id: $id) {{ forecast(period: $p) {CELL} }} }}"
GRID = """query($m: ID!, $p: [String!]!, $d: Int) { territoryModel(id: $m) { forecast(periods: $p, maxDepth: $d) {
  cells { period opportunityCount own { pipeline } rolledUp { pipeline } territory { developerName } }
  unassigned { period opportunityCount own { pipeline } rolledUp { pipeline } territory { id } } } } }"""


@dataclass(frozen=True)
class Company:
    """An active model World > Europe > DE, World > Asia, with six opportunities, and GraphQL for whoever asks."""

    database: Database
    services: Services
    model_key: int
    keys: dict[str, int]
    planner: Principal

    @property
    def model(self) -> str:
        return encode_id("TerritoryModel", self.model_key)

    async def ask(self, who: Principal, query: str, **variables: Any) -> dict[str, Any]:
        answer = await EXECUTOR.run(Operation(query, variables), Context(self.services, who, "test"))
        return answer.body()

    async def get(self, who: Principal, query: str, **variables: Any) -> Any:
        body = await self.ask(who, query, **variables)
        assert "errors" not in body, body
        (value,) = body["data"].values()
        return value

    async def cell(self, who: Principal, name: str, period: str = "FY2026-Q3") -> Any:
        return (await self.get(who, ONE, id=encode_id("Territory", self.keys[name]), p=period))["forecast"]


BOOK: list[tuple[str | None, str, str, date]] = [
    ("World", "1.00", "PIPELINE", date(2026, 7, 1)),
    ("Europe", "10.00", "BEST_CASE", date(2026, 8, 1)),
    ("DE", "100.00", "MOST_LIKELY", date(2026, 9, 30)),
    ("DE", "1000.00", "COMMIT", date(2026, 9, 30)),
    ("Asia", "10000.00", "CLOSED", date(2026, 7, 4)),
    ("Asia", "100000.00", "OMITTED", date(2026, 7, 4)),
    (None, "0.50", "PIPELINE", date(2026, 7, 4)),
    ("DE", "7.00", "PIPELINE", date(2026, 10, 1)),
]
"""Territory, amount, category and close date."""


@pytest.fixture
async def company(database: Database) -> Company:
    world = make_world(database)
    admin = await make_user(database, "admin", Role.ADMIN)
    planner = await make_user(database, "planner", Role.PLANNER)
    type_id = await make_type(world, admin)
    model_id = await make_model(world, planner)
    keys: dict[str, int] = {}
    for name, parent in (("World", ""), ("Europe", "World"), ("DE", "Europe"), ("Asia", "World")):
        keys[name] = await make_territory(world, planner, model_id, type_id, name, keys.get(parent))
    account_id = await make_account(database, "Acme")
    for where, amount, category, day in BOOK:
        number = await make_opportunity(database, account_id, amount=amount, forecast_category=category, close_date=day)
        row = {"model_id": model_id, "opportunity_id": number, "cause": "POLICY", "reason": "X"}
        async with database.write() as session:
            await session.execute(
                insert(opportunity_alignment).values(**row, territory_id=None if where is None else keys[where])
            )
    async with database.write() as session:
        await session.execute(update(territory_model).where(territory_model.c.id == model_id).values(state="ACTIVE"))

    async def same(principal: Principal) -> Principal:
        return principal

    extras = {Engine: world.engine, ForecastCube: world.cube}
    services = Services(SETTINGS, database, ACCESS, world.writer, Feed(database, poll_s=1), same, dict(extras))
    return Company(database, services, model_id, keys, planner)


def _name(cell: dict[str, Any]) -> str:
    name: str = cell["territory"]["developerName"]
    return name


def amounts(**given: str) -> dict[str, str]:
    names = AMOUNTS.strip("{} ").split()
    return {name: given.get(name, "0.00") for name in names}


async def test_a_territory_has_its_own_and_what_is_below_by_category(company: Company) -> None:
    assert await company.cell(company.planner, "Europe") == {
        "period": "FY2026-Q3",
        "start": "2026-07-01",
        "end": "2026-09-30",
        "opportunityCount": 3,
        "own": amounts(bestCase="10.00", openPipeline="10.00", bestCaseForecast="10.00"),
        "rolledUp": amounts(
            bestCase="10.00",
            mostLikely="100.00",
            commit="1000.00",
            openPipeline="1110.00",
            bestCaseForecast="1110.00",
            mostLikelyForecast="1100.00",
            commitForecast="1000.00",
        ),
        "territory": {"developerName": "Europe"},
    }


async def test_cumulative_amounts_leave_out_what_is_omitted(company: Company) -> None:
    found = await company.cell(company.planner, "World")
    assert found["opportunityCount"] == 6
    assert found["rolledUp"] == amounts(
        pipeline="1.00",
        bestCase="10.00",
        mostLikely="100.00",
        commit="1000.00",
        closed="10000.00",
        omitted="100000.00",
        openPipeline="1111.00",
        bestCaseForecast="11110.00",
        mostLikelyForecast="11100.00",
        commitForecast="11000.00",
    )


async def test_a_grid_has_a_cell_for_every_territory_and_period_and_what_is_unassigned(company: Company) -> None:
    found = (await company.get(company.planner, GRID, m=company.model, p=["FY2026-Q3", "FY2026-Q4"]))["forecast"]
    flat = [
        (_name(cell), cell["period"][-2:], cell["opportunityCount"], cell["rolledUp"]["pipeline"])
        for cell in found["cells"]
    ]
    assert flat == [
        ("World", "Q3", 6, "1.00"),
        ("World", "Q4", 1, "7.00"),
        ("Asia", "Q3", 2, "0.00"),
        ("Asia", "Q4", 0, "0.00"),
        ("Europe", "Q3", 3, "0.00"),
        ("Europe", "Q4", 1, "7.00"),
        ("DE", "Q3", 2, "0.00"),
        ("DE", "Q4", 1, "7.00"),
    ]
    assert [
        (cell["period"], cell["opportunityCount"], cell["own"]["pipeline"], cell["rolledUp"]["pipeline"])
        for cell in found["unassigned"]
    ] == [("FY2026-Q3", 1, "0.50", "0.50"), ("FY2026-Q4", 0, "0.00", "0.00")]
    assert [cell["territory"] for cell in found["unassigned"]] == [None, None]


async def test_a_grid_can_be_cut_at_a_depth_without_losing_amounts(company: Company) -> None:
    found = (await company.get(company.planner, GRID, m=company.model, p=["FY2026"], d=1))["forecast"]
    assert [(_name(cell), cell["rolledUp"]["pipeline"]) for cell in found["cells"]] == [
        ("World", "8.00"),
        ("Asia", "0.00"),
        ("Europe", "7.00"),
    ]


async def test_a_viewer_is_shown_counts_and_no_money(company: Company) -> None:
    viewer = await make_user(company.database, "viewer", Role.VIEWER)
    found = await company.cell(viewer, "Europe")
    assert found["opportunityCount"] == 3
    assert set(found["own"].values()) == set(found["rolledUp"].values()) == {None}


async def test_a_subtree_is_all_that_its_manager_is_shown(company: Company) -> None:
    manager = await make_user(
        company.database, "manager", grants=(Grant(Role.MANAGER, company.model_key, "/World/Europe/"),)
    )
    found = (await company.get(manager, GRID, m=company.model, p=["FY2026-Q4"]))["forecast"]
    assert [(_name(cell), cell["rolledUp"]["pipeline"]) for cell in found["cells"]] == [
        ("Europe", "7.00"),
        ("DE", "7.00"),
    ]
    assert found["unassigned"] is None
    assert await company.get(manager, ONE, id=encode_id("Territory", company.keys["Asia"]), p="FY2026") is None


async def test_money_is_shown_in_the_subtree_where_it_may_be_seen(company: Company) -> None:
    grants = (Grant(Role.VIEWER), Grant(Role.FORECAST_READER, company.model_key, "/World/Asia/"))
    both = await make_user(company.database, "both", grants=grants)
    found = (await company.get(both, GRID, m=company.model, p=["FY2026-Q4"]))["forecast"]
    shown = {_name(cell): cell["rolledUp"]["pipeline"] for cell in found["cells"]}
    assert shown == {"World": None, "Asia": "0.00", "Europe": None, "DE": None}
    assert [cell["own"]["pipeline"] for cell in found["unassigned"]] == [None]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.REP])
async def test_archived_forecasts_are_hidden_from_those_who_read_the_active_model_only(
    company: Company, role: Role
) -> None:
    who = await make_user(company.database, "who", role)
    async with company.database.write() as session:
        await session.execute(update(territory_model).values(state="ARCHIVED"))
    assert await company.get(who, GRID, m=company.model, p=["FY2026"]) is None
    found = (await company.get(company.planner, GRID, m=company.model, p=["FY2026"], d=0))["forecast"]
    assert [cell["opportunityCount"] for cell in found["cells"]] == [7]


@pytest.mark.parametrize(
    ("periods", "code"),
    [
        ([], "LIMIT_EXCEEDED"),
        (["FY2026-Q1"] * 41, "LIMIT_EXCEEDED"),
        (["FY2026", "FY2026-Q3"], "INVALID"),
        (["FY2026-Q5"], "INVALID"),
    ],
)
async def test_periods_that_make_no_grid_are_refused(company: Company, periods: list[str], code: str) -> None:
    body = await company.ask(company.planner, GRID, m=company.model, p=periods)
    assert [(error["extensions"]["code"], error["path"]) for error in body["errors"]] == [
        (code, ["territoryModel", "forecast"])
    ]


async def test_all_territories_of_a_level_cost_the_statements_of_one(company: Company) -> None:
    counted: list[str] = []

    def count(statement: str) -> None:
        counted.append(statement)

    await company.cell(company.planner, "World", "FY2026")
    company.database.on_statement(count)
    needed = []
    query = """query($i: [ID!]!) { nodes(ids: $i) {
      ... on Territory { forecast(period: "FY2026") { opportunityCount } } } }"""
    for names in (["World"], ["World", "Europe", "DE", "Asia"]):
        counted.clear()
        ids = [encode_id("Territory", company.keys[name]) for name in names]
        found = await company.get(company.planner, query, i=ids)
        assert [node["forecast"]["opportunityCount"] for node in found] == [7, 4, 3, 2][: len(names)]
        needed.append(len([text for text in counted if text.startswith(("SELECT", "WITH"))]))
    assert needed[0] == needed[1]


async def test_a_drafts_forecast_is_what_its_rules_make_of_todays_opportunities(company: Company) -> None:
    async with company.database.write() as session:
        await session.execute(update(territory_model).values(state="PLANNING"))
    query = GRID.replace("unassigned {", "isDraft unassigned {")
    found = (await company.get(company.planner, query, m=company.model, p=["FY2026"], d=0))["forecast"]
    assert found["isDraft"] is True
    assert [(cell["opportunityCount"], cell["rolledUp"]["pipeline"]) for cell in found["cells"]] == [(0, "0.00")]
    assert [(cell["opportunityCount"], cell["own"]["pipeline"]) for cell in found["unassigned"]] == [(8, "8.50")]


DRILL = """query($id: ID!, $p: String!, $m: ForecastMeasure, $own: Boolean, $n: Int, $after: String) {
  territory(id: $id) { forecast(period: $p) { opportunities(measure: $m, own: $own, first: $n, after: $after) {
    totalCount pageInfo { hasNextPage endCursor }
    nodes { amount category opportunity { name } territory { developerName } } } } } }"""


async def drill(company: Company, who: Principal, name: str, **given: Any) -> Any:
    variables = {"id": encode_id("Territory", company.keys[name]), "p": "FY2026-Q3", **given}
    return (await company.get(who, DRILL, **variables))["forecast"]["opportunities"]


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("measure", [None, "PIPELINE", "COMMIT", "CLOSED", "OPEN_PIPELINE", "COMMIT_FORECAST"])
async def test_the_opportunities_behind_a_cell_add_up_to_it(company: Company, measure: str | None, own: bool) -> None:
    for name in company.keys:
        cell = await company.cell(company.planner, name)
        found = await drill(company, company.planner, name, m=measure, own=own)
        total = sum((Decimal(node["amount"]) for node in found["nodes"]), Decimal(0))
        shown = cell["own" if own else "rolledUp"]
        if measure is None:
            names = ("pipeline", "bestCase", "mostLikely", "commit", "closed", "omitted")
            assert total == sum(Decimal(shown[each]) for each in names)
            assert own or found["totalCount"] == cell["opportunityCount"]
        else:
            camel = measure.split("_")[0].lower() + "".join(part.title() for part in measure.split("_")[1:])
            assert total == Decimal(shown[camel])
        assert found["totalCount"] == len(found["nodes"])


async def test_what_is_behind_a_cell_comes_in_pages(company: Company) -> None:
    seen: list[str] = []
    after = None
    for _ in range(3):
        page = await drill(company, company.planner, "World", n=2, after=after)
        seen += [node["amount"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
    assert page["pageInfo"]["hasNextPage"] is False
    assert seen == ["1.00", "10.00", "100.00", "1000.00", "10000.00", "100000.00"]


async def test_a_tool_that_may_not_read_the_crm_sees_amounts_behind_a_cell_and_no_opportunity(
    company: Company,
) -> None:
    tool = await make_user(company.database, "tool", Role.FORECAST_READER)
    found = await drill(company, tool, "DE", m="COMMIT")
    assert found["nodes"] == [
        {"amount": "1000.00", "category": "COMMIT", "opportunity": None, "territory": {"developerName": "DE"}}
    ]


async def test_a_viewer_without_money_drills_without_amounts(company: Company) -> None:
    viewer = await make_user(company.database, "viewer", Role.VIEWER)
    found = await drill(company, viewer, "DE", m="COMMIT")
    assert [(node["amount"], node["opportunity"]["name"]) for node in found["nodes"]] == [(None, "Deal")]


PERIODS = """query($s: Date!, $e: Date!, $k: FiscalPeriodKind!) {
  fiscalPeriods(start: $s, end: $e, kind: $k) { key start end } }"""


async def test_fiscal_periods_of_a_range_are_those_with_a_day_in_it(company: Company) -> None:
    async with company.database.write() as session:
        await session.execute(update(organisation).values(fiscal_year_start_month=2))
    given = {"s": "2026-01-31", "e": "2026-05-01", "k": "QUARTER"}
    assert await company.get(company.planner, PERIODS, **given) == [
        {"key": "FY2026-Q4", "start": "2025-11-01", "end": "2026-01-31"},
        {"key": "FY2027-Q1", "start": "2026-02-01", "end": "2026-04-30"},
        {"key": "FY2027-Q2", "start": "2026-05-01", "end": "2026-07-31"},
    ]


@pytest.mark.parametrize(
    ("end", "kind", "code"),
    [("2029-05-01", "MONTH", "LIMIT_EXCEEDED"), ("2025-12-31", "MONTH", "INVALID"), ("2029-04-30", "MONTH", None)],
)
async def test_a_range_has_at_most_forty_periods_and_does_not_end_before_it_begins(
    company: Company, end: str, kind: str, code: str | None
) -> None:
    body = await company.ask(company.planner, PERIODS, s="2026-01-01", e=end, k=kind)
    if code is None:
        assert len(body["data"]["fiscalPeriods"]) == 40
    else:
        assert [(error["extensions"]["code"], error["path"]) for error in body["errors"]] == [(code, ["fiscalPeriods"])]
