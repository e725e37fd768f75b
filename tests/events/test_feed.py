"""The feed: what followers get, with and without hints."""

import pytest
from sqlalchemy import delete
from tests.factories.world import make_model, make_territory, make_type, make_user, make_world

from etm_graph.core.access import Role
from etm_graph.core.errors import NotFound
from etm_graph.db.sessions import Database
from etm_graph.events import feed as feed_module
from etm_graph.events.feed import Feed
from etm_graph.events.tables import stream


async def test_a_lost_hint_is_repaired_by_the_poll(database: Database) -> None:
    world = make_world(database)
    planner = await make_user(database, "planner", Role.PLANNER, Role.ADMIN)
    type_id, model_id = await make_type(world, planner), await make_model(world, planner)
    feed = Feed(database, poll_s=0.1)
    await feed.start()
    async with feed.follow(model_id) as follower:
        await make_territory(world, planner, model_id, type_id, "A")  # nobody hints this feed
        batch = await follower.after(1, timeout_s=5)
        assert [found.seq for found in batch.changes] == [2]
        assert feed.followed == 1
    assert feed.followed == 0
    await feed.stop()


async def test_who_is_behind_the_ring_reads_the_log(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "RING", 2)
    world = make_world(database)
    planner = await make_user(database, "planner", Role.PLANNER, Role.ADMIN)
    type_id, model_id = await make_type(world, planner), await make_model(world, planner)
    feed = Feed(database, poll_s=60)
    async with feed.follow(model_id) as follower:
        for number in range(3):
            await make_territory(world, planner, model_id, type_id, f"T{number}")
            feed.hint(model_id, number + 2)
            await follower.after(number + 1, timeout_s=5)
        behind = await follower.after(0, timeout_s=5)
        near = await follower.after(3, timeout_s=5)
    assert (behind.lagging, [found.seq for found in behind.changes]) == (True, [1, 2, 3, 4])
    assert (near.lagging, [found.seq for found in near.changes]) == (False, [4])
    await feed.stop()


async def test_a_deleted_stream_ends_its_followers(database: Database) -> None:
    world = make_world(database)
    planner = await make_user(database, "planner", Role.PLANNER)
    model_id = await make_model(world, planner)
    feed = Feed(database, poll_s=0.05)
    await feed.start()
    async with feed.follow(model_id) as follower:
        async with database.write() as session:
            await session.execute(delete(stream).where(stream.c.id == model_id))
        with pytest.raises(NotFound):
            while True:
                await follower.after(1, timeout_s=2)
    await feed.stop()


async def test_nothing_new_is_an_empty_batch(database: Database) -> None:
    planner = await make_user(database, "planner", Role.PLANNER)
    model_id = await make_model(make_world(database), planner)
    feed = Feed(database, poll_s=60)
    async with feed.follow(model_id) as follower:
        assert list((await follower.after(1, timeout_s=0.05)).changes) == []
    await feed.stop()
