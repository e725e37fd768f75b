"""Mentions, signs, following, reading, searching and further anchors, through GraphQL."""

from dataclasses import dataclass
from typing import Any

import pytest
from tests.factories.asking import Asking, make_asking
from tests.factories.world import make_account, make_model, make_territory, make_type, make_user

from etm_graph.core.access import Grant, Role
from etm_graph.db.sessions import Database
from etm_graph.features.territories.service import delete_territory
from etm_graph.graphql.ids import encode_id
from etm_graph.identity.principal import Principal

CREATE = """mutation($on: ThreadAnchorInput!, $body: String!, $subject: String) {
  threadCreate(input: {anchor: $on, body: $body, subject: $subject}) {
  thread { id isFollowed unreadCount anchor { kind id accountId period label isGone }
           comments { nodes { id body bodyHtml mentions { userName } } } } userErrors { code field message } } }"""
ADD = """mutation($id: ID!, $body: String!) { commentAdd(input: {threadId: $id, body: $body}) {
  comment { id version } userErrors { code field message } } }"""
EDIT = """mutation($id: ID!, $body: String!, $v: BigInt!) { commentEdit(input: {id: $id, body: $body, expectedVersion: $v}) {
  comment { mentions { userName } } userErrors { code message } } }"""
REACT = """mutation($id: ID!, $e: String!) { commentReact(input: {id: $id, emoji: $e}) {
  comment { version reactions { emoji count isMine users { userName } } } change { entityType kind } userErrors { code } } }"""
UNREACT = """mutation($id: ID!, $e: String!) { commentUnreact(input: {id: $id, emoji: $e}) {
  comment { reactions { emoji } } userErrors { code } } }"""
SEEN = """query($id: ID!) { thread(id: $id) { unreadCount isFollowed model { unreadCommentCount } anchor { label isGone } } }"""
READ = "mutation($id: ID!, $to: ID) { threadMarkRead(input: {id: $id, upTo: $to}) { thread { unreadCount } userErrors { code } } }"
UNFOLLOW = "mutation($id: ID!) { threadUnfollow(input: {id: $id}) { thread { isFollowed } userErrors { code } } }"
FIND = "query($f: ThreadFilter) { threads(filter: $f) { totalCount nodes { id } } }"


@dataclass
class Talk:
    """A draft with World and Europe, and who talks about it."""

    asking: Asking
    model: str
    europe: int
    planner: Principal
    other: Principal
    far: Principal
    account: str

    @property
    def on(self) -> dict[str, Any]:
        return {"territoryId": encode_id("Territory", self.europe)}

    async def begin(self, body: str = "Why?", subject: str | None = None, on: dict[str, Any] | None = None) -> Any:
        found = await self.asking.get(self.planner, CREATE, on=on or self.on, body=body, subject=subject)
        assert found["userErrors"] == [], found
        return found["thread"]

    async def find(self, who: Principal, **wanted: Any) -> list[str]:
        found = await self.asking.get(who, FIND, f=wanted)
        assert found["totalCount"] == len(found["nodes"])
        return [node["id"] for node in found["nodes"]]


@pytest.fixture
async def talk(database: Database) -> Talk:
    asking = make_asking(database)
    world = asking.world
    planner = await make_user(database, "planner", Role.PLANNER, Role.ADMIN)
    other = await make_user(database, "other", Role.PLANNER)
    far = await make_user(database, "far", grants=(Grant(Role.PLANNER, None, "/World/Asia/"),))
    await make_user(database, "gone", Role.PLANNER, suspended=True)
    type_id, model_id = await make_type(world, planner), await make_model(world, planner)
    root = await make_territory(world, planner, model_id, type_id, "World")
    europe = await make_territory(world, planner, model_id, type_id, "Europe", root)
    account = encode_id("Account", await make_account(database, "Acme"))
    return Talk(asking, encode_id("TerritoryModel", model_id), europe, planner, other, far, account)


async def test_a_mention_is_a_person_who_may_read_the_thread(talk: Talk) -> None:
    thread = await talk.begin("**Look**, @other: `@far`")
    (comment,) = thread["comments"]["nodes"]
    assert comment["mentions"] == [{"userName": "other"}]
    assert comment["bodyHtml"] == "<p><strong>Look</strong>, @other: <code>@far</code></p>\n"
    for name in ("far", "gone", "nobody"):
        refused = await talk.asking.get(talk.planner, ADD, id=thread["id"], body=f"@other @{name}")
        (error,) = refused["userErrors"]
        assert (error["code"], error["field"]) == ("INVALID", ["body"])
        assert error["message"] == f"@{name}: nobody of that name may read this thread; take the mention out."
    seen = await talk.asking.get(talk.other, SEEN, id=thread["id"])
    assert (seen["isFollowed"], seen["unreadCount"]) == (True, 1)


async def test_an_edit_changes_whom_a_comment_mentions(talk: Talk) -> None:
    thread = await talk.begin()
    added = await talk.asking.get(talk.planner, ADD, id=thread["id"], body="@other")
    comment = added["comment"]
    edited = await talk.asking.get(talk.planner, EDIT, id=comment["id"], body="@planner", v=comment["version"])
    assert edited["comment"]["mentions"] == [{"userName": "planner"}]


async def test_signs_are_counted_once_a_person_and_leave_the_version(talk: Talk) -> None:
    thread = await talk.begin()
    added = await talk.asking.get(talk.planner, ADD, id=thread["id"], body="Yes")
    comment, version = added["comment"]["id"], added["comment"]["version"]
    for who in (talk.planner, talk.other, talk.other):
        done = await talk.asking.get(who, REACT, id=comment, e="👍")
    assert done["comment"] == {
        "version": version,
        "reactions": [
            {"emoji": "👍", "count": 2, "isMine": True, "users": [{"userName": "planner"}, {"userName": "other"}]}
        ],
    }
    assert done["change"] is None
    for wrong in ("x", "<b>", "", "👍" * 17):
        assert await talk.asking.code(talk.other, REACT, id=comment, e=wrong) == "INVALID"
    await talk.asking.get(talk.other, UNREACT, id=comment, e="👍")
    last = await talk.asking.get(talk.planner, UNREACT, id=comment, e="👍")
    assert last["comment"]["reactions"] == []


async def test_unread_counts_are_of_others_comments_after_ones_mark(talk: Talk) -> None:
    thread = await talk.begin()
    comments = [
        (await talk.asking.get(talk.planner, ADD, id=thread["id"], body=f"{number}"))["comment"]["id"]
        for number in range(3)
    ]
    assert (await talk.asking.get(talk.planner, SEEN, id=thread["id"]))["unreadCount"] == 0
    seen = await talk.asking.get(talk.other, SEEN, id=thread["id"])
    assert (seen["unreadCount"], seen["model"]["unreadCommentCount"], seen["isFollowed"]) == (4, 4, False)
    read = await talk.asking.get(talk.other, READ, id=thread["id"], to=comments[1])
    assert read["thread"]["unreadCount"] == 1
    back = await talk.asking.get(talk.other, READ, id=thread["id"], to=comments[0])
    assert back["thread"]["unreadCount"] == 1
    assert await talk.find(talk.other, isUnread=True) == [thread["id"]]
    await talk.asking.get(talk.other, READ, id=thread["id"])
    assert await talk.find(talk.other, isUnread=True) == []
    assert await talk.asking.code(talk.far, READ, id=thread["id"]) == "NOT_FOUND"


async def test_who_takes_part_follows_until_they_stop(talk: Talk) -> None:
    thread = await talk.begin()
    assert thread["isFollowed"] is True
    assert (await talk.asking.get(talk.planner, UNFOLLOW, id=thread["id"]))["thread"]["isFollowed"] is False
    await talk.asking.get(talk.planner, ADD, id=thread["id"], body="Still")
    assert (await talk.asking.get(talk.planner, SEEN, id=thread["id"]))["isFollowed"] is False
    assert await talk.find(talk.planner, isFollowed=True) == []


async def test_threads_are_found_by_words_by_those_who_may_read_them(talk: Talk) -> None:
    first = await talk.begin("The Rhine is a border", "Rivers")
    second = await talk.begin("No rivers here, but borders")
    assert await talk.find(talk.other, text="rhine") == [first["id"]]
    assert await talk.find(talk.other, text="rivers") == [second["id"], first["id"]]
    assert await talk.find(talk.other, text='"rivers here"') == [second["id"]]
    assert await talk.find(talk.far, text="rhine") == []


async def test_assignments_and_forecast_cells_are_anchors_that_may_go(talk: Talk) -> None:
    territory = encode_id("Territory", talk.europe)
    pair = await talk.begin(on={"assignment": {"territoryId": territory, "accountId": talk.account}})
    cell = await talk.begin(on={"forecastCell": {"territoryId": territory, "period": "FY2027-Q1"}})
    assert pair["anchor"] == {
        "kind": "ASSIGNMENT",
        "id": territory,
        "accountId": talk.account,
        "period": None,
        "label": "Acme in Europe",
        "isGone": False,
    }
    assert (cell["anchor"]["period"], cell["anchor"]["label"]) == ("FY2027-Q1", "Europe, FY2027-Q1")
    on = {"forecastCell": {"territoryId": territory, "period": "soon"}}
    assert await talk.asking.code(talk.planner, CREATE, on=on, body="?") == "INVALID"
    async with talk.asking.world.writer.unit_of_work(talk.planner) as work:
        await delete_territory(work, talk.europe, 3)
    for thread in (pair, cell):
        seen = await talk.asking.get(talk.other, SEEN, id=thread["id"])
        assert seen["anchor"] == {"label": thread["anchor"]["label"], "isGone": True}
