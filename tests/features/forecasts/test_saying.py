"""Quotas, adjustments, submissions and waterfalls through GraphQL, and who may."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import insert, text, update
from tests.factories.asking import Asking, make_asking
from tests.factories.world import (
    make_account,
    make_model,
    make_opportunity,
    make_territory,
    make_type,
    make_user,
)

from etm_graph.core.access import Grant, Role
from etm_graph.core.changes import EntityType
from etm_graph.db.sessions import Database
from etm_graph.features.alignment.tables import opportunity_alignment
from etm_graph.features.crm.queries import opportunities_by_id
from etm_graph.features.crm.service import delete_record, update_opportunity
from etm_graph.features.models.tables import territory_model
from etm_graph.features.territories.service import add_member
from etm_graph.features.territories.tables import territory
from etm_graph.graphql.ids import encode_id
from etm_graph.identity.principal import Principal

DAY = date(2026, 8, 1)


@dataclass
class Region:
    """World > Europe > (DE, FR); Emma is forecast manager of Europe, Rolf owns what DE has."""

    asking: Asking
    admin: Principal
    emma: Principal
    rolf: Principal
    model_key: int
    keys: dict[str, int]
    deals: dict[str, int]
    account: int

    @property
    def model(self) -> str:
        return encode_id("TerritoryModel", self.model_key)

    def id(self, name: str) -> str:
        return encode_id("Territory", self.keys[name])

    async def add(self, name: str, where: str | None, amount: str, **values: Any) -> int:
        given = {"close_date": DAY, "forecast_category": "BEST_CASE", **values}
        number = await make_opportunity(self.asking.database, self.account, name, amount=Decimal(amount), **given)
        row = {"model_id": self.model_key, "opportunity_id": number, "cause": "MANUAL", "reason": "X"}
        async with self.asking.database.write() as session:
            await session.execute(
                insert(opportunity_alignment).values(**row, territory_id=None if where is None else self.keys[where])
            )
            await session.execute(text("UPDATE stream SET head = head + 1 WHERE id = 0"))
            await session.execute(
                text(f"UPDATE opportunity SET version = (SELECT head FROM stream WHERE id = 0) WHERE id = {number}")
            )
        self.deals[name] = number
        return number

    async def realign(self, name: str, where: str | None) -> None:
        async with self.asking.database.write() as session:
            values = {"territory_id": None if where is None else self.keys[where]}
            await session.execute(
                update(opportunity_alignment)
                .where(opportunity_alignment.c.opportunity_id == self.deals[name])
                .values(**values)
            )

    async def change(self, name: str, **values: Any) -> None:
        async with self.asking.world.writer.unit_of_work(self.admin) as work:
            number = self.deals[name]
            row = (await opportunities_by_id(work.session, work.viewer, [number]))[number]
            await update_opportunity(work, number, row.version, values)

    async def cell(self, who: Principal, name: str, selection: str, period: str = "FY2026-Q3") -> Any:
        query = f"query($id: ID!, $p: String!) {{ territory(id: $id) {{ forecast(period: $p) {{ {selection} }} }} }}"
        return (await self.asking.get(who, query, id=self.id(name), p=period))["forecast"]


@pytest.fixture
async def region(database: Database) -> Region:
    asking = make_asking(database)
    world = asking.world
    admin = await make_user(database, "admin", Role.ADMIN)
    planner = await make_user(database, "planner", Role.PLANNER)
    type_id = await make_type(world, admin)
    model_id = await make_model(world, planner)
    keys: dict[str, int] = {}
    for name, parent in (("World", ""), ("Europe", "World"), ("DE", "Europe"), ("FR", "Europe")):
        keys[name] = await make_territory(world, planner, model_id, type_id, name, keys.get(parent))
    emma = await make_user(database, "emma", Role.MANAGER)
    rolf = await make_user(database, "rolf", grants=(Grant(Role.FORECASTER, model_id, "/World/Europe/"),))
    async with world.writer.unit_of_work(admin) as work:
        await add_member(work, keys["Europe"], emma.user_id, {})
    async with database.write() as session:
        await session.execute(
            update(territory).where(territory.c.id == keys["Europe"]).values(forecast_manager_id=emma.user_id)
        )
        await session.execute(update(territory_model).values(state="ACTIVE"))
    account = await make_account(database, "Acme")
    found = Region(asking, admin, emma, rolf, model_id, keys, {}, account)
    await found.add("A", "DE", "100", owner_id=rolf.user_id)
    await found.add("B", "DE", "50", owner_id=rolf.user_id, forecast_category="COMMIT")
    await found.add("C", "DE", "7")
    await found.add("D", "FR", "30")
    return found


SET = """mutation($m: ID!, $q: [QuotaInput!]!) { quotasSet(input: {modelId: $m, quotas: $q}) {
  quotas { id amount period version } change { entityType kind } userErrors { code field message } } }"""
QUOTA = "quota { amount ofPeople fromBelow difference inherited } attainment gap(measure: COMMIT_FORECAST)"


async def set_quota(region: Region, who: Principal, *quotas: dict[str, Any]) -> Any:
    return await region.asking.get(who, SET, m=region.model, q=list(quotas))


def wish(region: Region, name: str, amount: str, period: str = "FY2026-Q3", **more: Any) -> dict[str, Any]:
    return {"territoryId": region.id(name), "period": period, "amount": amount, **more}


async def test_quotas_are_compared_with_what_is_below_and_with_the_forecast(region: Region) -> None:
    rolf = encode_id("User", region.rolf.user_id)
    made = await set_quota(
        region,
        region.admin,
        wish(region, "Europe", "200"),
        wish(region, "DE", "120"),
        wish(region, "DE", "80", userId=rolf),
        wish(region, "FR", "70.50"),
    )
    assert made["userErrors"] == []
    assert [quota["amount"] for quota in made["quotas"]] == ["200.00", "120.00", "80.00", "70.50"]
    assert made["change"] == {"entityType": "QUOTA", "kind": "CREATED"}
    found = await region.cell(region.emma, "Europe", QUOTA)
    assert found["quota"] == {
        "amount": "200.00",
        "ofPeople": "0.00",
        "fromBelow": "190.50",
        "difference": "9.50",
        "inherited": False,
    }
    assert (found["attainment"], found["gap"]) == ("0.0000", "150.00")
    assert (await region.cell(region.emma, "DE", QUOTA))["quota"]["difference"] == "40.00"
    year = await region.cell(region.emma, "Europe", QUOTA, "FY2026")
    assert year["quota"]["amount"] == "200.00"


async def test_a_quota_is_spread_to_the_cent_and_summed_up_again(region: Region) -> None:
    await set_quota(region, region.admin, wish(region, "Europe", "100.01"))
    spread = """mutation($t: ID!, $by: QuotaSpreadBy!, $w: [QuotaWeightInput!]!) {
      quotaSpread(input: {territoryId: $t, period: "FY2026-Q3", by: $by, weights: $w}) {
        quotas { amount territory { developerName } } userErrors { code field } } }"""
    found = await region.asking.get(region.admin, spread, t=region.id("Europe"), by="EQUAL", w=[])
    assert [(q["territory"]["developerName"], q["amount"]) for q in found["quotas"]] == [
        ("DE", "50.01"),
        ("FR", "50.00"),
    ]
    found = await region.asking.get(region.admin, spread, t=region.id("Europe"), by="PIPELINE", w=[])
    assert [q["amount"] for q in found["quotas"]] == ["83.97", "16.04"]
    weights = [{"territoryId": region.id("FR"), "weight": "1"}]
    found = await region.asking.get(region.admin, spread, t=region.id("Europe"), by="WEIGHTS", w=weights)
    assert [q["amount"] for q in found["quotas"]] == ["0.00", "100.01"]
    await set_quota(region, region.admin, wish(region, "DE", "5"))
    sum_up = """mutation($t: ID!) { quotaSumUp(input: {territoryId: $t, period: "FY2026-Q3"}) {
      quotas { amount } userErrors { code } } }"""
    assert (await region.asking.get(region.admin, sum_up, t=region.id("Europe")))["quotas"] == [{"amount": "105.01"}]
    assert await region.asking.code(region.admin, spread, t=region.id("World"), by="EQUAL", w=[]) == "NOT_FOUND"


@pytest.mark.parametrize(
    ("first", "second", "code", "field"),
    [
        ("FY2026-Q3", "FY2026", "INVALID", ["period"]),
        ("FY2026", "FY2026-M08", "INVALID", ["period"]),
        ("FY2026-Q3", "FY2026-Q5", "INVALID", ["period"]),
        ("FY2026-Q3", "FY2026-Q4", None, None),
    ],
)
async def test_quotas_of_periods_that_overlap_are_refused(
    region: Region, first: str, second: str, code: str | None, field: list[str] | None
) -> None:
    await set_quota(region, region.admin, wish(region, "DE", "1", first))
    found = await set_quota(region, region.admin, wish(region, "FR", "1"), wish(region, "DE", "2", second))
    if code is None:
        assert found["userErrors"] == []
        return
    assert [(error["code"], error["field"]) for error in found["userErrors"]] == [(code, field)]
    assert (await region.cell(region.admin, "FR", QUOTA))["quota"]["amount"] is None


async def test_two_new_quotas_that_overlap_each_other_are_refused(region: Region) -> None:
    found = await set_quota(
        region, region.admin, wish(region, "DE", "1", "FY2026"), wish(region, "DE", "2", "FY2026-Q3")
    )
    assert [error["code"] for error in found["userErrors"]] == ["INVALID"]


async def test_quotas_are_for_administrators_and_planners_of_drafts_and_an_old_version_is_a_conflict(
    region: Region,
) -> None:
    code = await region.asking.code(region.emma, SET, m=region.model, q=[wish(region, "DE", "1")])
    assert code == "FORBIDDEN"
    (made,) = (await set_quota(region, region.admin, wish(region, "DE", "1")))["quotas"]
    await set_quota(region, region.admin, wish(region, "DE", "2"))
    found = await set_quota(region, region.admin, wish(region, "DE", "3", expectedVersion=made["version"]))
    assert [error["code"] for error in found["userErrors"]] == ["CONFLICT"]
    delete = "mutation($id: ID!) { quotaDelete(input: {id: $id}) { deletedId userErrors { code } } }"
    assert await region.asking.code(region.emma, delete, id=made["id"]) == "FORBIDDEN"
    assert (await region.asking.get(region.admin, delete, id=made["id"]))["deletedId"] == made["id"]
    assert (await region.cell(region.admin, "DE", QUOTA))["quota"]["amount"] is None


ADJUST = """mutation($t: ID!, $m: ForecastMeasure!, $a: Decimal!, $n: String!, $o: Boolean!, $p: String!) {
  forecastAdjust(input: {territoryId: $t, period: $p, measure: $m, amount: $a, note: $n, asOwner: $o}) {
    forecastAdjustment { id amount note asOwner user { userName } } userErrors { code field } } }"""
AMOUNTS = """rolledUp { bestCase commit bestCaseForecast } withoutManagerAdjustment { bestCase } adjusted { bestCase commit }"""


async def adjust(region: Region, who: Principal, name: str, amount: str, **given: Any) -> str | None:
    variables = {"m": "BEST_CASE", "n": "because", "o": False, "p": "FY2026-Q3", **given}
    return await region.asking.code(who, ADJUST, t=region.id(name), a=amount, **variables)


async def best_case(region: Region, name: str, period: str = "FY2026-Q3") -> tuple[Any, ...]:
    found = await region.cell(region.admin, name, AMOUNTS, period)
    return tuple(found[key]["bestCase"] for key in ("rolledUp", "withoutManagerAdjustment", "adjusted"))


async def test_owners_and_managers_adjust_and_what_is_below_stays(region: Region) -> None:
    assert await adjust(region, region.rolf, "DE", "60", o=True) is None
    assert await best_case(region, "DE") == ("107.00", "67.00", "67.00")
    assert await best_case(region, "Europe") == ("137.00", "97.00", "97.00")
    assert await adjust(region, region.emma, "DE", "90") is None
    assert await best_case(region, "DE") == ("107.00", "67.00", "90.00")
    assert await best_case(region, "World") == ("137.00", "97.00", "120.00")
    assert await adjust(region, region.emma, "Europe", "500") is None
    assert await best_case(region, "Europe") == ("137.00", "97.00", "500.00")
    assert await best_case(region, "FR") == ("30.00", "30.00", "30.00")
    assert await best_case(region, "World") == ("137.00", "97.00", "500.00")
    found = await region.cell(region.admin, "Europe", AMOUNTS)
    assert (found["rolledUp"]["commit"], found["adjusted"]["commit"]) == ("50.00", "50.00")


async def test_a_year_adds_up_the_adjustments_of_its_quarters_and_a_month_has_none(region: Region) -> None:
    await region.add("E", "DE", "11", close_date=date(2026, 2, 1))
    assert await adjust(region, region.emma, "DE", "90") is None
    assert await best_case(region, "DE", "FY2026") == ("118.00", "118.00", "101.00")
    assert await best_case(region, "DE", "FY2026-M08") == ("107.00", None, None)


@pytest.mark.parametrize(
    ("who", "where", "given", "code"),
    [
        ("rolf", "DE", {}, "FORBIDDEN"),
        ("rolf", "FR", {"o": True}, "FORBIDDEN"),
        ("emma", "World", {}, "FORBIDDEN"),
        ("admin", "DE", {}, "FORBIDDEN"),
        ("emma", "DE", {"m": "PIPELINE"}, "INVALID"),
        ("emma", "DE", {"m": "CLOSED"}, "INVALID"),
        ("emma", "DE", {"n": " "}, "INVALID"),
        ("emma", "DE", {"n": "x" * 256}, "INVALID"),
        ("emma", "DE", {"p": "FY2026"}, "INVALID"),
        ("emma", "DE", {"p": "FY2026-Q7"}, "INVALID"),
        ("rolf", "World", {"o": True}, "NOT_FOUND"),
    ],
)
async def test_adjustments_by_somebody_else_or_of_something_else_are_refused(
    region: Region, who: str, where: str, given: dict[str, Any], code: str
) -> None:
    assert await adjust(region, getattr(region, who), where, "1", **given) == code
    assert await best_case(region, "World") == ("137.00", "137.00", "137.00")


async def test_an_adjustment_is_taken_back_by_its_author_or_a_manager_above(region: Region) -> None:
    variables = {"m": "BEST_CASE", "n": "low", "p": "FY2026-Q3", "t": region.id("DE"), "a": "1"}
    found = await region.asking.get(region.rolf, ADJUST, o=True, **variables)
    delete = "mutation($id: ID!) { forecastAdjustmentDelete(input: {id: $id}) { deletedId userErrors { code } } }"
    number = found["forecastAdjustment"]["id"]
    assert await region.asking.code(region.admin, delete, id=number) == "FORBIDDEN"
    said = await region.cell(region.emma, "DE", "adjustments { id amount note asOwner user { userName } }")
    assert said["adjustments"] == [
        {"id": number, "amount": "1.00", "note": "low", "asOwner": True, "user": {"userName": "rolf"}}
    ]
    assert await region.asking.code(region.emma, delete, id=number) is None
    assert await best_case(region, "DE") == ("107.00", "107.00", "107.00")


async def test_a_submission_keeps_what_was_shown(region: Region) -> None:
    await set_quota(region, region.admin, wish(region, "Europe", "200"))
    await adjust(region, region.emma, "DE", "90")
    submit = """mutation($t: ID!) { forecastSubmit(input: {territoryId: $t, period: "FY2026-Q3", note: "Week 31"}) {
      forecastSubmission { at } userErrors { code } } }"""
    assert await region.asking.code(region.emma, submit, t=region.id("Europe")) is None
    await region.change("A", amount=Decimal(1))
    found = await region.cell(
        region.emma,
        "Europe",
        "submissions { note quota opportunityCount rolledUp { bestCase commitForecast } adjusted { bestCase } "
        "user { userName } }",
    )
    assert found["submissions"] == [
        {
            "note": "Week 31",
            "quota": "200.00",
            "opportunityCount": 4,
            "rolledUp": {"bestCase": "137.00", "commitForecast": "50.00"},
            "adjusted": {"bestCase": "120.00"},
            "user": {"userName": "emma"},
        }
    ]
    assert await region.asking.code(region.admin, submit.replace("Q3", "Q9"), t=region.id("Europe")) == "INVALID"


async def test_people_are_the_owners_of_what_a_territory_has_itself(region: Region) -> None:
    found = await region.cell(region.emma, "DE", "people { user { userName } opportunityCount own { openPipeline } }")
    assert found["people"] == [
        {"user": None, "opportunityCount": 1, "own": {"openPipeline": "7.00"}},
        {"user": {"userName": "rolf"}, "opportunityCount": 2, "own": {"openPipeline": "150.00"}},
    ]


async def test_a_waterfall_leads_from_one_moment_to_another(region: Region) -> None:
    moments = [datetime.now(UTC)]
    await region.change("A", amount=Decimal(120))
    await region.change("B", forecast_category="CLOSED")
    await region.change("C", close_date=date(2026, 10, 1))
    moments.append(datetime.now(UTC))
    await region.add("E", "FR", "5")
    await region.realign("D", None)
    async with region.asking.world.writer.unit_of_work(region.admin) as work:
        await delete_record(work, EntityType.OPPORTUNITY, region.deals["A"])
        await work.session.execute(update(territory_model).values(last_run_at=datetime.now(UTC)))
    async with region.asking.database.write() as session:
        await session.execute(
            text(
                f"UPDATE opportunity SET version = (SELECT head FROM stream WHERE id = 0) WHERE id = {region.deals['D']}"
            )
        )
    query = """query($id: ID!, $s: DateTime!, $u: DateTime) { territory(id: $id) { forecast(period: "FY2026-Q3") {
      waterfall(since: $s, until: $u) { start end steps { step amount opportunityCount } } } } }"""

    async def water(since: datetime, until: datetime | None = None) -> Any:
        given = {"s": since.isoformat(), "u": None if until is None else until.isoformat()}
        found = (await region.asking.get(region.emma, query, id=region.id("Europe"), **given))["forecast"]["waterfall"]
        steps = [(step["step"], step["amount"], step["opportunityCount"]) for step in found["steps"]]
        assert Decimal(found["start"]) + sum(Decimal(amount) for _, amount, _ in steps) == Decimal(found["end"])
        return found["start"], found["end"], steps

    assert await water(moments[0], moments[1]) == (
        "187.00",
        "150.00",
        [("SLIPPED", "-7.00", 1), ("WON", "-50.00", 1), ("AMOUNT_CHANGED", "20.00", 1)],
    )
    assert await water(moments[1]) == (
        "150.00",
        "5.00",
        [("NEW", "5.00", 1), ("LOST", "-120.00", 1), ("REALIGNED", "-30.00", 1)],
    )
    body = await region.asking.ask(
        region.emma, query, id=region.id("Europe"), s=moments[1].isoformat(), u=moments[0].isoformat()
    )
    assert [error["extensions"]["code"] for error in body["errors"]] == ["INVALID"]
