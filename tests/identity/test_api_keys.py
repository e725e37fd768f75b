"""API keys in PostgreSQL: shown once, kept as a hash, rotated with two alive, ended at once."""

import hmac
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from sqlalchemy import select
from tests.factories.world import make_user

from etm_graph.core.errors import NotFound
from etm_graph.db.sessions import Database
from etm_graph.identity.api_keys import (
    LiveKey,
    create_api_key,
    is_key_live,
    revoke_api_key,
    rotate_api_key,
    verify_api_key,
)
from etm_graph.identity.tables import api_key

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)


async def make_key(database: Database, **given: object) -> tuple[int, str]:
    user = await make_user(database, "tool")
    async with database.write() as session:
        return user.user_id, await create_api_key(session, user.user_id, "Forecast tool", now=NOW, **given)  # type: ignore[arg-type]


async def verify(database: Database, key: str, now: datetime = NOW) -> LiveKey | None:
    async with database.read() as session:
        return await verify_api_key(session, key, now)


def parts(key: str) -> list[str]:
    return key.split("_", 3)


async def test_a_key_has_the_documented_form_and_is_kept_as_a_hash(database: Database) -> None:
    user_id, key = await make_key(database, environment="test")
    prefix, environment, key_id, secret = parts(key)
    assert (prefix, environment, len(key_id), len(secret)) == ("etm", "test", 8, 43)
    async with database.read() as session:
        row = await session.row(select(api_key))
    assert row is not None
    assert (row.id, row.user_id, bytes(row.secret_hash)) == (key_id, user_id, sha256(key.encode()).digest())
    assert secret not in str(row)
    assert row.expires_at == NOW + timedelta(days=90)


async def test_a_valid_key_is_recognised_until_it_ends(database: Database) -> None:
    user_id, key = await make_key(database, life=DAY)
    assert await verify(database, key) == LiveKey(parts(key)[2], user_id, NOW + DAY)
    assert await verify(database, key, NOW + DAY - timedelta(seconds=1)) is not None
    assert await verify(database, key, NOW + DAY) is None


async def test_no_part_of_a_key_can_be_exchanged(database: Database) -> None:
    _, key = await make_key(database)
    last = "A" if key[-1] != "A" else "B"
    prefix, environment, key_id, secret = parts(key)
    other_id = key_id[::-1] if key_id != key_id[::-1] else "a" * 8
    wrong = [
        key[:-1] + last,
        key[:-1],
        key + "A",
        key + "\n",
        key.upper(),
        f"{prefix}_dev_{key_id}_{secret}",
        f"{prefix}_{environment}_{other_id}_{secret}",
        f"{prefix}_{key_id}_{secret}",
        f"{prefix}_{environment}_{key_id}_{'A' * 43}",
        "etm_",
        "",
    ]
    assert [await verify(database, attempt) for attempt in wrong] == [None] * len(wrong)


async def test_an_unknown_id_costs_the_same_comparison(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []

    def compare(left: bytes, right: bytes) -> bool:
        compared.append((len(left), len(right)))
        return left == right

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert await verify(database, f"etm_live_{'a' * 8}_{'A' * 43}") is None
    assert compared == [(32, 32)]


async def test_a_revoked_key_ends_at_once(database: Database) -> None:
    _, key = await make_key(database)
    key_id = parts(key)[2]
    async with database.write() as session:
        assert await is_key_live(session, key_id, NOW)
        assert await revoke_api_key(session, key_id, NOW) is True
        assert await revoke_api_key(session, key_id, NOW) is False
        assert not await is_key_live(session, key_id, NOW)
    assert await verify(database, key) is None


async def test_a_rotation_leaves_both_keys_alive_for_a_while(database: Database) -> None:
    user_id, old = await make_key(database)
    async with database.write() as session:
        new = await rotate_api_key(session, parts(old)[2], now=NOW, overlap=DAY)
    assert new != old
    assert await verify(database, old) == LiveKey(parts(old)[2], user_id, NOW + DAY)
    assert await verify(database, new) == LiveKey(parts(new)[2], user_id, NOW + timedelta(days=90))
    assert await verify(database, old, NOW + DAY) is None
    assert await verify(database, new, NOW + DAY) is not None


async def test_a_rotation_does_not_prolong_the_old_key(database: Database) -> None:
    _, old = await make_key(database, life=timedelta(hours=1))
    async with database.write() as session:
        await rotate_api_key(session, parts(old)[2], now=NOW, overlap=DAY)
    assert await verify(database, old, NOW + timedelta(hours=1)) is None


async def test_a_key_that_is_over_cannot_be_rotated(database: Database) -> None:
    _, old = await make_key(database, life=DAY)
    async with database.write() as session:
        for key_id, now in ((parts(old)[2], NOW + DAY), ("a" * 8, NOW)):
            with pytest.raises(NotFound):
                await rotate_api_key(session, key_id, now=now)


@pytest.mark.parametrize("wrong", [{"environment": "Prod"}, {"environment": "a_b"}, {"life": timedelta(0)}])
async def test_a_key_needs_a_sound_environment_and_a_life(database: Database, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="a key has an environment"):
        await make_key(database, **wrong)
