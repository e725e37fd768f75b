"""The CRM through GraphQL: what each role is shown, filters, orders, pages, payloads."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import insert, update
from tests.factories.world import ACCESS, make_account, make_opportunity, make_user, make_world

from etm_graph.api import make_schema
from etm_graph.core.access import Role
from etm_graph.db.sessions import Database
from etm_graph.events.feed import Feed
from etm_graph.features.crm.tables import app_user, exchange_rate
from etm_graph.graphql.context import Context, Services
from etm_graph.graphql.execution import Executor, Operation
from etm_graph.graphql.ids import encode_id
from etm_graph.identity.principal import Principal
from etm_graph.settings import Settings

SETTINGS = Settings()
EXECUTOR = Executor(make_schema(SETTINGS), SETTINGS)

NAMES = """query($f: AccountFilterInput, $o: AccountOrder! = NAME, $n: Int, $a: String) {
  accounts(filter: $f, orderBy: $o, first: $n, after: $a) {
    nodes { name } pageInfo { hasNextPage endCursor } totalCount } }"""
MONEY = "{ accounts { nodes { name annualRevenue opportunities { nodes { name amount } } } } }"
UPDATE = """mutation($id: ID!, $v: BigInt!, $n: String, $p: ID) {
  accountUpdate(input: {id: $id, expectedVersion: $v, name: $n, parentId: $p}) {
    account { name version parent { name } } crmSequence userErrors { field code conflicts { field theirs } } } }"""


@dataclass(frozen=True)
class Crm:
    """Three accounts, in two currencies, and GraphQL for whoever asks."""

    database: Database
    services: Services
    admin: Principal
    keys: dict[str, int]

    def id(self, name: str) -> str:
        return encode_id("Account", self.keys[name])

    async def ask(self, who: Principal, query: str, **variables: Any) -> dict[str, Any]:
        return (await EXECUTOR.run(Operation(query, variables), Context(self.services, who, "test"))).body()

    async def get(self, query: str, *, who: Principal | None = None, **variables: Any) -> Any:
        body = await self.ask(who or self.admin, query, **variables)
        assert "errors" not in body, body
        (value,) = body["data"].values()
        return value

    async def names(self, order: str = "NAME", **conditions: Any) -> list[str]:
        return [node["name"] for node in (await self.get(NAMES, f=conditions, o=order))["nodes"]]


@pytest.fixture
async def crm(database: Database) -> Crm:
    world = make_world(database)
    admin = await make_user(database, "admin", Role.ADMIN)
    async with database.write() as session:
        await session.execute(insert(exchange_rate).values(currency="EUR", effective_from=date(2020, 1, 1), rate=2))
    keys = {
        "Acme": await make_account(
            database, "Acme", annual_revenue=100, billing_country="US", billing_postal_code="02139", industry="1111"
        ),
        "Beta": await make_account(
            database, "Beta", annual_revenue=60, currency="EUR", billing_country="DE", type="Customer"
        ),
        "Cora": await make_account(database, "Cora", owner_id=admin.user_id, billing_state="MA"),
    }
    await make_opportunity(database, keys["Acme"], "Old", stage="Won", close_date=date(2026, 1, 1), amount=7)
    await make_opportunity(database, keys["Acme"], "New", forecast_category="COMMIT", close_date=date(2026, 6, 1))

    async def same(principal: Principal) -> Principal:
        return principal

    services = Services(SETTINGS, database, ACCESS, world.writer, Feed(database, poll_s=1), same)
    return Crm(database, services, admin, keys)


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, ["Acme", "Beta", "Cora"]),
        ({"nameContains": "E"}, ["Acme", "Beta"]),
        ({"country": "DE"}, ["Beta"]),
        ({"state": "MA"}, ["Cora"]),
        ({"postalCodeStartsWith": "021"}, ["Acme"]),
        ({"industryStartsWith": "11"}, ["Acme"]),
        ({"type": "Customer"}, ["Beta"]),
        ({"annualRevenueFrom": "100", "annualRevenueUntil": "119.99"}, ["Acme"]),
        ({"annualRevenueFrom": "120"}, ["Beta"]),
    ],
)
async def test_accounts_are_filtered(crm: Crm, conditions: dict[str, Any], expected: list[str]) -> None:
    assert await crm.names(**conditions) == expected
    assert (await crm.get(NAMES, f=conditions))["totalCount"] == len(expected)


async def test_accounts_are_filtered_by_owner(crm: Crm) -> None:
    assert await crm.names(ownerId=encode_id("User", crm.admin.user_id)) == ["Cora"]


async def test_revenue_is_ordered_in_corporate_currency_page_by_page(crm: Crm) -> None:
    seen, cursor = [], None
    for more in (True, True, False):
        page = await crm.get(NAMES, o="REVENUE", n=1, a=cursor)
        seen += [node["name"] for node in page["nodes"]]
        assert page["pageInfo"]["hasNextPage"] is more
        cursor = page["pageInfo"]["endCursor"]
    assert seen == ["Beta", "Acme", "Cora"]


@pytest.mark.parametrize(
    ("filter_", "order"),
    [({}, "REVENUE"), ({"annualRevenueFrom": "1"}, "NAME"), ({"annualRevenueUntil": "1"}, "NAME")],
)
async def test_who_may_not_see_money_may_not_order_or_filter_by_it(
    crm: Crm, filter_: dict[str, Any], order: str
) -> None:
    rep = await make_user(crm.database, "rep", Role.REP)
    body = await crm.ask(rep, NAMES, f=filter_, o=order)
    assert [error["extensions"]["code"] for error in body["errors"]] == ["FORBIDDEN"]
    assert body["data"] is None


@pytest.mark.parametrize(
    ("role", "sees"),
    [(Role.ADMIN, True), (Role.PLANNER, True), (Role.MANAGER, True), (Role.REP, False), (Role.VIEWER, False)],
)
async def test_money_is_null_for_those_who_may_not_see_it(crm: Crm, role: Role, *, sees: bool) -> None:
    who = await make_user(crm.database, "caller", role)
    acme = (await crm.get(MONEY, who=who))["nodes"][0]
    assert acme["annualRevenue"] == ("100.00" if sees else None)
    assert [node["amount"] for node in acme["opportunities"]["nodes"]] == (["1000.00", "7.00"] if sees else [None] * 2)


async def test_who_may_not_read_the_crm_sees_no_account(crm: Crm) -> None:
    reader = await make_user(crm.database, "reader", Role.FORECAST_READER)
    assert (await crm.get(NAMES, who=reader)) == {
        "nodes": [],
        "pageInfo": {"hasNextPage": False, "endCursor": None},
        "totalCount": 0,
    }
    assert await crm.get("query($id: ID!) { account(id: $id) { name } }", who=reader, id=crm.id("Acme")) is None


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        ("{}", ["New", "Old"]),
        ('{stages: ["Won"]}', ["Old"]),
        ("{forecastCategories: [COMMIT]}", ["New"]),
        ('{closesFrom: "2026-01-02"}', ["New"]),
        ('{closesUntil: "2026-01-01"}', ["Old"]),
    ],
)
async def test_opportunities_of_an_account_are_filtered(crm: Crm, filter_: str, expected: list[str]) -> None:
    query = f"""query($id: ID!) {{ account(id: $id) {{
      opportunities(filter: {filter_}) {{ nodes {{ name }} totalCount }} }} }}"""
    found = (await crm.get(query, id=crm.id("Acme")))["opportunities"]
    assert ([node["name"] for node in found["nodes"]], found["totalCount"]) == (expected, len(expected))


async def test_direct_reports_of_all_users_come_in_two_statements(crm: Crm) -> None:
    names = ("ann", "bob", "cid")
    users = {name: (await make_user(crm.database, name)).user_id for name in names}
    async with crm.database.write() as session:
        for name in names[1:]:
            row = update(app_user).where(app_user.c.id == users[name]).values(manager_id=users["ann"])
            await session.execute(row)
    statements: list[str] = []
    crm.database.on_statement(statements.append)
    query = "{ users { nodes { userName directReports(first: 1) { nodes { userName } pageInfo { hasNextPage } } } } }"
    nodes = (await crm.get(query))["nodes"]
    reports = {node["userName"]: node["directReports"] for node in nodes}
    assert reports["ann"] == {"nodes": [{"userName": "bob"}], "pageInfo": {"hasNextPage": True}}
    assert reports["bob"] == {"nodes": [], "pageInfo": {"hasNextPage": False}}
    assert len([statement for statement in statements if "app_user" in statement]) == 2


async def test_the_viewer_is_who_calls(crm: Crm) -> None:
    rep = await make_user(crm.database, "rep", Role.REP)
    assert await crm.get("{ viewer { userName } }", who=rep) == {"userName": "rep"}


async def test_the_organisation_has_its_dated_rates(crm: Crm) -> None:
    query = "{ organisation { corporateCurrency exchangeRates { currency effectiveFrom rate } } }"
    found = await crm.get(query)
    assert found["corporateCurrency"] == "USD"
    (rate,) = found["exchangeRates"]
    assert (rate["currency"], rate["effectiveFrom"], Decimal(rate["rate"])) == ("EUR", "2020-01-01", Decimal(2))


async def test_an_update_answers_with_the_account_and_its_number(crm: Crm) -> None:
    answer = await crm.get(UPDATE, id=crm.id("Beta"), v=0, n="Bee", p=crm.id("Acme"))
    assert answer == {
        "account": {"name": "Bee", "version": 1, "parent": {"name": "Acme"}},
        "crmSequence": 1,
        "userErrors": [],
    }


async def test_a_conflict_shows_the_account_as_it_is_now(crm: Crm) -> None:
    await crm.get(UPDATE, id=crm.id("Beta"), v=0, n="Theirs")
    answer = await crm.get(UPDATE, id=crm.id("Beta"), v=0, n="Mine")
    assert answer["account"]["name"] == "Theirs"
    assert answer["crmSequence"] is None
    conflict = {"field": "name", "theirs": '"Theirs"'}
    assert answer["userErrors"] == [{"field": ["expectedVersion"], "code": "CONFLICT", "conflicts": [conflict]}]


async def test_an_unknown_id_is_not_found(crm: Crm) -> None:
    for unknown in (encode_id("Account", 999), encode_id("User", 1), "nonsense"):
        answer = await crm.get(UPDATE, id=unknown, v=0, n="X")
        assert (answer["account"], answer["userErrors"]) == (
            None,
            [{"field": ["id"], "code": "NOT_FOUND", "conflicts": []}],
        )


async def test_an_opportunity_is_created_changed_and_deleted(crm: Crm) -> None:
    create = """mutation($a: ID!) { opportunityCreate(input: {accountId: $a, name: "Deal", stage: "Proposal",
      amount: "12.50", quantity: "3", closeDate: "2026-09-30", forecastCategory: BEST_CASE}) {
      opportunity { id version amount quantity currency forecastCategory account { name } } userErrors { message } } }"""
    made = (await crm.get(create, a=crm.id("Acme")))["opportunity"]
    key = made.pop("id")
    assert made == {
        "version": 1,
        "amount": "12.50",
        "quantity": "3.00",
        "currency": "USD",
        "forecastCategory": "BEST_CASE",
        "account": {"name": "Acme"},
    }
    change = """mutation($id: ID!) { opportunityUpdate(input: {id: $id, expectedVersion: 1, probability: 70}) {
      opportunity { probability } crmSequence } }"""
    assert await crm.get(change, id=key) == {"opportunity": {"probability": 70}, "crmSequence": 2}
    delete = """mutation($id: ID!, $v: BigInt) { opportunityDelete(input: {id: $id, expectedVersion: $v}) {
      deletedId crmSequence userErrors { code } } }"""
    refused = {"deletedId": None, "crmSequence": None, "userErrors": [{"code": "CONFLICT"}]}
    assert await crm.get(delete, id=key, v=1) == refused
    assert await crm.get(delete, id=key, v=2) == {"deletedId": key, "crmSequence": 3, "userErrors": []}


async def test_a_custom_field_lives_and_dies(crm: Crm) -> None:
    create = """mutation { customFieldCreate(input: {developerName: "Segment", label: "Segment", dataType: PICKLIST,
      picklistValues: ["SMB"]}) { customField { id version } userErrors { code } } }"""
    made = (await crm.get(create))["customField"]
    value = """mutation($id: ID!) { accountUpdate(input: {id: $id, expectedVersion: 0,
      customValues: [{field: "Segment", values: ["SMB"]}]}) { account { customValues { field values } } } }"""
    held = [{"field": "Segment", "values": ["SMB"]}]
    assert (await crm.get(value, id=crm.id("Acme")))["account"]["customValues"] == held
    delete = "mutation($id: ID!) { customFieldDelete(input: {id: $id}) { deletedId userErrors { code message } } }"
    answer = await crm.get(delete, id=made["id"])
    message = "1 accounts hold a value in Segment; clear it there first."
    assert answer == {"deletedId": None, "userErrors": [{"code": "IN_USE", "message": message}]}
