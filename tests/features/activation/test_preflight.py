"""Pre-flight: what is found, who is told, and what it means for an activation."""

from pathlib import Path

import pytest
from sqlalchemy import text
from tests.factories.office import Office, open_office
from tests.factories.world import make_account, make_model, make_territory, make_type

from etm_graph.access.snapshot import default_policy_folder
from etm_graph.core.lifecycle import ModelState
from etm_graph.db.sessions import Database
from etm_graph.features.activation.service import CHECKS, Preflight
from etm_graph.features.alignment.service import assign_account
from etm_graph.features.scenarios.service import clone_model
from etm_graph.features.territories.service import add_member
from etm_graph.graphql.ids import encode_id
from etm_graph.jobs.worker import Worker

REPORT = """query($m: ID!) { territoryModel(id: $m) { preflight { structureHead isBlocked droppedCount activeModel { developerName }
  checks { code severity count subjects { key territory { developerName } account { name } } }
  dropped { key entityType change } } } }"""
ACTIVATE = """mutation($m: ID!, $h: BigInt!, $a: ID, $k: [String!]! = []) { territoryModelActivate(input: {id: $m,
  expectedStructureHead: $h, expectedActiveModelId: $a, archiveCurrent: true, acknowledgeDropped: $k}) {
    job { id } preflight { isBlocked checks { code count } } userErrors { code message field } } }"""


@pytest.fixture
async def office(database: Database) -> Office:
    return await open_office(database)


async def report(office: Office, model: int, who: str = "admin") -> dict:
    found = await office.get(getattr(office, who), REPORT, m=encode_id("TerritoryModel", model))
    return found["preflight"]


async def activate(office: Office, model: int, active: int | None = None, acknowledged: tuple[str, ...] = ()) -> dict:
    head = (await report(office, model))["structureHead"]
    key = None if active is None else encode_id("TerritoryModel", active)
    answer = await office.get(
        office.admin, ACTIVATE, m=encode_id("TerritoryModel", model), h=head, a=key, k=list(acknowledged)
    )
    while await office.services.get(Worker).run_one():
        pass
    return answer


async def build(office: Office) -> tuple[int, int, int, list[int]]:
    """An active model with a root and a leaf that hold an account each."""
    model = await make_model(office.world, office.admin, "Active")
    type_id = await make_type(office.world, office.admin)
    root = await make_territory(office.world, office.admin, model, type_id, "Root")
    leaf = await make_territory(office.world, office.admin, model, type_id, "Leaf", root)
    accounts = [await make_account(office.world.database, name) for name in ("Ann", "Bob")]
    async with office.world.writer.unit_of_work(office.admin) as work:
        await assign_account(work, office.world.engine, root, accounts[0])
        await assign_account(work, office.world.engine, leaf, accounts[1])
    assert (await activate(office, model))["userErrors"] == []
    return model, type_id, leaf, accounts


async def test_every_check_finds_what_it_is_for(office: Office) -> None:
    active, type_id, _, accounts = await build(office)
    async with office.world.database.write() as session:
        await session.execute(text("UPDATE account_assignment SET by_rule = true"))
        await session.execute(text(f"UPDATE account SET excluded_from_realignment = true WHERE id = {accounts[1]}"))
        await session.execute(text("UPDATE stream SET head = head + 1 WHERE id = 0"))
        await session.execute(text(f"UPDATE account SET version = 1 WHERE id = {accounts[1]}"))
    draft = await make_model(office.world, office.admin, "Draft")
    root = await make_territory(office.world, office.admin, draft, type_id, "Root")
    await make_territory(office.world, office.admin, draft, type_id, "Empty", root)
    async with office.world.writer.unit_of_work(office.admin) as work:
        await add_member(work, root, office.viewer.user_id, {})
        await assign_account(work, office.world.engine, root, accounts[0])
    async with office.world.database.write() as session:
        await session.execute(
            text(f"UPDATE territory SET forecast_manager_id = {office.viewer.user_id} WHERE id = {root}")
        )
        await session.execute(text(f"UPDATE app_user SET active = false WHERE id = {office.viewer.user_id}"))
        await session.execute(
            text(
                "INSERT INTO assignment_rule (model_id, developer_name, name, object_type, is_active, criteria, version) VALUES "
                f"""({draft}, 'Broken', 'Broken', 'ACCOUNT', true, '[{{"number": 1, "field": "custom.Gone", """
                """"operator": "EQUALS", "values": ["x"]}]', 0)"""
            )
        )
    found = await report(office, draft)
    told = {check["code"]: [subject["key"] for subject in check["subjects"]] for check in found["checks"]}
    assert told == {
        "MODEL_WITHOUT_TERRITORIES": [],
        "RULE_IN_ERROR": ["Broken"],
        "TERRITORY_WITHOUT_ACCOUNTS": [],
        "TERRITORY_WITHOUT_MEMBERS": ["Empty"],
        "TERRITORY_WITHOUT_MANAGER": ["Empty"],
        "MANAGER_NOT_ACTIVE": ["Root"],
        "ACCOUNT_LOSES_ALL_TERRITORIES": [],
        "FROZEN_WITHOUT_SUCCESSOR": [f"Leaf/{accounts[1]}"],
    }
    assert found["isBlocked"] is True
    async with office.world.database.write() as session:
        await session.execute(text(f"DELETE FROM assignment_rule WHERE model_id = {draft}"))
    found = await report(office, draft)
    told = {check["code"]: [subject["key"] for subject in check["subjects"]] for check in found["checks"]}
    assert told["TERRITORY_WITHOUT_ACCOUNTS"] == ["Empty"]
    assert told["ACCOUNT_LOSES_ALL_TERRITORIES"] == [str(accounts[1])]
    assert found["isBlocked"] is False
    assert found["activeModel"] == {"developerName": "Active"}
    assert active


async def test_a_blocker_refuses_and_a_warning_is_told(office: Office) -> None:
    empty = await make_model(office.world, office.admin, "Empty")
    refused = await activate(office, empty)
    (error,) = refused["userErrors"]
    assert (refused["job"], error["code"]) == (None, "BLOCKED")
    assert "The model has no territory. (1)" in error["message"]
    type_id = await make_type(office.world, office.admin)
    await make_territory(office.world, office.admin, empty, type_id, "Root")
    answer = await activate(office, empty)
    assert answer["userErrors"] == []
    assert {"code": "TERRITORY_WITHOUT_MEMBERS", "count": 1} in answer["preflight"]["checks"]


async def test_what_was_done_to_the_active_model_since_must_be_acknowledged_by_list(office: Office) -> None:
    active, _, leaf, accounts = await build(office)
    async with office.world.writer.unit_of_work(office.admin) as work:
        draft = await clone_model(work, active, "Draft", "Draft")
    assert (await report(office, draft))["dropped"] == []
    async with office.world.writer.unit_of_work(office.admin) as work:
        await add_member(work, leaf, office.planner.user_id, {})
        await assign_account(work, office.world.engine, leaf, accounts[0])
    dropped = (await report(office, draft))["dropped"]
    assert dropped == [
        {"key": "MEMBERSHIP:Leaf/planner", "entityType": "MEMBERSHIP", "change": "ADDED"},
        {"key": f"ASSIGNMENT:Leaf/{accounts[0]}", "entityType": "ASSIGNMENT", "change": "ADDED"},
    ]
    keys = tuple(item["key"] for item in dropped)
    refused = await activate(office, draft, active, keys[:1])
    (error,) = refused["userErrors"]
    assert (error["code"], error["field"]) == ("CONFLICT", ["acknowledgeDropped"])
    assert keys[1] in error["message"]
    assert keys[0] not in error["message"]
    assert (await activate(office, draft, active, keys))["userErrors"] == []


async def test_what_a_draft_has_alike_is_not_dropped(office: Office) -> None:
    active, _, leaf, _ = await build(office)
    async with office.world.writer.unit_of_work(office.admin) as work:
        draft = await clone_model(work, active, "Draft", "Draft")
    async with office.world.database.read() as session:
        twin = await session.scalar(
            text(f"SELECT id FROM territory WHERE model_id = {draft} AND developer_name = 'Leaf'")
        )
    for territory in (leaf, twin):
        async with office.world.writer.unit_of_work(office.admin) as work:
            await add_member(work, territory, office.planner.user_id, {})
    assert (await report(office, draft))["dropped"] == []


async def test_a_draft_of_something_else_drops_territories_without_namesake(office: Office) -> None:
    active, type_id, _, _ = await build(office)
    other = await make_model(office.world, office.admin, "Other")
    await make_territory(office.world, office.admin, other, type_id, "Root")
    found = await report(office, other)
    assert [item["key"] for item in found["dropped"]] == ["TERRITORY:Leaf"]
    assert (await activate(office, other, active))["userErrors"][0]["code"] == "CONFLICT"
    assert (await activate(office, other, active, ("TERRITORY:Leaf",)))["userErrors"] == []


async def test_a_model_that_cannot_be_activated_has_no_report(office: Office) -> None:
    active, *_ = await build(office)
    assert await report(office, active) is None


def test_policy_names_every_check_once(tmp_path: Path) -> None:
    loaded = Preflight.load(default_policy_folder(), CHECKS)
    assert set(loaded.severities) == {check.code for check in CHECKS}
    (tmp_path / "preflight.toml").write_text('[checks]\nRULE_IN_ERROR = "blocker"\nODD = "off"\n')
    with pytest.raises(ValueError, match="unknown: \\['ODD'\\]"):
        Preflight.load(tmp_path, CHECKS)


async def test_what_policy_switches_off_is_not_looked_at(office: Office) -> None:
    model = await make_model(office.world, office.admin, "Empty")
    loaded = Preflight.load(default_policy_folder(), CHECKS)
    off = Preflight(
        CHECKS, {**loaded.severities, "MODEL_WITHOUT_TERRITORIES": type(loaded.severities["RULE_IN_ERROR"])("off")}
    )
    async with office.world.database.read() as session:
        examination = await off.examine(session, office.world.engine, model, ModelState.PLANNING)
    assert examination.blockers == []
    assert "MODEL_WITHOUT_TERRITORIES" not in {found.check.code for found in examination.findings}
