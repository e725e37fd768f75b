"""Grants and the audit in PostgreSQL."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from tests.access.people import NOW
from tests.factories.world import make_user

from etm_graph.access.grants import AuditEntry, add_grant, load_grants, revoke_grant, write_audit
from etm_graph.access.tables import audit_entry
from etm_graph.core.access import Act, Grant, Kind, Role
from etm_graph.core.errors import ErrorCode, Invalid
from etm_graph.db.sessions import Database


async def test_a_grant_is_read_back_as_given(database: Database) -> None:
    user = await make_user(database, "pat", Role.VIEWER)
    ends = NOW + timedelta(days=1)
    async with database.write() as session:
        await add_grant(
            session, user.user_id, Role.PLANNER, now=NOW, granted_by=None, path="/EMEA/North_1/", expires_at=ends
        )
    async with database.read() as session:
        grants = await load_grants(session, user.user_id)
        others = await load_grants(session, user.user_id + 1)
    assert grants == (Grant(Role.VIEWER), Grant(Role.PLANNER, None, "/EMEA/North_1/", ends))
    assert others == ()


async def test_a_revoked_grant_is_gone(database: Database) -> None:
    user = await make_user(database, "pat")
    async with database.write() as session:
        grant = await add_grant(session, user.user_id, Role.ADMIN, now=NOW, granted_by=user.user_id)
        assert await revoke_grant(session, grant) is True
        assert await revoke_grant(session, grant) is False
        assert await load_grants(session, user.user_id) == ()


@pytest.mark.parametrize("path", ["", "/A", "A/", "//", "/A//B/", "/1A/", "/A b/", "/A/%/", "/../", "/A/\n"])
async def test_a_path_that_is_no_territorys_is_refused(database: Database, path: str) -> None:
    user = await make_user(database, "pat")
    async with database.write() as session:
        with pytest.raises(Invalid) as caught:
            await add_grant(session, user.user_id, Role.VIEWER, now=NOW, granted_by=None, path=path)
        assert caught.value.field == ("path",)
        assert await load_grants(session, user.user_id) == ()


async def test_a_grant_that_is_over_is_refused(database: Database) -> None:
    user = await make_user(database, "pat")
    async with database.write() as session:
        with pytest.raises(Invalid, match="end in the future"):
            await add_grant(session, user.user_id, Role.VIEWER, now=NOW, granted_by=None, expires_at=NOW)


async def test_the_audit_keeps_what_was_done_and_what_was_refused(database: Database) -> None:
    refused = AuditEntry(
        at=NOW,
        user_id=7,
        method="JWT",
        act=Act.ACTIVATE,
        kind=Kind.MODEL,
        allowed=False,
        roles=frozenset({Role.VIEWER, Role.PLANNER}),
        policy_version="0123456789ab",
        code=ErrorCode.FORBIDDEN,
        streams=(3,),
        request_id="r1",
        details={"modelId": 3},
    )
    done = AuditEntry(NOW, 8, "API_KEY", Act.EXPORT, Kind.FORECAST, True, frozenset(), "0123456789ab")
    async with database.write() as session:
        await write_audit(session, [])
        await write_audit(session, [refused, done])
    async with database.read() as session:
        rows = [row._asdict() for row in await session.rows(select(audit_entry).order_by(audit_entry.c.id))]
    assert [row.pop("id") for row in rows] == [1, 2]
    assert rows[0] == {
        "at": NOW,
        "user_id": 7,
        "method": "JWT",
        "act": "activate",
        "allowed": False,
        "code": "FORBIDDEN",
        "change_set": None,
        "streams": [3],
        "roles": ["planner", "viewer"],
        "policy_version": "0123456789ab",
        "request_id": "r1",
        "details": {"kind": "model", "modelId": 3},
    }
    assert (rows[1]["allowed"], rows[1]["streams"], rows[1]["details"]) == (True, [], {"kind": "forecast"})
