"""The audit through GraphQL: for auditors and administrators of the whole; reads that were refused are in it, too."""

from typing import Any

import orjson
import pytest
from sqlalchemy import select
from tests.factories.asking import Asking, make_asking
from tests.factories.world import make_model, make_user

from etm_graph.access.sealing import seal
from etm_graph.access.tables import audit_entry
from etm_graph.core.access import Grant, Role
from etm_graph.db.sessions import Database

ENTRIES = """query($f: AuditFilter) { auditEntries(filter: $f) { totalCount nodes {
  act kind allowed code seal policyVersion path user { userName } } } }"""
EXPORT = """mutation($i: AuditExportInput!) { auditExport(input: $i) { lines last head } }"""
RICHEST = "{ accounts(orderBy: REVENUE) { nodes { id } } }"
CREATE = 'mutation { userCreate(input: {userName: "x", name: "X", email: "x@y"}) { user { id } userErrors { code } } }'


@pytest.fixture
async def asking(database: Database) -> Asking:
    return make_asking(database)


async def test_what_was_done_and_refused_is_read_by_auditors_with_its_seal(asking: Asking) -> None:
    planner, rep = [await make_user(asking.database, r.value, r) for r in (Role.PLANNER, Role.REP)]
    auditor = await make_user(asking.database, "auditor", Role.AUDITOR)
    await make_model(asking.world, planner)
    assert await asking.code(rep, RICHEST) == "FORBIDDEN"
    assert await asking.code(rep, CREATE) == "FORBIDDEN"
    async with asking.database.write() as session:
        await seal(session)
    found = await asking.get(auditor, ENTRIES)
    told = [(n["user"]["userName"], n["act"], n["kind"], n["allowed"], n["code"]) for n in found["nodes"]]
    assert told == [
        ("rep", "create", "organisation", False, "FORBIDDEN"),
        ("rep", "read_money", "crm", False, "FORBIDDEN"),
        ("planner", "create", "model", True, None),
    ]
    assert [node["seal"].split(":")[0] for node in found["nodes"]] == ["3", "2", "1"]
    assert {node["policyVersion"] for node in found["nodes"]} == {asking.services.access.snapshot.version}

    async def count(**wanted: Any) -> int:
        return int((await asking.get(auditor, ENTRIES, f=wanted))["totalCount"])

    assert [await count(allowed=False), await count(kind="MODEL"), await count(act="CREATE")] == [2, 1, 2]
    assert [await count(since="2100-01-01T00:00:00Z"), await count(until="2100-01-01T00:00:00Z")] == [0, 3]


@pytest.mark.parametrize("role", [role for role in Role if role not in {Role.ADMIN, Role.AUDITOR}])
async def test_others_read_nothing_of_the_audit(asking: Asking, role: Role) -> None:
    who = await make_user(asking.database, "who", role)
    assert await asking.code(who, ENTRIES) == "FORBIDDEN"
    assert await asking.code(who, EXPORT, i={}) == "FORBIDDEN"


async def test_an_auditor_of_a_part_does_not_read_the_audit_of_the_whole(asking: Asking) -> None:
    part = await make_user(asking.database, "part", grants=(Grant(Role.AUDITOR, None, "/EMEA/"),))
    assert await asking.code(part, ENTRIES) == "FORBIDDEN"


async def test_an_export_is_for_auditors_goes_on_where_it_ended_and_is_audited(asking: Asking) -> None:
    admin, auditor = [await make_user(asking.database, r.value, r) for r in (Role.ADMIN, Role.AUDITOR)]
    for name in ("A", "B", "C"):
        await make_model(asking.world, admin, name)
    assert await asking.code(admin, EXPORT, i={}) == "FORBIDDEN"
    first = await asking.get(auditor, EXPORT, i={"first": 2})
    rest = await asking.get(auditor, EXPORT, i={"afterNumber": first["last"]})
    lines = [orjson.loads(line) for line in (*first["lines"], *rest["lines"])]
    assert [(line["user_id"], line["act"]) for line in lines] == [
        *[(admin.user_id, "create")] * 3,
        (admin.user_id, "export"),
        (auditor.user_id, "export"),
    ]
    assert await asking.code(auditor, EXPORT, i={"first": 10_001}) == "LIMIT_EXCEEDED"
    async with asking.database.read() as session:
        rows = await session.rows(select(audit_entry).where(audit_entry.c.act == "export"))
    assert [(row.user_id, row.allowed) for row in rows] == [
        (admin.user_id, False),
        (auditor.user_id, True),
        (auditor.user_id, True),
    ]
