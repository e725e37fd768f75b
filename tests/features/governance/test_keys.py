"""API keys through GraphQL: own ones, those of others for administrators, no secret but once, no keys by keys."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from tests.factories.asking import Asking, make_asking
from tests.factories.world import make_user

from etm_graph.access.tables import audit_entry
from etm_graph.core.access import Grant, Role
from etm_graph.db.sessions import Database
from etm_graph.events.tables import change, idempotency
from etm_graph.graphql.ids import encode_id
from etm_graph.identity.api_keys import verify_api_key
from etm_graph.identity.principal import AuthMethod

CREATE = """mutation($i: ApiKeyCreateInput!) { apiKeyCreate(input: $i) {
  apiKey { publicId name expiresAt scopes { role path } user { userName } } secret userErrors { code field } } }"""
ROTATE = """mutation($k: String!, $h: Int! = 24) { apiKeyRotate(input: {publicId: $k, overlapHours: $h}) {
  apiKey { publicId scopes { role path } } secret userErrors { code } } }"""
REVOKE = "mutation($k: String!) { apiKeyRevoke(input: {publicId: $k}) { apiKey { revokedAt } userErrors { code } } }"
LIST = "{ apiKeys { totalCount nodes { publicId user { userName } lastUsedAt } } }"


@pytest.fixture
async def asking(database: Database) -> Asking:
    return make_asking(database)


async def live(asking: Asking, secret: str, later: timedelta = timedelta(0)) -> bool:
    async with asking.database.read() as session:
        return await verify_api_key(session, secret, datetime.now(UTC) + later) is not None


@pytest.mark.parametrize("role", Role)
async def test_who_makes_the_own_key_is_said_by_the_policy(asking: Asking, role: Role) -> None:
    who = await make_user(asking.database, "who", grants=(Grant(role, None, "/EMEA/"),))
    may = role in {Role.PLANNER, Role.MANAGER, Role.FORECASTER, Role.AUDITOR, Role.ADMIN}
    assert await asking.code(who, CREATE, i={"name": "Tool"}) == (None if may else "FORBIDDEN")


async def test_a_key_of_somebody_else_takes_an_administrator_of_the_whole(asking: Asking) -> None:
    tool = await make_user(asking.database, "tool", Role.FORECAST_READER)
    planner = await make_user(asking.database, "planner", Role.PLANNER)
    admin = await make_user(asking.database, "admin", Role.ADMIN)
    wanted = {"name": "Tool", "userId": encode_id("User", tool.user_id), "scopes": [{"role": "FORECAST_READER"}]}
    assert await asking.code(planner, CREATE, i=wanted) == "FORBIDDEN"
    assert await asking.code(admin, CREATE, i={**wanted, "userId": encode_id("User", 999)}) == "NOT_FOUND"
    made = await asking.get(admin, CREATE, i=wanted)
    assert made["apiKey"]["scopes"] == [{"role": "FORECAST_READER", "path": "/"}]
    assert made["apiKey"]["user"] == {"userName": "tool"}
    assert await live(asking, made["secret"])


async def test_an_administrator_of_a_part_makes_no_key_of_somebody_else(asking: Asking) -> None:
    boss = await make_user(asking.database, "boss", Role.ADMIN)
    part = await make_user(asking.database, "part", grants=(Grant(Role.ADMIN, None, "/EMEA/"),))
    wanted = {"name": "Tool", "userId": encode_id("User", boss.user_id)}
    assert await asking.code(part, CREATE, i=wanted) == "FORBIDDEN"
    assert await asking.code(part, CREATE, i={"name": "Mine"}) is None


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"days": 0}, "INVALID"),
        ({"days": 366}, "INVALID"),
        ({"name": " "}, "INVALID"),
        ({"scopes": []}, "INVALID"),
        ({"scopes": [{"role": "PLANNER", "path": "EMEA"}]}, "INVALID"),
        ({"scopes": [{"role": "PLANNER", "modelId": encode_id("TerritoryModel", 99)}]}, "NOT_FOUND"),
        ({"days": 365}, None),
    ],
)
async def test_what_a_key_may_be(asking: Asking, given: dict[str, Any], code: str | None) -> None:
    who = await make_user(asking.database, "who", Role.PLANNER)
    assert await asking.code(who, CREATE, i={"name": "Tool", **given}) == code


async def test_a_rotation_keeps_scopes_and_both_keys_and_a_revocation_ends_one_at_once(asking: Asking) -> None:
    who = await make_user(asking.database, "who", Role.PLANNER)
    first = await asking.get(who, CREATE, i={"name": "Tool", "scopes": [{"role": "PLANNER", "path": "/EMEA/"}]})
    second = await asking.get(who, ROTATE, k=first["apiKey"]["publicId"])
    assert second["apiKey"]["scopes"] == [{"role": "PLANNER", "path": "/EMEA/"}]
    assert [await live(asking, key["secret"]) for key in (first, second)] == [True, True]
    assert not await live(asking, first["secret"], timedelta(hours=25))
    revoked = await asking.get(who, REVOKE, k=second["apiKey"]["publicId"])
    assert revoked["apiKey"]["revokedAt"] is not None
    assert [await live(asking, key["secret"]) for key in (first, second)] == [True, False]
    assert await asking.code(who, ROTATE, k=second["apiKey"]["publicId"]) == "NOT_FOUND"
    assert await asking.code(who, ROTATE, k=first["apiKey"]["publicId"], h=721) == "INVALID"


async def test_keys_of_others_are_as_unknown_ones_except_for_who_reads_the_policy(asking: Asking) -> None:
    mine, other = [await make_user(asking.database, name, Role.PLANNER) for name in ("mine", "other")]
    auditor = await make_user(asking.database, "auditor", Role.AUDITOR)
    key = (await asking.get(mine, CREATE, i={"name": "Tool"}))["apiKey"]["publicId"]
    assert (await asking.get(mine, LIST))["totalCount"] == 1
    assert await asking.get(other, LIST) == {"totalCount": 0, "nodes": []}
    assert (await asking.get(auditor, LIST))["nodes"] == [
        {"publicId": key, "user": {"userName": "mine"}, "lastUsedAt": None}
    ]
    assert await asking.code(other, REVOKE, k=key) == await asking.code(other, REVOKE, k="aaaaaaaa") == "NOT_FOUND"
    assert await asking.code(auditor, REVOKE, k=key) == "FORBIDDEN"


async def test_a_key_makes_and_ends_no_keys(asking: Asking) -> None:
    who = await make_user(asking.database, "who", Role.ADMIN)
    key = (await asking.get(who, CREATE, i={"name": "Tool"}))["apiKey"]["publicId"]
    tool = replace(who, method=AuthMethod.API_KEY, key_id=key)
    assert await asking.code(tool, CREATE, i={"name": "More"}) == "FORBIDDEN"
    assert await asking.code(tool, REVOKE, k=key) == "FORBIDDEN"


async def test_no_secret_is_written_anywhere_and_the_audit_names_the_key(asking: Asking) -> None:
    who = await make_user(asking.database, "who", Role.ADMIN)
    made = await asking.get(who, CREATE, i={"name": "Tool"})
    tool = replace(who, method=AuthMethod.API_KEY, key_id=made["apiKey"]["publicId"])
    await asking.get(tool, 'mutation { userCreate(input: {userName: "x", name: "X", email: "x@y"}) { user { id } } }')
    written = ""
    async with asking.database.read() as session:
        for table in (audit_entry, change, idempotency):
            written += str(await session.rows(select(table)))
        details = [row.details.get("key") for row in await session.rows(select(audit_entry).order_by(audit_entry.c.id))]
    assert made["secret"].split("_", 3)[3] not in written
    assert details == [None, made["apiKey"]["publicId"]]
