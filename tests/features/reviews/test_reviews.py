"""Reviews, what activation needs of them, and challenges from filing to the change set that settles one."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.factories.asking import Asking, make_asking
from tests.factories.world import (
    POLICY,
    make_account,
    make_model,
    make_territory,
    make_type,
    make_user,
)
from tests.helpers.verify_replay import verify_replay

from etm_graph.access.decisions import Access
from etm_graph.core.access import Role
from etm_graph.db.sessions import Database
from etm_graph.graphql.ids import encode_id
from etm_graph.identity.principal import Principal

REQUEST = """mutation($m: ID!, $asked: [ID!]!) { reviewRequest(input: {modelId: $m, reviewerIds: $asked, note: "Please"}) {
  review { id isOpen structureHead reviewers { userName } } userErrors { code message } } }"""
DECIDE = """mutation($id: ID!, $v: ReviewVerdict!, $c: String, $h: BigInt!) {
  reviewDecide(input: {id: $id, verdict: $v, comment: $c, expectedStructureHead: $h}) {
  review { decisions { verdict isStale user { userName } } } territoryModel { structureHead } userErrors { code field } } }"""
CLOSE = "mutation($id: ID!) { reviewClose(input: {id: $id}) { review { isOpen } userErrors { code } } }"
REVIEWS = "query($m: ID!) { territoryModel(id: $m) { reviews { isOpen decisions { isStale } } structureHead } }"
ACTIVATE = """mutation($m: ID!, $h: BigInt!) { territoryModelActivate(input: {id: $m, expectedStructureHead: $h}) {
  job { id } userErrors { code message } } }"""
EFFECTS = "query($m: ID!) { draftEffects(modelId: $m) { name now then } }"
FILE = """mutation($m: ID!, $a: ID!, $t: String, $why: String!) {
  challengeFile(input: {modelId: $m, accountId: $a, wantedTerritory: $t, reason: $why}) {
  challenge { id state } userErrors { code } } }"""
ACCEPT = """mutation($id: ID!, $ops: [EditOperation!]!) { challengeAccept(input: {id: $id, operations: $ops, answer: "Right"}) {
  challenge { state answer changeSet } userErrors { code message } } }"""
DECLINE = """mutation($id: ID!) { challengeDecline(input: {id: $id, reason: "No"}) {
  challenge { state } userErrors { code } } }"""
MINE = "{ myChallenges { state answer } }"


@dataclass
class Board:
    """A draft with World/A and World/B, its planner, a manager, and a rep who owns an account."""

    asking: Asking
    model: str
    root: int
    planner: Principal
    manager: Principal
    rep: Principal
    account: str

    async def head(self) -> int:
        found = await self.asking.get(self.planner, REVIEWS, m=self.model)
        return int(found["structureHead"])

    async def request(self) -> str:
        who = [encode_id("User", self.manager.user_id)]
        found = await self.asking.get(self.planner, REQUEST, m=self.model, asked=who)
        assert found["userErrors"] == [], found
        return str(found["review"]["id"])

    async def decide(self, review: str, verdict: str, comment: str | None = None) -> Any:
        head = await self.head()
        return await self.asking.get(self.manager, DECIDE, id=review, v=verdict, c=comment, h=head)


@pytest.fixture
async def board(database: Database) -> Board:
    asking = make_asking(database)
    world = asking.world
    planner = await make_user(database, "planner", Role.PLANNER, Role.ADMIN)
    manager = await make_user(database, "manager", Role.MANAGER)
    rep = await make_user(database, "rep", Role.REP)
    type_id, model_id = await make_type(world, planner), await make_model(world, planner)
    root = await make_territory(world, planner, model_id, type_id, "World")
    for name in ("A", "B"):
        await make_territory(world, planner, model_id, type_id, name, root)
    account = encode_id("Account", await make_account(database, "Acme", owner_id=rep.user_id))
    await make_account(database, "Other")
    return Board(asking, encode_id("TerritoryModel", model_id), root, planner, manager, rep, account)


async def test_an_approval_is_of_the_structure_that_was_seen_and_gets_stale(board: Board) -> None:
    review = await board.request()
    head = await board.head()
    late = await board.asking.get(board.manager, DECIDE, id=review, v="APPROVED", c=None, h=head - 1)
    assert late["userErrors"] == [{"code": "CONFLICT", "field": ["expectedStructureHead"]}]
    assert (await board.decide(review, "CHANGES_REQUESTED"))["userErrors"][0]["code"] == "INVALID"
    done = await board.decide(review, "APPROVED")
    assert done["review"]["decisions"] == [{"verdict": "APPROVED", "isStale": False, "user": {"userName": "manager"}}]
    assert await board.head() == head
    edit = [{"createTerritory": {"developerName": "C", "name": "C", "typeId": encode_id("TerritoryType", 1)}}]
    await board.asking.get(
        board.planner,
        "mutation($m: ID!, $o: [EditOperation!]!) { territoryModelEdit(input: {modelId: $m, operations: $o}) { userErrors { code } } }",
        m=board.model,
        o=edit,
    )
    found = await board.asking.get(board.manager, REVIEWS, m=board.model)
    assert found["reviews"] == [{"isOpen": True, "decisions": [{"isStale": True}]}]
    await board.asking.get(board.planner, CLOSE, id=review)
    assert (await board.decide(review, "APPROVED"))["userErrors"][0]["code"] == "WRONG_STATE"


async def test_only_who_may_approve_is_asked_and_approves(board: Board) -> None:
    who = [encode_id("User", board.rep.user_id)]
    assert await board.asking.code(board.planner, REQUEST, m=board.model, asked=who) == "INVALID"
    review = await board.request()
    head = await board.head()
    assert await board.asking.code(board.rep, DECIDE, id=review, v="APPROVED", h=head) in {"NOT_FOUND", "FORBIDDEN"}
    found = await board.asking.ask(board.rep, REVIEWS, m=board.model)
    assert found["data"]["territoryModel"] is None


async def test_activation_waits_for_the_approvals_of_the_policy_file(board: Board, tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    shutil.copytree(POLICY, folder)
    (folder / "approvals.toml").write_text("[approvals]\nmanager = 1\n")
    world = board.asking.world
    object.__setattr__(world.writer, "access", Access(folder))
    head = await board.head()
    refused = await board.asking.get(board.planner, ACTIVATE, m=board.model, h=head)
    (error,) = refused["userErrors"]
    assert error["code"] == "WRONG_STATE"
    assert "1 more approvals by people with the role manager" in error["message"]
    review = await board.request()
    await board.decide(review, "CHANGES_REQUESTED", "Not yet")
    assert await board.asking.code(board.planner, ACTIVATE, m=board.model, h=head) == "WRONG_STATE"
    await board.decide(review, "APPROVED")
    done = await board.asking.get(board.planner, ACTIVATE, m=board.model, h=head)
    assert done["userErrors"] == []
    assert done["job"] is not None


async def test_a_challenge_goes_from_filing_to_the_change_set_that_settles_it(board: Board) -> None:
    before = await board.asking.ask(board.rep, EFFECTS, m=board.model)
    assert before["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    why = {"m": board.model, "a": board.account, "t": "B", "why": "I know them"}
    assert await board.asking.code(board.rep, FILE, **why) == "NOT_FOUND"
    await board.request()
    assert await board.asking.get(board.rep, EFFECTS, m=board.model) == [{"name": "Acme", "now": [], "then": []}]
    assert await board.asking.code(board.manager, FILE, **why) == "NOT_FOUND"
    filed = await board.asking.get(board.rep, FILE, **why)
    challenge = filed["challenge"]["id"]
    assert await board.asking.code(board.rep, DECLINE, id=challenge) == "NOT_FOUND"
    wrong = [{"assignAccount": {"territory": "Z", "accountId": board.account}}]
    assert await board.asking.code(board.planner, ACCEPT, id=challenge, ops=wrong) == "NOT_FOUND"
    right = [{"assignAccount": {"territory": "B", "accountId": board.account}}]
    async with verify_replay(board.asking.database):
        done = await board.asking.get(board.planner, ACCEPT, id=challenge, ops=right)
    assert (done["challenge"]["state"], done["challenge"]["answer"]) == ("ACCEPTED", "Right")
    assert done["challenge"]["changeSet"] is not None
    assert await board.asking.get(board.rep, EFFECTS, m=board.model) == [{"name": "Acme", "now": [], "then": ["B"]}]
    assert await board.asking.get(board.rep, MINE) == [{"state": "ACCEPTED", "answer": "Right"}]
    assert await board.asking.code(board.planner, DECLINE, id=challenge) == "WRONG_STATE"
