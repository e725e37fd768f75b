"""Giving roles and taking them back: administrators anywhere, others within their branch and their rights."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from tests.factories.asking import Asking, make_asking
from tests.factories.world import make_model, make_territory, make_type, make_user

from etm_graph.access.tables import audit_entry, role_grant
from etm_graph.core.access import Grant, Role
from etm_graph.core.changes import ACCESS_STREAM
from etm_graph.db.sessions import Database
from etm_graph.events.log import read_heads
from etm_graph.graphql.ids import encode_id
from etm_graph.identity.principal import Principal

CREATE = """mutation($u: ID!, $r: Role!, $s: GrantScopeInput!, $e: DateTime) {
  roleGrantCreate(input: {userId: $u, role: $r, scope: $s, expiresAt: $e}) {
    roleGrant { id role path inEveryModel expiresAt user { userName } grantedBy { userName } territoryModel { name } }
    userErrors { code field message } } }"""
REVOKE = "mutation($g: ID!) { roleGrantRevoke(input: {id: $g}) { revokedId userErrors { code } } }"
LIST = (
    """query($f: RoleGrantFilter) { roleGrants(filter: $f) { totalCount nodes { id role path user { userName } } } }"""
)


@pytest.fixture
async def asking(database: Database) -> Asking:
    return make_asking(database)


@pytest.fixture
async def admin(database: Database) -> Principal:
    return await make_user(database, "admin", Role.ADMIN)


async def manager_of(asking: Asking, path: str, model_id: int | None = None, **grant: Any) -> Principal:
    granted = Grant(Role.MANAGER, model_id, path, **grant)
    return await make_user(asking.database, "manager", grants=(granted,))


def user(who: Principal) -> str:
    return encode_id("User", who.user_id)


async def granted(asking: Asking) -> set[tuple[int, str, int | None, str]]:
    async with asking.database.read() as session:
        rows = await session.rows(select(role_grant))
    return {(row.user_id, row.role, row.model_id, row.path) for row in rows}


async def heads(asking: Asking) -> int:
    async with asking.database.read() as session:
        return (await read_heads(session, [ACCESS_STREAM]))[ACCESS_STREAM].head


async def test_an_administrator_gives_a_role_on_a_territory_with_an_end(asking: Asking, admin: Principal) -> None:
    pat, planner = await make_user(asking.database, "pat"), await make_user(asking.database, "planner", Role.PLANNER)
    kind = await make_type(asking.world, admin)
    model = await make_model(asking.world, planner)
    north = await make_territory(asking.world, planner, model, kind, "North")
    ends = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    scope = {"territoryId": encode_id("Territory", north)}
    made = await asking.get(admin, CREATE, u=user(pat), r="REP", s=scope, e=ends)
    assert made["userErrors"] == []
    found = made["roleGrant"]
    assert (found["role"], found["path"], found["inEveryModel"]) == ("REP", "/North/", False)
    assert (found["user"], found["grantedBy"]) == ({"userName": "pat"}, {"userName": "admin"})
    assert found["territoryModel"] == {"name": "Draft"}
    assert datetime.fromisoformat(found["expiresAt"]) == datetime.fromisoformat(ends)
    assert (pat.user_id, "rep", model, "/North/") in await granted(asking)
    assert await heads(asking) == 1


async def test_a_grant_on_every_model_and_on_the_organisation(asking: Asking, admin: Principal) -> None:
    pat = await make_user(asking.database, "pat")
    await asking.get(admin, CREATE, u=user(pat), r="VIEWER", s={"organisation": True})
    await asking.get(admin, CREATE, u=user(pat), r="PLANNER", s={"path": "/EMEA/"})
    both = {(pat.user_id, "viewer", None, "/"), (pat.user_id, "planner", None, "/EMEA/")}
    assert await granted(asking) == {(admin.user_id, "admin", None, "/"), *both}


async def test_the_same_role_twice_is_refused_and_a_wrong_path_and_a_past_end(asking: Asking, admin: Principal) -> None:
    pat = await make_user(asking.database, "pat")
    await asking.get(admin, CREATE, u=user(pat), r="VIEWER", s={"path": "/EMEA/"})
    before = await granted(asking)
    assert await asking.code(admin, CREATE, u=user(pat), r="VIEWER", s={"path": "/EMEA/"}) == "TAKEN"
    assert await asking.code(admin, CREATE, u=user(pat), r="VIEWER", s={"path": "EMEA"}) == "INVALID"
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    assert await asking.code(admin, CREATE, u=user(pat), r="REP", s={"path": "/"}, e=past) == "INVALID"
    assert await asking.code(admin, CREATE, u=encode_id("User", 999), r="REP", s={"path": "/"}) == "NOT_FOUND"
    assert await granted(asking) == before


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN and role is not Role.MANAGER])
async def test_who_neither_administers_nor_manages_gives_nothing(asking: Asking, role: Role) -> None:
    who, pat = await make_user(asking.database, "who", role), await make_user(asking.database, "pat")
    before = await granted(asking)
    assert await asking.code(who, CREATE, u=user(pat), r="VIEWER", s={"organisation": True}) == "FORBIDDEN"
    assert await granted(asking) == before


@pytest.mark.parametrize(
    ("role", "path", "code"),
    [
        ("VIEWER", "/EMEA/", None),
        ("REP", "/EMEA/North/", None),
        ("MANAGER", "/EMEA/North/", None),
        ("PLANNER", "/EMEA/", "FORBIDDEN"),
        ("FORECASTER", "/EMEA/", "FORBIDDEN"),
        ("ADMIN", "/EMEA/", "FORBIDDEN"),
        ("VIEWER", "/EMEA2/", "FORBIDDEN"),
        ("VIEWER", "/", "FORBIDDEN"),
    ],
)
async def test_a_manager_delegates_within_the_branch_and_no_more_than_the_own_rights(
    asking: Asking, role: str, path: str, code: str | None
) -> None:
    manager, pat = await manager_of(asking, "/EMEA/"), await make_user(asking.database, "pat")
    before = await granted(asking)
    assert await asking.code(manager, CREATE, u=user(pat), r=role, s={"path": path}) == code
    added = set() if code else {(pat.user_id, role.lower(), None, path)}
    assert await granted(asking) == before | added


async def test_a_manager_of_one_model_delegates_in_no_other(asking: Asking, admin: Principal) -> None:
    planner = await make_user(asking.database, "planner", Role.PLANNER)
    mine = await make_model(asking.world, planner)
    other = await make_model(asking.world, planner, "Other")
    manager, pat = await manager_of(asking, "/", mine), await make_user(asking.database, "pat")

    def on(model: int) -> dict[str, str]:
        return {"modelId": encode_id("TerritoryModel", model)}

    assert await asking.code(manager, CREATE, u=user(pat), r="VIEWER", s=on(mine)) is None
    assert await asking.code(manager, CREATE, u=user(pat), r="VIEWER", s=on(other)) == "NOT_FOUND"
    assert await asking.code(manager, CREATE, u=user(pat), r="VIEWER", s={"path": "/"}) == "FORBIDDEN"
    gone = {"modelId": encode_id("TerritoryModel", 999)}
    assert await asking.code(manager, CREATE, u=user(pat), r="VIEWER", s=gone) == "NOT_FOUND"


async def test_a_delegated_right_ends_no_later_than_the_own(asking: Asking) -> None:
    ends = datetime.now(UTC) + timedelta(days=2)
    manager = await manager_of(asking, "/EMEA/", expires_at=ends)
    pat = await make_user(asking.database, "pat")
    ask = {"u": user(pat), "r": "VIEWER", "s": {"path": "/EMEA/"}}
    assert await asking.code(manager, CREATE, **ask) == "FORBIDDEN"
    assert await asking.code(manager, CREATE, **ask, e=(ends + timedelta(hours=1)).isoformat()) == "FORBIDDEN"
    assert await asking.code(manager, CREATE, **ask, e=(ends - timedelta(hours=1)).isoformat()) is None


async def test_everybody_lists_the_own_grants_a_manager_those_of_the_branch_an_auditor_all(asking: Asking) -> None:
    await make_user(asking.database, "here", grants=(Grant(Role.REP, None, "/EMEA/North/"),))
    await make_user(asking.database, "there", grants=(Grant(Role.REP, None, "/EMEA2/"),))
    whole = await make_user(asking.database, "whole", Role.REP)
    manager = await manager_of(asking, "/EMEA/")
    auditor = await make_user(asking.database, "auditor", Role.AUDITOR)

    async def listed(who: Principal, **wanted: Any) -> list[str]:
        found = await asking.get(who, LIST, f=wanted)
        assert found["totalCount"] == len(found["nodes"])
        return [node["user"]["userName"] for node in found["nodes"]]

    assert await listed(whole) == ["whole"]
    assert await listed(manager) == ["here", "manager"]
    assert await listed(auditor) == ["here", "there", "whole", "manager", "auditor"]
    assert await listed(auditor, role="REP") == ["here", "there", "whole"]
    assert await listed(auditor, userId=user(whole), live=True) == ["whole"]
    assert await listed(auditor, live=False) == []


async def test_what_one_may_not_list_one_cannot_fetch_or_revoke(asking: Asking, admin: Principal) -> None:
    manager = await manager_of(asking, "/EMEA/")
    ids = {n["user"]["userName"]: n["id"] for n in (await asking.get(admin, LIST))["nodes"]}
    node = "query($i: ID!) { node(id: $i) { id } }"
    assert await asking.get(manager, node, i=ids["admin"]) is None
    assert await asking.get(manager, node, i=encode_id("RoleGrant", 999)) is None
    assert await asking.code(manager, REVOKE, g=ids["admin"]) == "NOT_FOUND"
    assert await asking.code(manager, REVOKE, g=encode_id("RoleGrant", 999)) == "NOT_FOUND"


async def test_a_manager_revokes_within_the_branch_but_not_what_exceeds_the_own_rights(asking: Asking) -> None:
    manager = await manager_of(asking, "/EMEA/")
    rep = await make_user(asking.database, "rep", grants=(Grant(Role.REP, None, "/EMEA/North/"),))
    planner = await make_user(asking.database, "planner", grants=(Grant(Role.PLANNER, None, "/EMEA/North/"),))
    ids = {n["user"]["userName"]: n["id"] for n in (await asking.get(manager, LIST))["nodes"]}
    assert await asking.code(manager, REVOKE, g=ids["planner"]) == "FORBIDDEN"
    assert (await asking.get(manager, REVOKE, g=ids["rep"]))["revokedId"] == ids["rep"]
    left = await granted(asking)
    assert (rep.user_id, "rep", None, "/EMEA/North/") not in left
    assert (planner.user_id, "planner", None, "/EMEA/North/") in left


async def test_the_last_administrator_stays(asking: Asking, admin: Principal) -> None:
    ((mine,),) = [[n["id"] for n in (await asking.get(admin, LIST))["nodes"]]]
    assert await asking.code(admin, REVOKE, g=mine) == "IN_USE"
    await make_user(asking.database, "second", Role.ADMIN)
    assert await asking.code(admin, REVOKE, g=mine) is None


async def test_giving_taking_and_refusals_are_audited(asking: Asking, admin: Principal) -> None:
    pat, rep = await make_user(asking.database, "pat"), await make_user(asking.database, "rep", Role.REP)
    await asking.get(admin, CREATE, u=user(pat), r="VIEWER", s={"organisation": True})
    await asking.code(rep, CREATE, u=user(pat), r="ADMIN", s={"organisation": True})
    async with asking.database.read() as session:
        rows = await session.rows(select(audit_entry).order_by(audit_entry.c.id))
    assert [(row.user_id, row.act, row.allowed, row.code) for row in rows] == [
        (admin.user_id, "grant", True, None),
        (rep.user_id, "grant", False, "FORBIDDEN"),
    ]
    assert rows[0].streams == [ACCESS_STREAM]
