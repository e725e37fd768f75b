"""Activating through GraphQL: whatever happens at the same moment, one wins and the others are told."""

import asyncio
from collections import Counter

import pytest
from tests.factories.office import Office, open_office
from tests.factories.world import make_account, make_model, make_territory, make_type

from etm_graph.db.sessions import Database
from etm_graph.graphql.ids import encode_id
from etm_graph.jobs.worker import Worker

MODEL = "query($m: ID!) { territoryModel(id: $m) { state head structureHead } }"
ACTIVATE = """mutation($m: ID!, $h: BigInt!, $a: ID, $c: Boolean! = false, $k: String) { territoryModelActivate(
  input: {id: $m, expectedStructureHead: $h, expectedActiveModelId: $a, archiveCurrent: $c, idempotencyKey: $k}) {
    job { id } userErrors { code message field } } }"""
RUN = "mutation($m: ID!) { territoryModelRun(input: {id: $m}) { job { id state } userErrors { code } } }"


@pytest.fixture
async def office(database: Database) -> Office:
    return await open_office(database)


async def draft(office: Office, name: str) -> tuple[str, int]:
    """A draft with one territory, and its structure's head."""
    model_id = await make_model(office.world, office.planner, name)
    type_id = await make_type(office.world, office.admin, name, model_id)
    await make_territory(office.world, office.planner, model_id, type_id, "World")
    key = encode_id("TerritoryModel", model_id)
    return key, int((await office.get(office.admin, MODEL, m=key))["structureHead"])


async def state(office: Office, key: str) -> str:
    return str((await office.get(office.admin, MODEL, m=key))["state"])


async def work(office: Office) -> None:
    while await office.services.get(Worker).run_one():
        pass


async def test_of_two_activations_of_a_draft_at_once_one_is_refused(office: Office) -> None:
    key, head = await draft(office, "Draft")
    answers = await asyncio.gather(*(office.get(office.admin, ACTIVATE, m=key, h=head) for _ in range(5)))
    codes = Counter(error["code"] for answer in answers for error in answer["userErrors"])
    assert codes == {"WRONG_STATE": 4}
    await work(office)
    assert await state(office, key) == "ACTIVE"


async def test_of_two_drafts_activated_at_once_one_becomes_active_and_the_other_says_why_not(office: Office) -> None:
    drafts = [await draft(office, name) for name in ("First", "Second")]
    await asyncio.gather(*(office.ask(office.admin, ACTIVATE, m=key, h=head) for key, head in drafts))
    await work(office)
    states = Counter([await state(office, key) for key, _ in drafts])
    assert states["ACTIVE"] == 1
    assert sum(states.values()) == 2
    assert set(states) <= {"ACTIVE", "ACTIVATING_FAILED", "PLANNING"}


async def test_the_same_key_gives_the_first_answer_again(office: Office) -> None:
    key, head = await draft(office, "Draft")
    first = await office.do(office.admin, ACTIVATE, m=key, h=head, k="once")
    assert await office.do(office.admin, ACTIVATE, m=key, h=head, k="once") == first
    assert await office.refused(office.admin, ACTIVATE, m=key, h=head + 1, k="once") == "IDEMPOTENCY_MISMATCH"


async def test_an_edit_after_the_preview_stops_the_activation(office: Office) -> None:
    key, head = await draft(office, "Draft")
    rename = """mutation($m: ID!) { territoryModel: territoryCreate(input: {modelId: $m, developerName: "Late", name: "Late",
      typeId: "%s"}) { userErrors { code } } }"""
    await office.do(office.planner, rename % encode_id("TerritoryType", 1), m=key)
    assert await office.refused(office.admin, ACTIVATE, m=key, h=head) == "CONFLICT"
    assert await state(office, key) == "PLANNING"


async def test_another_active_model_is_named_and_archived_only_when_asked(office: Office) -> None:
    first, head = await draft(office, "First")
    await office.do(office.admin, ACTIVATE, m=first, h=head)
    await work(office)
    second, head = await draft(office, "Second")
    refused = await office.get(office.admin, ACTIVATE, m=second, h=head, a=first)
    (error,) = refused["userErrors"]
    assert (error["code"], error["field"]) == ("WRONG_STATE", ["archiveCurrent"])
    assert "First" in error["message"]
    await office.do(office.admin, ACTIVATE, m=second, h=head, a=first, c=True)
    await work(office)
    assert [await state(office, key) for key in (first, second)] == ["ARCHIVED", "ACTIVE"]


async def test_only_an_administrator_activates(office: Office) -> None:
    key, head = await draft(office, "Draft")
    assert await office.refused(office.planner, ACTIVATE, m=key, h=head) == "FORBIDDEN"
    assert await office.refused(office.viewer, ACTIVATE, m=key, h=head) == "NOT_FOUND"
    assert await state(office, key) == "PLANNING"


async def test_a_draft_is_previewed_and_not_run(office: Office) -> None:
    key, _ = await draft(office, "Draft")
    assert await office.refused(office.admin, RUN, m=key) == "WRONG_STATE"


async def test_a_run_without_changes_leaves_every_assignment(office: Office) -> None:
    await make_account(office.world.database, "Acme")
    key, head = await draft(office, "Draft")
    await office.do(office.admin, ACTIVATE, m=key, h=head)
    await work(office)
    await office.do(office.admin, RUN, m=key)
    await work(office)
    query = "query($m: ID!) { territoryModel(id: $m) { preview { accountCount assignedCount unassignedCount } } }"
    counts = (await office.get(office.admin, query, m=key))["preview"]
    assert counts == {"accountCount": 1, "assignedCount": 0, "unassignedCount": 1}
