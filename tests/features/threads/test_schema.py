"""Threads through GraphQL: one page, one event, one error at a time."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import strawberry
from sqlalchemy import select, update
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import merge_types
from tests.factories.world import ACCESS, World, make_model, make_territory, make_type, make_user, make_world

from etm_graph.core.access import Grant, Kind, Role
from etm_graph.core.anchors import Anchor, AnchorKind, AnchorPlace
from etm_graph.db.sessions import Database, ReadSession
from etm_graph.events.feed import Feed
from etm_graph.features.models.schema.roots import ModelMutation, ModelQuery
from etm_graph.features.models.tables import territory_model
from etm_graph.features.territories import service as territories
from etm_graph.features.territories.queries import nodes
from etm_graph.features.threads.schema.roots import ThreadMutation, ThreadQuery, ThreadSubscription
from etm_graph.features.threads.service import AnchorRegistry
from etm_graph.graphql.context import Context, Services
from etm_graph.graphql.execution import Executor, Operation
from etm_graph.graphql.ids import encode_id
from etm_graph.graphql.scalars import SCALARS
from etm_graph.identity.principal import Principal
from etm_graph.settings import Settings

SCHEMA = strawberry.Schema(
    query=merge_types("Query", (ModelQuery, ThreadQuery)),
    mutation=merge_types("Mutation", (ModelMutation, ThreadMutation)),
    subscription=ThreadSubscription,
    config=StrawberryConfig(scalar_map=dict(SCALARS)),
)

CREATE = """mutation($anchor: ThreadAnchorInput!, $body: String!, $key: String) {
  threadCreate(input: {anchor: $anchor, subject: "Size", body: $body, idempotencyKey: $key}) {
    thread { id subject isResolved commentCount createdBy { userName } anchor { kind id sequence label isGone }
             comments { totalCount nodes { id body version author { userName } } } }
    change { kind entityType } userErrors { code field message } } }"""
ADD = """mutation($id: ID!, $body: String!) { commentAdd(input: {threadId: $id, body: $body}) {
  comment { id body version thread { id commentCount } } change { sequence } userErrors { code field } } }"""
EDIT = """mutation($id: ID!, $body: String!, $v: BigInt!) {
  commentEdit(input: {id: $id, body: $body, expectedVersion: $v}) {
    comment { body version revisions { body version } } change { sequence }
    userErrors { code field conflicts { field base theirs yours } } } }"""
DELETE = """mutation($id: ID!) { commentDelete(input: {id: $id}) {
  comment { body deletedAt revisions { body } } userErrors { code } } }"""
RESOLVE = """mutation($id: ID!) { threadResolve(input: {id: $id}) {
  thread { isResolved resolvedBy { userName } } change { kind } userErrors { code } } }"""
REOPEN = """mutation($id: ID!) { threadReopen(input: {id: $id}) {
  thread { isResolved resolvedAt resolvedBy { userName } } change { kind } userErrors { code } } }"""
LIST = """query($m: ID!, $f: ThreadFilter, $first: Int, $after: String) { territoryModel(id: $m) {
  threads(filter: $f, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor } nodes { anchor { label } commentCount } } } }"""
FOLLOW = """subscription($m: ID!, $after: String, $on: ThreadAnchorInput) {
  threadEvents(modelId: $m, after: $after, anchor: $on) {
    __typename ... on Checkpoint { head }
    ... on Change { kind entityType cursor thread { isResolved } comment { body author { userName } } } } }"""


async def find_territories(session: ReadSession, anchors: Collection[Anchor]) -> Mapping[Anchor, AnchorPlace]:
    ids = [anchor.id for anchor in anchors]
    rows = await session.rows(select(nodes).where(nodes.c.id.in_(ids)))
    return {
        Anchor(AnchorKind.TERRITORY, row.id): AnchorPlace(row.model_id, row.path, row.developer_name, Kind.TERRITORY)
        for row in rows
    }


@dataclass(frozen=True)
class Office:
    """A draft with two territories, and GraphQL for whoever asks."""

    world: World
    services: Services
    model_key: int
    root_key: int
    leaf_key: int
    planner: Principal
    other: Principal
    far: Principal

    @property
    def model(self) -> str:
        return encode_id("TerritoryModel", self.model_key)

    @property
    def leaf(self) -> dict[str, Any]:
        return {"territoryId": encode_id("Territory", self.leaf_key)}

    async def ask(self, who: Principal, query: str, **variables: Any) -> dict[str, Any]:
        context = Context(self.services, who, "test")
        answer = await Executor(SCHEMA, self.services.settings).run(Operation(query, variables), context)
        return answer.body()

    async def get(self, who: Principal, query: str, **variables: Any) -> Any:
        body = await self.ask(who, query, **variables)
        assert "errors" not in body, body
        (value,) = body["data"].values()
        return value

    @asynccontextmanager
    async def events(self, who: Principal, **variables: Any) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        context = Context(self.services, who, "test")
        source = Executor(SCHEMA, self.services.settings).stream(Operation(FOLLOW, variables), context)

        async def items() -> AsyncIterator[dict[str, Any]]:
            async for answer in source:
                assert not answer.errors, answer.errors
                assert answer.data is not None
                yield answer.data["threadEvents"]

        try:
            yield items()
        finally:
            await source.aclose()


@pytest.fixture
async def office(database: Database) -> AsyncIterator[Office]:
    world = make_world(database)
    admin = await make_user(database, "admin", Role.ADMIN)
    planner = await make_user(database, "planner", Role.PLANNER)
    other = await make_user(database, "other", Role.PLANNER)
    far = await make_user(database, "far", grants=(Grant(Role.PLANNER, None, "/World/Asia/"),))
    type_id = await make_type(world, admin)
    model_id = await make_model(world, planner)
    root_id = await make_territory(world, planner, model_id, type_id, "World")
    leaf_id = await make_territory(world, planner, model_id, type_id, "Europe", root_id)
    feed = Feed(database, poll_s=0.05)

    async def same(principal: Principal) -> Principal:
        return principal

    extras: dict[type, Any] = {AnchorRegistry: AnchorRegistry({AnchorKind.TERRITORY: find_territories})}
    services = Services(Settings(), database, ACCESS, world.writer, feed, same, extras)
    await feed.start()
    yield Office(world, services, model_id, root_id, leaf_id, planner, other, far)
    await feed.stop()


async def test_a_new_thread_comes_back_with_its_anchor_and_comment(office: Office) -> None:
    payload = await office.get(office.planner, CREATE, anchor=office.leaf, body="Too large?")
    made = payload["thread"]
    assert payload["userErrors"] == []
    assert payload["change"] == {"kind": "CREATED", "entityType": "COMMENT"}
    assert made["anchor"] == {
        "kind": "TERRITORY",
        "id": office.leaf["territoryId"],
        "sequence": None,
        "label": "Europe",
        "isGone": False,
    }
    assert (made["subject"], made["isResolved"], made["commentCount"]) == ("Size", False, 1)
    (said,) = made["comments"]["nodes"]
    assert (said["body"], said["author"], said["version"]) == ("Too large?", {"userName": "planner"}, 5)


async def test_a_thread_on_a_change_has_its_number_instead_of_an_id(office: Office) -> None:
    anchor = {"change": {"modelId": office.model, "sequence": 2}}
    payload = await office.get(office.planner, CREATE, anchor=anchor, body="Why?")
    assert payload["thread"]["anchor"] == {
        "kind": "CHANGE",
        "id": None,
        "sequence": 2,
        "label": "Change 2: CREATED TERRITORY World",
        "isGone": False,
    }


async def test_the_same_key_begins_one_thread(office: Office) -> None:
    first = await office.get(office.planner, CREATE, anchor=office.leaf, body="Once", key="k")
    again = await office.get(office.planner, CREATE, anchor=office.leaf, body="Once", key="k")
    assert first["thread"]["id"] == again["thread"]["id"]
    assert (await office.get(office.planner, LIST, m=office.model))["threads"]["totalCount"] == 1


async def test_an_empty_body_is_a_user_error_at_its_field(office: Office) -> None:
    payload = await office.get(office.planner, CREATE, anchor=office.leaf, body=" ")
    assert payload["thread"] is None
    assert [(error["code"], error["field"]) for error in payload["userErrors"]] == [("INVALID", ["body"])]


async def test_an_id_of_another_type_is_a_user_error(office: Office) -> None:
    payload = await office.get(office.planner, CREATE, anchor={"territoryId": office.model}, body="Hi")
    assert [(error["code"], error["field"]) for error in payload["userErrors"]] == [("NOT_FOUND", ["anchor"])]


async def test_exactly_one_anchor_must_be_named(office: Office) -> None:
    both = {**office.leaf, "modelId": office.model}
    body = await office.ask(office.planner, CREATE, anchor=both, body="Hi")
    assert len(body["errors"]) == 1
    assert "data" not in body  # the request itself is wrong
    assert (await office.get(office.planner, LIST, m=office.model))["threads"]["totalCount"] == 0


async def test_a_reader_elsewhere_sees_no_thread_and_may_write_none(office: Office) -> None:
    made = (await office.get(office.planner, CREATE, anchor=office.leaf, body="Hidden"))["thread"]
    assert (await office.get(office.far, LIST, m=office.model))["threads"] == {
        "totalCount": 0,
        "pageInfo": {"hasNextPage": False, "endCursor": None},
        "nodes": [],
    }
    assert await office.get(office.far, "query($id: ID!) { thread(id: $id) { id } }", id=made["id"]) is None
    payload = await office.get(office.far, ADD, id=made["id"], body="Hello")
    assert payload == {"comment": None, "change": None, "userErrors": [{"code": "NOT_FOUND", "field": ["id"]}]}


async def test_a_further_right_in_a_subtree_hides_no_thread_of_the_model(office: Office) -> None:
    grants = (Grant(Role.VIEWER), Grant(Role.PLANNER, office.model_key, "/World/Europe/"))
    both = await make_user(office.world.database, "both", grants=grants)
    for anchor in (office.leaf, {"modelId": office.model}):
        await office.get(office.planner, CREATE, anchor=anchor, body="For all")
    async with office.world.database.write() as session:
        await session.execute(update(territory_model).values(state="ACTIVE"))
    assert (await office.get(both, LIST, m=office.model))["threads"]["totalCount"] == 2


async def test_a_comment_is_edited_refused_and_deleted(office: Office) -> None:
    made = (await office.get(office.planner, CREATE, anchor=office.leaf, body="Base"))["thread"]
    (said,) = made["comments"]["nodes"]
    edited = await office.get(office.planner, EDIT, id=said["id"], body="Next", v=said["version"])
    assert edited["comment"] == {
        "body": "Next",
        "version": said["version"] + 1,
        "revisions": [{"body": "Base", "version": said["version"]}],
    }
    late = await office.get(office.planner, EDIT, id=said["id"], body="Late", v=said["version"])
    assert late["comment"]["body"] == "Next"
    assert late["userErrors"] == [
        {
            "code": "CONFLICT",
            "field": ["expectedVersion"],
            "conflicts": [{"field": "body", "base": '"Base"', "theirs": '"Next"', "yours": '"Late"'}],
        }
    ]
    gone = (await office.get(office.planner, DELETE, id=said["id"]))["comment"]
    assert (gone["body"], gone["revisions"], gone["deletedAt"] is None) == (None, [], False)
    thread = await office.get(
        office.other,
        "query($id: ID!) { thread(id: $id) { commentCount comments { totalCount nodes { body } } } }",
        id=made["id"],
    )
    assert thread == {"commentCount": 0, "comments": {"totalCount": 1, "nodes": [{"body": None}]}}


async def test_editing_anothers_comment_is_forbidden_at_the_top(office: Office) -> None:
    made = (await office.get(office.planner, CREATE, anchor=office.leaf, body="Mine"))["thread"]
    (said,) = made["comments"]["nodes"]
    body = await office.ask(office.other, EDIT, id=said["id"], body="Yours", v=said["version"])
    assert [(error["extensions"]["code"], error["path"]) for error in body["errors"]] == [
        ("FORBIDDEN", ["commentEdit"])
    ]


async def test_threads_are_filtered_and_paged_newest_first(office: Office) -> None:
    other_anchor = {"modelId": office.model}
    on_leaf = (await office.get(office.planner, CREATE, anchor=office.leaf, body="One"))["thread"]
    await office.get(office.planner, CREATE, anchor=other_anchor, body="Two")
    await office.get(office.planner, CREATE, anchor=office.leaf, body="Three")
    await office.get(office.other, ADD, id=on_leaf["id"], body="Answer")
    await office.get(office.other, RESOLVE, id=on_leaf["id"])
    first = (await office.get(office.planner, LIST, m=office.model, first=2))["threads"]
    assert [node["anchor"]["label"] for node in first["nodes"]] == ["Europe", "Draft"]
    assert (first["totalCount"], first["pageInfo"]["hasNextPage"]) == (3, True)
    cursor = first["pageInfo"]["endCursor"]
    rest = (await office.get(office.planner, LIST, m=office.model, first=2, after=cursor))["threads"]
    assert rest["nodes"] == [{"anchor": {"label": "Europe"}, "commentCount": 2}]
    assert rest["pageInfo"]["hasNextPage"] is False
    for wanted, count in [
        ({"resolved": True}, 1),
        ({"resolved": False}, 2),
        ({"anchor": office.leaf}, 2),
        ({"anchor": office.leaf, "resolved": False}, 1),
        ({"anchor": other_anchor}, 1),
    ]:
        page = (await office.get(office.planner, LIST, m=office.model, f=wanted))["threads"]
        assert (page["totalCount"], len(page["nodes"])) == (count, count), wanted


async def test_a_thread_is_resolved_and_reopened(office: Office) -> None:
    made = (await office.get(office.planner, CREATE, anchor=office.leaf, body="Done?"))["thread"]
    assert await office.get(office.other, RESOLVE, id=made["id"]) == {
        "thread": {"isResolved": True, "resolvedBy": {"userName": "other"}},
        "change": {"kind": "RESOLVED"},
        "userErrors": [],
    }
    assert await office.get(office.planner, REOPEN, id=made["id"]) == {
        "thread": {"isResolved": False, "resolvedAt": None, "resolvedBy": None},
        "change": {"kind": "REOPENED"},
        "userErrors": [],
    }


async def test_a_thread_says_that_its_anchor_is_gone(office: Office) -> None:
    made = (await office.get(office.planner, CREATE, anchor=office.leaf, body="Keep me"))["thread"]
    async with office.world.writer.unit_of_work(office.planner) as work:
        await territories.delete_territory(work, office.leaf_key, 3)
    found = await office.get(
        office.other,
        "query($id: ID!) { thread(id: $id) { anchor { label isGone } comments { nodes { body } } } }",
        id=made["id"],
    )
    assert found == {"anchor": {"label": "Europe", "isGone": True}, "comments": {"nodes": [{"body": "Keep me"}]}}


async def test_all_threads_of_a_page_cost_the_same_statements(office: Office) -> None:
    statements: list[str] = []

    def count(statement: str) -> None:
        statements.append(statement)

    query = """query($m: ID!) { territoryModel(id: $m) { threads { totalCount nodes { commentCount
      createdBy { name } anchor { isGone } comments { nodes { body revisions { body } author { name } } } } } } }"""
    counts: list[int] = []
    for body in ("One", "Two", "Three"):
        await office.get(office.planner, CREATE, anchor=office.leaf, body=body)
        if not counts:
            office.world.database.on_statement(count)
        statements.clear()
        await office.get(office.planner, query, m=office.model)
        counts.append(len([text for text in statements if text.startswith(("SELECT", "WITH"))]))
    assert counts == [counts[0]] * 3


async def test_events_of_threads_are_followed_live_with_what_was_said(office: Office) -> None:
    async with office.events(office.other, m=office.model) as items:
        assert await anext(items) == {"__typename": "Checkpoint", "head": 3}
        made = (await office.get(office.planner, CREATE, anchor=office.leaf, body="Live?"))["thread"]
        began, said = await anext(items), await anext(items)
        await office.get(office.planner, RESOLVE, id=made["id"])
        settled = await anext(items)
    assert (began["entityType"], began["thread"], began["comment"]) == ("THREAD", {"isResolved": False}, None)
    assert (said["entityType"], said["kind"], said["thread"]) == ("COMMENT", "CREATED", None)
    assert said["comment"] == {"body": "Live?", "author": {"userName": "planner"}}
    assert (settled["kind"], settled["thread"]) == ("RESOLVED", {"isResolved": True})


async def test_events_resume_after_a_cursor_without_structure_and_other_anchors(office: Office) -> None:
    async with office.events(office.other, m=office.model) as items:
        await anext(items)
        await office.get(office.planner, CREATE, anchor=office.leaf, body="One")
        cursor = (await anext(items))["cursor"]
    made = (await office.get(office.planner, CREATE, anchor={"modelId": office.model}, body="Two"))["thread"]
    async with office.world.writer.unit_of_work(office.planner) as work:
        await territories.update_territory(work, office.leaf_key, 3, {"name": "EU"})
    await office.get(office.planner, ADD, id=made["id"], body="Three")
    async with office.events(office.other, m=office.model, after=cursor, on={"modelId": office.model}) as items:
        found = [item async for item in _changes(items, 3)]
    assert [(item["entityType"], (item["comment"] or {}).get("body")) for item in found] == [
        ("THREAD", None),
        ("COMMENT", "Two"),
        ("COMMENT", "Three"),
    ]


async def test_a_reader_elsewhere_is_told_a_checkpoint_only(office: Office) -> None:
    async with office.events(office.far, m=office.model) as items:
        await anext(items)
        await office.get(office.planner, CREATE, anchor=office.leaf, body="Hidden")
        assert await anext(items) == {"__typename": "Checkpoint", "head": 5}


async def _changes(items: AsyncIterator[dict[str, Any]], count: int) -> AsyncIterator[dict[str, Any]]:
    async for item in items:
        if item["__typename"] == "Change":
            yield item
            count -= 1
        if count == 0:
            return


async def test_a_change_of_the_same_number_in_another_model_is_another_anchor(office: Office) -> None:
    second = await make_model(office.world, office.planner, "Second")
    models = [encode_id("TerritoryModel", key) for key in (office.model_key, second)]
    anchors = [{"change": {"modelId": model, "sequence": 1}} for model in models]
    await office.get(office.planner, CREATE, anchor=anchors[0], body="Here")
    for anchor, count in zip(anchors, (1, 0), strict=True):
        page = (await office.get(office.planner, LIST, m=office.model, f={"anchor": anchor}))["threads"]
        assert page["totalCount"] == count
    context = Context(office.services, office.planner, "test")
    operation = Operation(FOLLOW, {"m": office.model, "on": anchors[1]})
    answers = [a async for a in Executor(SCHEMA, office.services.settings).stream(operation, context)]
    assert [error["extensions"]["code"] for answer in answers for error in answer.errors] == ["NOT_FOUND"]
