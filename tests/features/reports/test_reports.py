"""Reports against plain Python, for an administrator and for a caller limited to a subtree; saved reports."""

from collections import defaultdict
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import pytest
from tests.factories.world import make_user
from tests.features.reports.company import PATHS, Company, make_company

from etm_graph.core.access import Role
from etm_graph.db.sessions import Database
from etm_graph.identity.principal import Principal

RUN = """query($d: ReportDefinitionInput!, $n: Int! = 200, $s: Int! = 0) {
  report(definition: $d, first: $n, skip: $s) { columns totalCount rows { values } } }"""


@pytest.fixture
async def company(database: Database) -> Company:
    return await make_company(database)


async def run(company: Company, who: Principal, subject: str, measures: list[str], **given: Any) -> list[list[str]]:
    definition = {"subject": subject, "measures": measures, **given}
    found = await company.asking.get(who, RUN, d=definition)
    return [row["values"] for row in found["rows"]]


def ratio(part: int | Decimal, whole: int | Decimal) -> str | None:
    return None if not whole else str((Decimal(part) / Decimal(whole)).quantize(Decimal("0.0001"), ROUND_HALF_EVEN))


@pytest.mark.parametrize("who", ["admin", "boss"])
async def test_coverage_is_what_counting_accounts_gives(company: Company, who: str) -> None:
    caller = getattr(company, who)
    expected = defaultdict(lambda: [set(), set(), set(), set(), Decimal("0.00")])
    for account in company.accounts:
        for name in account.places or {None}:
            if not company.sees(caller, name):
                continue
            line = expected[account.industry]
            line[0].add(account.id)
            line[1 if name else 2].add(account.id)
            if len(account.places) > 1:
                line[3].add(account.id)
            line[4] += account.revenue
    measures = ["accounts", "assigned_accounts", "unassigned_accounts", "overlapping_accounts", "revenue"]
    found = await run(company, caller, "COVERAGE", measures, dimensions=["industry"])
    assert found == [
        [industry, *(str(len(line)) for line in lines[:4]), str(lines[4])]
        for industry, lines in sorted(expected.items())
    ]


@pytest.mark.parametrize("who", ["admin", "boss"])
async def test_effectiveness_is_what_adding_up_opportunities_gives(company: Company, who: str) -> None:
    caller = getattr(company, who)
    expected = defaultdict(lambda: [0, 0, 0, Decimal("0.00"), Decimal("0.00")])
    for deal in company.deals:
        if not company.sees(caller, company.territory(deal)):
            continue
        line = expected[deal.owner, f"FY2026-Q{(deal.day.month - 1) // 3 + 1}"]
        line[0] += 1
        line[1] += deal.category == "CLOSED"
        line[2] += deal.category == "OMITTED"
        line[3] += deal.amount if deal.category in {"PIPELINE", "COMMIT"} else 0
        line[4] += deal.amount if deal.category == "CLOSED" else 0
    measures = ["opportunities", "won", "lost", "win_rate", "pipeline", "closed"]
    found = await run(company, caller, "EFFECTIVENESS", measures, dimensions=["owner"], bucket="QUARTER")
    assert found == [
        [*key, str(n), str(won), str(lost), ratio(won, won + lost), str(pipeline), str(closed)]
        for key, (n, won, lost, pipeline, closed) in sorted(expected.items())
    ]


async def test_attainment_is_closed_by_quota_of_the_same_period(company: Company) -> None:
    from etm_graph.graphql.ids import encode_id

    mutation = """mutation($m: ID!, $q: [QuotaInput!]!) { quotasSet(input: {modelId: $m, quotas: $q}) {
      userErrors { code } } }"""
    quotas = [
        {"territoryId": encode_id("Territory", company.keys[name]), "period": "FY2026", "amount": "5000"}
        for name in ("E1", "West")
    ]
    assert await company.asking.code(company.admin, mutation, m=company.model, q=quotas) is None
    found = await run(
        company,
        company.admin,
        "EFFECTIVENESS",
        ["closed", "quota", "attainment"],
        dimensions=["territory"],
        bucket="YEAR",
    )
    closed: dict[str | None, Decimal] = defaultdict(Decimal)
    for deal in company.deals:
        closed[company.territory(deal)] += deal.amount if deal.category == "CLOSED" else 0
    lines = {row[0]: row[1:] for row in found}
    for name in ("E1", "West"):
        assert lines[name] == ["FY2026", f"{closed[name]:.2f}", "5000.00", ratio(closed[name], 5000)]


@pytest.mark.parametrize("who", ["admin", "boss"])
async def test_alignment_balance_and_history_are_what_counting_gives(company: Company, who: str) -> None:
    caller = getattr(company, who)
    seen = [name for name in PATHS if company.sees(caller, name)]
    loads = {
        name: (
            [account for account in company.accounts if name in account.places],
            sum(
                (
                    d.amount
                    for d in company.deals
                    if company.territory(d) == name and d.category in {"PIPELINE", "COMMIT"}
                ),
                Decimal("0.00"),
            ),
        )
        for name in seen
    }
    found = await run(company, caller, "BALANCE", ["accounts", "revenue", "pipeline"], dimensions=["path"])
    assert found == [
        [PATHS[name], str(len(accounts)), f"{sum(a.revenue for a in accounts):.2f}", f"{pipeline:.2f}"]
        for name, (accounts, pipeline) in sorted(loads.items(), key=lambda item: PATHS[item[0]])
    ]
    started = sum(len(accounts) for accounts, _ in loads.values())
    assert await run(company, caller, "HISTORY", ["started", "standing", "ended_assignments"]) == [
        [str(started), str(started), "0"]
    ]
    aligned = sum(company.sees(caller, company.territory(deal)) for deal in company.deals)
    found = await run(company, caller, "ALIGNMENT", ["opportunities", "outside_opportunities", "outside_amount"])
    assert found == [[str(aligned), "0", "0.00"]]


async def test_filters_order_and_pages(company: Company) -> None:
    inside = [{"field": "path", "comparison": "STARTS_WITH", "values": ["/World/East/"]}]
    found = await run(
        company,
        company.admin,
        "BALANCE",
        ["accounts"],
        dimensions=["territory"],
        filters=inside,
        orderBy="accounts",
        descending=True,
    )
    assert sorted(row[0] for row in found) == ["E1", "E2", "East"]
    counts = [int(row[1]) for row in found]
    assert counts == sorted(counts, reverse=True)
    definition = {"subject": "BALANCE", "measures": ["accounts"], "dimensions": ["territory"]}
    page = await company.asking.get(company.admin, RUN, d=definition, n=2, s=1)
    assert (page["totalCount"], [row["values"][0] for row in page["rows"]]) == (5, ["E2", "East"])


@pytest.mark.parametrize(
    ("definition", "code"),
    [
        ({"subject": "COVERAGE", "measures": []}, "INVALID"),
        ({"subject": "COVERAGE", "measures": ["1; DROP TABLE account"]}, "INVALID"),
        ({"subject": "COVERAGE", "measures": ["accounts"], "dimensions": ["stage"]}, "INVALID"),
        ({"subject": "COVERAGE", "measures": ["accounts"], "bucket": "YEAR"}, "INVALID"),
        ({"subject": "COVERAGE", "measures": ["accounts"], "orderBy": "revenue"}, "INVALID"),
        ({"subject": "COVERAGE", "measures": ["accounts"], "filters": [{"field": "industry"}]}, "INVALID"),
        ({"subject": "COVERAGE", "measures": ["accounts", "accounts"]}, "INVALID"),
        ({"subject": "COVERAGE", "measures": ["accounts"] * 21}, "LIMIT_EXCEEDED"),
    ],
)
async def test_definitions_of_what_is_not_there_are_refused(
    company: Company, definition: dict[str, Any], code: str
) -> None:
    assert await company.asking.code(company.admin, RUN, d=definition) == code


async def test_money_is_for_those_who_may_see_it_and_counts_for_viewers(company: Company) -> None:
    viewer = await make_user(company.asking.database, "viewer", Role.VIEWER)
    definition = {"subject": "BALANCE", "measures": ["revenue"], "dimensions": ["path"]}
    assert await company.asking.code(viewer, RUN, d=definition) == "FORBIDDEN"
    definition["measures"] = ["accounts"]
    assert await company.asking.code(viewer, RUN, d=definition) is None
    nobody = await make_user(company.asking.database, "nobody")
    assert await company.asking.code(nobody, RUN, d=definition) in {"FORBIDDEN", "NOT_FOUND"}


FIELDS = """id name shared subject measures dimensions filters { field comparison values } bucket orderBy descending
  version author { userName }"""
SAVE = f"""mutation($i: ReportSaveInput!) {{ reportSave(input: $i) {{ savedReport {{ {FIELDS} }} userErrors {{ code }} }} }}"""


async def test_a_saved_report_comes_back_as_it_was_and_others_run_it_with_their_own_eyes(company: Company) -> None:
    definition = {
        "subject": "EFFECTIVENESS",
        "measures": ["opportunities", "win_rate"],
        "dimensions": ["owner"],
        "filters": [{"field": "stage", "comparison": "EQUALS", "values": ["Proposal"]}],
        "bucket": "YEAR",
        "orderBy": "opportunities",
        "descending": True,
    }
    made = await company.asking.get(company.admin, SAVE, i={"name": "Wins", "shared": True, "definition": definition})
    kept = made["savedReport"]
    assert {key: kept[key] for key in definition} == definition
    assert (kept["name"], kept["author"]) == ("Wins", {"userName": "admin"})
    again = await company.asking.get(company.boss, f"{{ savedReports {{ {FIELDS} }} }}")
    assert again == [kept]
    result = "query($id: ID!) { savedReportResult(id: $id) { rows { values } } }"
    shown = await company.asking.get(company.boss, result, id=kept["id"])
    assert [row["values"] for row in shown["rows"]] == await run(
        company, company.boss, "EFFECTIVENESS", **{key: value for key, value in definition.items() if key != "subject"}
    )
    change = {"id": kept["id"], "name": "Wins", "definition": definition, "expectedVersion": kept["version"]}
    assert await company.asking.code(company.boss, SAVE, i=change) == "NOT_FOUND"
    assert await company.asking.code(company.admin, SAVE, i=change) is None
    assert await company.asking.code(company.admin, SAVE, i=change) == "CONFLICT"
    assert await company.asking.code(company.admin, SAVE, i={"name": "Wins", "definition": definition}) == "TAKEN"
    assert await company.asking.code(company.boss, result, id=kept["id"]) == "NOT_FOUND"
    delete = "mutation($id: ID!) { reportDelete(input: {id: $id}) { deletedId userErrors { code } } }"
    assert await company.asking.code(company.boss, delete, id=kept["id"]) == "NOT_FOUND"
    assert await company.asking.code(company.admin, delete, id=kept["id"]) is None
    assert await company.asking.get(company.admin, "{ savedReports { id } }") == []
