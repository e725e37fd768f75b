"""Use cases of threads: who may, what is recorded, what is kept."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Row, select, update
from tests.factories.world import World, make_model, make_territory, make_type, make_user, make_world

from etm_graph.core.access import Grant, Kind, Role
from etm_graph.core.anchors import Anchor, AnchorKind, AnchorPlace
from etm_graph.core.changes import ChangeKind, EntityType
from etm_graph.core.errors import Conflict, FieldConflict, Forbidden, Invalid, NotFound
from etm_graph.db.sessions import Database, ReadSession
from etm_graph.events.log import read_changes, read_heads
from etm_graph.features.models.tables import territory_model
from etm_graph.features.territories import service as territories
from etm_graph.features.territories.queries import nodes
from etm_graph.features.threads import service
from etm_graph.features.threads.service import AnchorRegistry
from etm_graph.features.threads.tables import comment, comment_revision, thread
from etm_graph.identity.principal import Principal


async def find_territories(session: ReadSession, anchors: Collection[Anchor]) -> Mapping[Anchor, AnchorPlace]:
    ids = [anchor.id for anchor in anchors]
    rows = await session.rows(select(nodes).where(nodes.c.id.in_(ids)))
    return {
        Anchor(AnchorKind.TERRITORY, row.id): AnchorPlace(row.model_id, row.path, row.developer_name, Kind.TERRITORY)
        for row in rows
    }


ANCHORS = AnchorRegistry({AnchorKind.TERRITORY: find_territories})


@dataclass(frozen=True)
class Draft:
    """A draft with the territories /World/ and /World/Europe/, and who works on it."""

    world: World
    model_id: int
    root_id: int
    leaf_id: int
    planner: Principal
    other: Principal
    admin: Principal
    auditor: Principal
    far: Principal

    async def thread(self, anchor: Anchor, body: str = "Why?", subject: str | None = None) -> int:
        async with self.world.writer.unit_of_work(self.planner) as work:
            return await service.create_thread(work, ANCHORS, anchor, subject, body, model_id=self.model_id)

    async def answer(self, who: Principal, thread_id: int, body: str) -> int:
        async with self.world.writer.unit_of_work(who) as work:
            return await service.add_comment(work, thread_id, body)

    async def edit(self, who: Principal, comment_id: int, body: str, version: int) -> int:
        async with self.world.writer.unit_of_work(who) as work:
            return await service.edit_comment(work, comment_id, body, version)

    async def delete(self, who: Principal, comment_id: int) -> int:
        async with self.world.writer.unit_of_work(who) as work:
            return await service.delete_comment(work, comment_id)

    async def row(self, table: Any, number: int) -> Row[Any]:
        async with self.world.database.read() as session:
            found = await session.row(select(table).where(table.c.id == number))
        assert found is not None
        return found

    async def head(self) -> tuple[int, int]:
        async with self.world.database.read() as session:
            found = (await read_heads(session, [self.model_id]))[self.model_id]
        return found.head, found.structure_head

    async def changes(self, after: int) -> Sequence[tuple[int, EntityType, ChangeKind, str, str | None]]:
        async with self.world.database.read() as session:
            found = await read_changes(session, self.model_id, after, 100)
        return [(c.seq, c.draft.entity_type, c.draft.kind, c.draft.key, c.draft.path) for c in found]

    async def set_state(self, state: str) -> None:
        async with self.world.database.write() as session:
            await session.execute(
                update(territory_model).where(territory_model.c.id == self.model_id).values(state=state)
            )


@pytest.fixture
async def draft(database: Database) -> Draft:
    world = make_world(database)
    admin = await make_user(database, "admin", Role.ADMIN)
    planner = await make_user(database, "planner", Role.PLANNER)
    other = await make_user(database, "other", Role.PLANNER)
    auditor = await make_user(database, "auditor", Role.AUDITOR)
    far = await make_user(database, "far", grants=(Grant(Role.PLANNER, None, "/World/Asia/"),))
    type_id = await make_type(world, admin)
    model_id = await make_model(world, planner)
    root_id = await make_territory(world, planner, model_id, type_id, "World")
    leaf_id = await make_territory(world, planner, model_id, type_id, "Europe", root_id)
    return Draft(world, model_id, root_id, leaf_id, planner, other, admin, auditor, far)


def on(territory_id: int) -> Anchor:
    return Anchor(AnchorKind.TERRITORY, territory_id)


async def test_a_thread_begins_with_its_first_comment_in_two_changes(draft: Draft) -> None:
    head, structure = await draft.head()
    thread_id = await draft.thread(on(draft.leaf_id), "  Too large?  ", "  Size ")
    row = await draft.row(thread, thread_id)
    assert (row.anchor_kind, row.anchor_id, row.anchor_label) == ("TERRITORY", draft.leaf_id, "Europe")
    assert (row.path, row.subject, row.created_by) == ("/World/Europe/", "Size", draft.planner.user_id)
    key = f"TERRITORY/{draft.leaf_id}/{thread_id}"
    (first,) = [change for change in await draft.changes(head) if change[1] is EntityType.THREAD]
    (second,) = [change for change in await draft.changes(head) if change[1] is EntityType.COMMENT]
    assert first == (head + 1, EntityType.THREAD, ChangeKind.CREATED, key, "/World/Europe/")
    comment_id = int(second[3].rpartition("/")[2])
    assert second == (head + 2, EntityType.COMMENT, ChangeKind.CREATED, f"{key}/{comment_id}", "/World/Europe/")
    said = await draft.row(comment, comment_id)
    assert (said.body, said.version, row.version) == ("Too large?", head + 2, head + 1)
    assert await draft.head() == (head + 2, structure)


async def test_a_thread_on_the_model_has_no_path(draft: Draft) -> None:
    row = await draft.row(thread, await draft.thread(Anchor(AnchorKind.MODEL, draft.model_id)))
    assert (row.anchor_label, row.path, row.subject) == ("Draft", None, None)


async def test_a_thread_on_a_change_is_where_the_change_was(draft: Draft) -> None:
    row = await draft.row(thread, await draft.thread(Anchor(AnchorKind.CHANGE, 3)))
    assert (row.anchor_id, row.anchor_label) == (3, "Change 3: CREATED TERRITORY Europe")
    assert row.path == "/World/Europe/"


@pytest.mark.parametrize(
    "anchor",
    [
        Anchor(AnchorKind.TERRITORY, 10**9),
        Anchor(AnchorKind.MODEL, 10**9),
        Anchor(AnchorKind.CHANGE, 10**9),
        Anchor(AnchorKind.RULE, 1),
    ],
)
async def test_what_is_not_there_cannot_be_commented_on(draft: Draft, anchor: Anchor) -> None:
    head = await draft.head()
    with pytest.raises(NotFound):
        await draft.thread(anchor)
    assert await draft.head() == head


async def test_an_anchor_that_moved_while_the_writer_waited_is_where_it_is_now(draft: Draft) -> None:
    paths = iter(["/World/Asia/", "/World/Europe/"])

    async def moving(session: ReadSession, ids: Collection[int]) -> Mapping[int, AnchorPlace]:
        path = next(paths)
        return {number: AnchorPlace(draft.model_id, path, "Moving", Kind.TERRITORY) for number in ids}

    anchors = AnchorRegistry({AnchorKind.TERRITORY: moving})
    async with draft.world.writer.unit_of_work(draft.far) as work:
        with pytest.raises(NotFound):
            await service.create_thread(work, anchors, on(draft.leaf_id), None, "Mine?")


async def test_an_anchor_outside_ones_subtree_is_as_if_it_were_not_there(draft: Draft) -> None:
    async with draft.world.writer.unit_of_work(draft.far) as work:
        with pytest.raises(NotFound) as refused:
            await service.create_thread(work, ANCHORS, on(draft.leaf_id), None, "Hello")
    assert refused.value.field == ("anchor",)


async def test_a_thread_outside_ones_subtree_is_as_if_it_were_not_there(draft: Draft) -> None:
    thread_id = await draft.thread(on(draft.leaf_id))
    with pytest.raises(NotFound) as refused:
        await draft.answer(draft.far, thread_id, "Hello")
    assert refused.value.message == "There is no such thread."


@pytest.mark.parametrize(("body", "length"), [("", 0), (" \n ", 0), ("x" * 5001, 5001)])
async def test_a_body_that_is_empty_or_too_long_is_refused(draft: Draft, body: str, length: int) -> None:
    with pytest.raises(Invalid) as refused:
        await draft.thread(on(draft.leaf_id), body)
    assert refused.value.field == ("body",)
    assert refused.value.message == f"A comment has 1 to 5000 characters; this one has {length}."


async def test_the_longest_body_is_taken_with_blanks_around_it(draft: Draft) -> None:
    thread_id = await draft.thread(on(draft.leaf_id))
    comment_id = await draft.answer(draft.other, thread_id, " " + "é" * 5000 + "\n")
    assert (await draft.row(comment, comment_id)).body == "é" * 5000


async def test_a_body_with_nul_is_refused(draft: Draft) -> None:
    with pytest.raises(Invalid) as refused:
        await draft.thread(on(draft.leaf_id), "a\0b")
    assert refused.value.field == ("body",)


async def test_a_subject_that_is_too_long_is_refused(draft: Draft) -> None:
    with pytest.raises(Invalid) as refused:
        await draft.thread(on(draft.leaf_id), subject="x" * 201)
    assert refused.value.field == ("subject",)


async def test_readers_alone_may_not_comment(draft: Draft) -> None:
    thread_id = await draft.thread(on(draft.leaf_id))
    head = await draft.head()
    with pytest.raises(Forbidden):
        await draft.answer(draft.auditor, thread_id, "Hello")
    async with draft.world.writer.unit_of_work(draft.auditor) as work:
        with pytest.raises(Forbidden):
            await service.create_thread(work, ANCHORS, on(draft.leaf_id), None, "Hello")
        with pytest.raises(Forbidden):
            await service.resolve_thread(work, thread_id)
    assert await draft.head() == head


@pytest.mark.parametrize("state", ["PLANNING", "ACTIVE"])
async def test_comments_are_taken_while_a_model_is_planned_or_in_force(draft: Draft, state: str) -> None:
    thread_id = await draft.thread(on(draft.leaf_id))
    await draft.set_state(state)
    comment_id = await draft.answer(draft.planner, thread_id, "Yes")
    assert (await draft.row(comment, comment_id)).body == "Yes"


async def test_archived_models_take_no_comments(draft: Draft) -> None:
    thread_id = await draft.thread(on(draft.leaf_id))
    await draft.set_state("ARCHIVED")
    head = await draft.head()
    for who in (draft.planner, draft.admin):
        with pytest.raises(Forbidden):
            await draft.answer(who, thread_id, "Late")
    assert await draft.head() == head


async def test_an_edit_keeps_what_was_said(draft: Draft) -> None:
    thread_id = await draft.thread(on(draft.leaf_id))
    comment_id = await draft.answer(draft.other, thread_id, "First")
    first = await draft.row(comment, comment_id)
    await draft.edit(draft.other, comment_id, "Second", first.version)
    second = await draft.row(comment, comment_id)
    await draft.edit(draft.other, comment_id, "Third", second.version)
    async with draft.world.database.read() as session:
        revision = comment_revision.c
        rows = await session.rows(select(revision.version, revision.body, revision.at).order_by(revision.version))
    assert [tuple(row) for row in rows] == [
        (first.version, "First", first.created_at),
        (second.version, "Second", second.edited_at),
    ]
    third = await draft.row(comment, comment_id)
    assert (third.body, third.version) == ("Third", second.version + 1)


async def test_nobody_edits_anothers_comment_not_even_an_administrator(draft: Draft) -> None:
    thread_id = await draft.thread(on(draft.leaf_id))
    comment_id = await draft.answer(draft.other, thread_id, "Mine")
    version = (await draft.row(comment, comment_id)).version
    for who in (draft.planner, draft.admin):
        with pytest.raises(Forbidden):
            await draft.edit(who, comment_id, "Yours", version)
    assert (await draft.row(comment, comment_id)).body == "Mine"


async def test_an_edit_of_what_was_edited_meanwhile_is_a_conflict_with_all_three_texts(draft: Draft) -> None:
    thread_id = await draft.thread(on(draft.leaf_id))
    comment_id = await draft.answer(draft.other, thread_id, "Base")
    version = (await draft.row(comment, comment_id)).version
    await draft.edit(draft.other, comment_id, "Theirs", version)
    with pytest.raises(Conflict) as refused:
        await draft.edit(draft.other, comment_id, "Yours", version)
    assert refused.value.details["conflicts"] == [FieldConflict("body", "Base", "Theirs", "Yours")]
    assert (await draft.row(comment, comment_id)).body == "Theirs"


async def test_the_base_of_a_conflict_is_what_was_read_however_often_it_was_edited_since(draft: Draft) -> None:
    comment_id = await draft.answer(draft.other, await draft.thread(on(draft.leaf_id)), "One")
    versions = [(await draft.row(comment, comment_id)).version]
    for body in ("Two", "Three", "Four"):
        await draft.edit(draft.other, comment_id, body, versions[-1])
        versions.append((await draft.row(comment, comment_id)).version)
    for version, base in zip(versions, ("One", "Two", "Three"), strict=False):
        with pytest.raises(Conflict) as refused:
            await draft.edit(draft.other, comment_id, "Yours", version)
        assert refused.value.details["conflicts"] == [FieldConflict("body", base, "Four", "Yours")]


async def test_an_edit_to_what_it_says_already_changes_nothing(draft: Draft) -> None:
    thread_id = await draft.thread(on(draft.leaf_id))
    comment_id = await draft.answer(draft.other, thread_id, "Base")
    version = (await draft.row(comment, comment_id)).version
    await draft.edit(draft.other, comment_id, "Same", version)
    head = await draft.head()
    await draft.edit(draft.other, comment_id, " Same ", version)
    assert await draft.head() == head


async def test_a_version_from_the_future_is_refused(draft: Draft) -> None:
    thread_id = await draft.thread(on(draft.leaf_id))
    comment_id = await draft.answer(draft.other, thread_id, "Base")
    version = (await draft.row(comment, comment_id)).version
    with pytest.raises(Invalid) as refused:
        await draft.edit(draft.other, comment_id, "Next", version + 1)
    assert refused.value.field == ("expectedVersion",)


async def test_a_deleted_comment_leaves_a_tombstone_and_no_words_anywhere(draft: Draft) -> None:
    thread_id = await draft.thread(on(draft.leaf_id))
    comment_id = await draft.answer(draft.other, thread_id, "Secretive one")
    await draft.edit(draft.other, comment_id, "Secretive two", (await draft.row(comment, comment_id)).version)
    await draft.delete(draft.other, comment_id)
    row = await draft.row(comment, comment_id)
    assert (row.body, row.author_id, row.deleted_at is None) == (None, draft.other.user_id, False)
    async with draft.world.database.read() as session:
        assert await session.rows(select(comment_revision)) == []
        log = await read_changes(session, draft.model_id, 0, 1000)
    assert log[-1].seq == row.version
    assert "Secretive" not in repr(log)
    with pytest.raises(Conflict):
        await draft.edit(draft.other, comment_id, "Back", row.version)


async def test_deleting_twice_changes_nothing_more(draft: Draft) -> None:
    comment_id = await draft.answer(draft.other, await draft.thread(on(draft.leaf_id)), "Once")
    await draft.delete(draft.other, comment_id)
    head = await draft.head()
    assert await draft.delete(draft.other, comment_id) == comment_id
    assert await draft.head() == head


async def test_an_administrator_may_delete_anothers_comment_and_a_planner_may_not(draft: Draft) -> None:
    comment_id = await draft.answer(draft.other, await draft.thread(on(draft.leaf_id)), "Rude")
    with pytest.raises(Forbidden):
        await draft.delete(draft.planner, comment_id)
    assert (await draft.row(comment, comment_id)).body == "Rude"
    await draft.delete(draft.admin, comment_id)
    assert (await draft.row(comment, comment_id)).body is None


async def test_a_thread_is_resolved_and_reopened_as_events(draft: Draft) -> None:
    thread_id = await draft.thread(on(draft.leaf_id))
    head, structure = await draft.head()
    async with draft.world.writer.unit_of_work(draft.other) as work:
        await service.resolve_thread(work, thread_id)
    row = await draft.row(thread, thread_id)
    assert (row.resolved_by, row.version) == (draft.other.user_id, head + 1)
    async with draft.world.writer.unit_of_work(draft.planner) as work:
        await service.resolve_thread(work, thread_id)
    async with draft.world.writer.unit_of_work(draft.planner) as work:
        await service.reopen_thread(work, thread_id)
    row = await draft.row(thread, thread_id)
    assert (row.resolved_by, row.resolved_at, row.version) == (None, None, head + 2)
    assert [change[2] for change in await draft.changes(head)] == [ChangeKind.RESOLVED, ChangeKind.REOPENED]
    assert await draft.head() == (head + 2, structure)


async def test_a_thread_outlives_its_anchor(draft: Draft) -> None:
    thread_id = await draft.thread(on(draft.leaf_id))
    async with draft.world.writer.unit_of_work(draft.planner) as work:
        await territories.delete_territory(work, draft.leaf_id, 3)
    await draft.answer(draft.other, thread_id, "Gone?")
    row = await draft.row(thread, thread_id)
    assert (row.anchor_label, row.path) == ("Europe", "/World/Europe/")


async def test_a_moved_territory_takes_its_threads_along(draft: Draft) -> None:
    thread_id = await draft.thread(on(draft.leaf_id))
    async with draft.world.writer.unit_of_work(draft.planner) as work:
        await territories.move_territory(work, draft.leaf_id, None, 3)
    assert (await draft.row(thread, thread_id)).path == "/Europe/"


async def test_threads_follow_a_moved_subtree(draft: Draft) -> None:
    inside = await draft.thread(on(draft.leaf_id))
    above = await draft.thread(on(draft.root_id))
    on_model = await draft.thread(Anchor(AnchorKind.MODEL, draft.model_id))
    async with draft.world.writer.unit_of_work(draft.planner) as work:
        await work.lock_stream(draft.model_id)
        await service.relocate_threads(work, draft.model_id, "/World/Europe/", "/World/Asia/Europe/")
    paths = [(await draft.row(thread, number)).path for number in (inside, above, on_model)]
    assert paths == ["/World/Asia/Europe/", "/World/", None]
    assert await draft.answer(draft.far, inside, "Ours now") > 0
