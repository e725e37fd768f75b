"""The audit can be added to and nothing else; whoever gets around that is found out."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from etm_graph.access.grants import AuditEntry, write_audit
from etm_graph.access.sealing import GENESIS, Head, Sealer, parse_head, read_head, seal, verify
from etm_graph.access.tables import audit_link, audit_pending
from etm_graph.core.access import Act, Kind, Role
from etm_graph.db.sessions import Database, WriteSession

AT = datetime(2026, 11, 25, 9, 30, 0, 123456, tzinfo=UTC)
NOW = AT + timedelta(hours=1)


def entry(user_id: int, act: Act = Act.UPDATE) -> AuditEntry:
    return AuditEntry(
        at=AT,
        user_id=user_id,
        method="JWT",
        act=act,
        kind=Kind.MODEL,
        allowed=True,
        roles=frozenset({Role.ADMIN, Role.PLANNER}),
        policy_version="abc",
        streams=(1, 2),
        details={"model": 1, "path": "/A/"},
    )


async def write(database: Database, *users: int) -> None:
    async with database.write() as session:
        await write_audit(session, [entry(user) for user in users])


async def sealed(database: Database, most: int = 100) -> tuple[Head, int] | None:
    async with database.write() as session:
        return await seal(session, most)


async def test_entries_are_sealed_in_order_and_once(database: Database) -> None:
    assert await sealed(database) == (Head(0, GENESIS), 0)
    await write(database, 1, 2, 3)
    first = await sealed(database, 2)
    assert first is not None
    assert (first[0].position, first[1]) == (2, 2)
    await write(database, 4)
    second = await sealed(database)
    assert second is not None
    assert (second[0].position, second[1]) == (4, 2)
    assert await sealed(database) == (second[0], 0)
    async with database.read() as session:
        assert await session.scalar(select(audit_pending.c.entry_id)) is None
        report = await verify(session, NOW)
        assert (report.entries, report.problems, report.head) == (4, [], second[0])
        assert (await verify(session, NOW, first[0])).problems == []
        assert await read_head(session) == parse_head(str(second[0]))


async def test_two_sealers_at_a_time_make_one_chain_without_waiting(database: Database) -> None:
    await write(database, 1, 2)
    async with database.write() as session:
        assert await seal(session) is not None
        assert await sealed(database) is None
        await write(database, 3)
    assert await sealed(database) is not None
    async with database.read() as session:
        assert ((await verify(session, NOW)).entries, (await verify(session, NOW)).problems) == (3, [])


async def test_writers_do_not_wait_for_the_sealer_or_for_each_other(database: Database) -> None:
    async with database.write() as one, database.write() as other, database.write() as sealer:
        await write_audit(one, [entry(1)])
        await asyncio.wait_for(write_audit(other, [entry(2)]), 5)
        assert await seal(sealer) == (Head(0, GENESIS), 0)
        await asyncio.wait_for(write_audit(other, [entry(3)]), 5)


@pytest.mark.parametrize("table", ["audit_entry", "audit_link"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET {}", "DELETE FROM {}", "TRUNCATE {}"])
async def test_nothing_is_changed_or_removed(database: Database, table: str, statement: str) -> None:
    await write(database, 1)
    await sealed(database)
    change = "user_id = 2" if table == "audit_entry" else "position = 9"
    with pytest.raises(DBAPIError, match="the audit is append-only"):
        async with database.write() as session:
            await session.execute(text(statement.format(table, change)))
    async with database.read() as session:
        assert (await verify(session, NOW)).problems == []


TAMPERING = [
    ("UPDATE audit_entry SET user_id = 9 WHERE user_id = 3", ["entry 3 (position 3) is not what was sealed"]),
    ("UPDATE audit_entry SET allowed = false WHERE id = 3", ["entry 3 (position 3) is not what was sealed"]),
    (
        "UPDATE audit_entry SET at = at + interval '1 microsecond' WHERE id = 3",
        ["entry 3 (position 3) is not what was sealed"],
    ),
    (
        "UPDATE audit_entry SET details = details || '{\"x\": 1}' WHERE id = 3",
        ["entry 3 (position 3) is not what was sealed"],
    ),
    ("DELETE FROM audit_entry WHERE id = 3", ["entry 3 (position 3) is gone"]),
    (
        "DELETE FROM audit_entry WHERE id = 3; DELETE FROM audit_link WHERE position = 3",
        ["links 3 to 3 are gone", "entry 4 (position 4) is not what was sealed"],
    ),
    (
        (
            "UPDATE audit_link SET entry_id = -entry_id WHERE position IN (2, 3); "
            "UPDATE audit_link SET entry_id = 5 + entry_id WHERE position IN (2, 3)"
        ),
        ["entry 3 (position 2) is not what was sealed", "entry 2 (position 3) is not what was sealed"],
    ),
    ("UPDATE audit_link SET hash = sha256('x') WHERE position = 5", ["entry 5 (position 5) is not what was sealed"]),
    (
        (
            "INSERT INTO audit_entry SELECT 99, at, 7, method, act, allowed, code, change_set, streams, roles, "
            "policy_version, request_id, details FROM audit_entry WHERE id = 1; DELETE FROM audit_pending"
        ),
        ["entry 99 is not sealed"],
    ),
]


async def test_every_tampering_is_found_where_it_was_done(database: Database) -> None:
    await write(database, 1, 2, 3, 4, 5)
    head = await sealed(database)
    assert head is not None
    for statements, expected in TAMPERING:
        async with database.engine.connect() as connection:
            session = WriteSession(connection)
            for table in ("audit_entry", "audit_link"):
                await session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER append_only"))
            for statement in statements.split("; "):
                await session.execute(text(statement))
            assert (await verify(session, NOW)).problems == expected, statements
            await connection.rollback()
    async with database.read() as session:
        assert (await verify(session, NOW)).problems == []


async def test_a_cut_off_end_and_a_chain_made_anew_are_found_by_a_head_that_was_kept(database: Database) -> None:
    await write(database, 1, 2, 3)
    kept = await sealed(database)
    assert kept is not None
    async with database.write() as session:
        for table in ("audit_entry", "audit_link"):
            await session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER append_only"))
        await session.execute(text("DELETE FROM audit_link WHERE position = 3"))
        await session.execute(text("DELETE FROM audit_entry WHERE id = 3"))
    async with database.read() as session:
        assert (await verify(session, NOW)).problems == []
        assert (await verify(session, NOW, kept[0])).problems == ["the chain ends at 2, before the kept head 3"]
    await write(database, 9)
    await sealed(database)
    async with database.read() as session:
        problems = (await verify(session, NOW, kept[0])).problems
    assert problems == ["position 3 has another hash than the kept head"]


async def test_a_running_sealer_seals_within_five_seconds_and_survives_a_fault(database: Database) -> None:
    sealer = Sealer(database, every_s=0.05)
    await sealer.start()
    await write(database, 1, 2)
    for _ in range(100):
        await asyncio.sleep(0.05)
        if sealer.position == 2:
            break
    await sealer.stop()
    async with database.read() as session:
        assert len(await session.rows(select(audit_link))) == 2
