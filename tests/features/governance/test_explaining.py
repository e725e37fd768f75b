"""Access explained: to whoever asks what they can do, to administrators about anybody, and through territories."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update
from tests.factories.asking import Asking, make_asking
from tests.factories.world import make_account, make_model, make_territory, make_type, make_user

from etm_graph.core.access import Grant, Role
from etm_graph.db.sessions import Database
from etm_graph.features.alignment.tables import account_assignment
from etm_graph.features.models.tables import territory_model
from etm_graph.features.territories.tables import territory, territory_membership
from etm_graph.graphql.ids import encode_id
from etm_graph.identity.principal import Principal

CAN = """query($i: ID!, $a: Act!, $k: Kind) { node(id: $i) { ... on Territory { viewerCan(act: $a, kind: $k) {
  allowed rule roles wouldAllow policyVersion } } ... on TerritoryModel { viewerCan(act: $a) { allowed rule } } } }"""
EXPLAIN = """query($u: ID!, $a: Act!, $i: ID!) { explainAccess(userId: $u, act: $a, id: $i) {
  decision { allowed rule roles wouldAllow } suspended kind state grants { role path counts reason } } }"""
EFFECTIVE = """query($i: ID!, $u: ID) { effectiveAccess(id: $i, userId: $u) {
  user { userName } accountLevel opportunityLevel contactLevel caseLevel ways { memberOf { name } through { name } } } }"""


@pytest.fixture
async def asking(database: Database) -> Asking:
    return make_asking(database)


async def branch(asking: Asking, planner: Principal, admin: Principal) -> tuple[int, dict[str, int]]:
    kind = await make_type(asking.world, admin)
    model = await make_model(asking.world, planner)
    keys: dict[str, int] = {}
    for name, parent in (("CA", None), ("SF", "CA"), ("LA", "CA")):
        above = None if parent is None else keys[parent]
        keys[name] = await make_territory(asking.world, planner, model, kind, name, above)
    return model, keys


async def people(asking: Asking) -> tuple[Principal, Principal]:
    return await make_user(asking.database, "admin", Role.ADMIN), await make_user(
        asking.database, "planner", Role.PLANNER
    )


async def test_a_viewer_is_told_what_they_can_do_and_what_would_allow_it(asking: Asking) -> None:
    admin, planner = await people(asking)
    _, keys = await branch(asking, planner, admin)
    manager = await make_user(asking.database, "manager", grants=(Grant(Role.MANAGER, None, "/CA/"),))
    here = encode_id("Territory", keys["SF"])
    assert (await asking.get(planner, CAN, i=here, a="MOVE"))["viewerCan"] == {
        "allowed": True,
        "rule": "planner, territory, planning, move, any, allow",
        "roles": ["PLANNER"],
        "wouldAllow": ["PLANNER", "ADMIN"],
        "policyVersion": asking.services.access.snapshot.version,
    }
    refused = (await asking.get(manager, CAN, i=here, a="MOVE"))["viewerCan"]
    assert (refused["allowed"], refused["rule"], refused["roles"]) == (False, None, ["MANAGER"])
    assert (await asking.get(manager, CAN, i=here, a="CREATE", k="THREAD"))["viewerCan"]["allowed"] is True


async def test_an_administrator_learns_why_somebody_may_not_and_what_would_change_it(asking: Asking) -> None:
    admin, planner = await people(asking)
    model, keys = await branch(asking, planner, admin)
    ended = datetime.now(UTC) - timedelta(days=1)
    other = Grant(Role.PLANNER, None, "/LA/"), Grant(Role.PLANNER, None, "/", ended), Grant(Role.MANAGER, model, "/CA/")
    pat = await make_user(asking.database, "pat", grants=other)

    async def explain(who: Principal, act: str = "MOVE") -> Any:
        here = encode_id("Territory", keys["SF"])
        return await asking.get(admin, EXPLAIN, u=encode_id("User", who.user_id), a=act, i=here)

    found = await explain(pat)
    assert found["decision"] == {
        "allowed": False,
        "rule": None,
        "roles": ["MANAGER"],
        "wouldAllow": ["PLANNER", "ADMIN"],
    }
    assert (found["kind"], found["state"], found["suspended"]) == ("TERRITORY", "PLANNING", False)
    assert [(g["role"], g["counts"], g["reason"].split(" 20")[0]) for g in found["grants"]] == [
        ("PLANNER", False, "/CA/SF/ is not below /LA/."),
        ("PLANNER", False, "It ended at"),
        ("MANAGER", True, "It reaches the object."),
    ]
    assert (await explain(planner))["decision"]["rule"] == "planner, territory, planning, move, any, allow"
    suspended = await make_user(asking.database, "gone", Role.PLANNER, suspended=True)
    found = await explain(suspended)
    assert (found["suspended"], found["decision"]["allowed"], found["decision"]["rule"]) == (True, False, "suspended")
    async with asking.database.write() as session:
        await session.execute(update(territory_model).values(state="ARCHIVED"))
    assert (await explain(planner))["decision"]["rule"] == "everyone, territory, archived, move, any, deny"


async def test_only_who_reads_the_policy_is_told_about_others(asking: Asking) -> None:
    admin, planner = await people(asking)
    _, keys = await branch(asking, planner, admin)
    ask = {"u": encode_id("User", admin.user_id), "a": "READ"}
    assert await asking.code(planner, EXPLAIN, **ask, i=encode_id("Territory", keys["SF"])) == "FORBIDDEN"
    assert await asking.code(admin, EXPLAIN, **ask, i=encode_id("Territory", 999)) == "NOT_FOUND"
    assert (
        await asking.code(admin, EXPLAIN, u=encode_id("User", 999), a="READ", i=encode_id("Account", 1)) == "NOT_FOUND"
    )


async def test_record_access_comes_through_territories_upward_for_members_of_today(asking: Asking) -> None:
    admin, planner = await people(asking)
    model, keys = await branch(asking, planner, admin)
    account = await make_account(asking.database, "Acme")
    boss, rep, gone = [await make_user(asking.database, name, Role.VIEWER) for name in ("boss", "rep", "gone")]
    places = [(boss, "CA", None), (rep, "SF", None), (gone, "SF", date(2020, 1, 1)), (gone, "LA", None)]
    async with asking.database.write() as session:
        for who, where, until in places:
            member = {"model_id": model, "territory_id": keys[where], "user_id": who.user_id, "version": 0}
            await session.execute(insert(territory_membership).values(**member, effective_until=until))
        await session.execute(
            insert(account_assignment).values(
                model_id=model,
                account_id=account,
                territory_id=keys["SF"],
                manual=True,
                by_rule=False,
                rule_ids=[],
                since=datetime.now(UTC),
                version=0,
            )
        )
        await session.execute(update(territory).where(territory.c.id == keys["CA"]).values(account_access="EDIT"))
        await session.execute(update(territory).where(territory.c.id == keys["SF"]).values(case_access="EDIT"))
        await session.execute(update(territory_model).values(state="ACTIVE"))
    here = encode_id("Account", account)
    found = await asking.get(admin, EFFECTIVE, i=here)
    levels = {"accountLevel": "READ", "opportunityLevel": "READ", "contactLevel": "READ", "caseLevel": "EDIT"}
    assert found == [
        {"user": {"userName": "boss"}, **levels, "ways": [{"memberOf": {"name": "Ca"}, "through": {"name": "Sf"}}]},
        {"user": {"userName": "rep"}, **levels, "ways": [{"memberOf": {"name": "Sf"}, "through": {"name": "Sf"}}]},
    ]
    own = encode_id("User", rep.user_id)
    assert [one["user"]["userName"] for one in await asking.get(rep, EFFECTIVE, i=here, u=own)] == ["rep"]
    assert await asking.code(rep, EFFECTIVE, i=here) == "FORBIDDEN"
    assert await asking.code(rep, EFFECTIVE, i=here, u=encode_id("User", boss.user_id)) == "FORBIDDEN"
    assert await asking.code(admin, EFFECTIVE, i=encode_id("Account", 999)) == "NOT_FOUND"
