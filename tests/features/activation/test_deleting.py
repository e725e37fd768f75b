"""Drafts into the bin, out of it, and away for good; nothing goes that was not meant."""

import pytest
from sqlalchemy import text
from tests.factories.office import Office, open_office
from tests.factories.world import make_account, make_model, make_territory, make_type

from etm_graph.core.anchors import Anchor, AnchorKind
from etm_graph.db.sessions import Database
from etm_graph.features.alignment.service import assign_account
from etm_graph.features.scenarios.service import clone_model
from etm_graph.features.threads.service import create_thread
from etm_graph.graphql.ids import encode_id
from etm_graph.jobs.worker import Worker
from etm_graph.wiring import ANCHORS

DELETE = """mutation($m: ID!, $d: DeletionFate! = REFUSE, $t: DeletionFate! = REFUSE, $c: DeletionFate! = REFUSE) {
  territoryModelDelete(input: {id: $m, decisions: $d, threads: $t, clones: $c}) {
    job { id state runAfter } territoryModel { state } userErrors { code field message } } }"""
UNDELETE = (
    "mutation($m: ID!) { territoryModelUndelete(input: {id: $m}) { territoryModel { state } userErrors { code } } }"
)
CANCEL = "mutation($j: ID!) { jobCancel(input: {id: $j}) { userErrors { code } } }"


async def build(database: Database) -> tuple[Office, int, str]:
    office = await open_office(database)
    model = await make_model(office.world, office.admin, "Draft")
    type_id = await make_type(office.world, office.admin)
    root = await make_territory(office.world, office.admin, model, type_id, "Root")
    account = await make_account(database, "Ann")
    async with office.world.writer.unit_of_work(office.admin) as work:
        await assign_account(work, office.world.engine, root, account)
    async with office.world.writer.unit_of_work(office.admin) as work:
        await create_thread(work, ANCHORS, Anchor(AnchorKind.TERRITORY, root), None, "Why?")
    async with office.world.writer.unit_of_work(office.admin) as work:
        await clone_model(work, model, "Copy", "Copy")
    return office, model, encode_id("TerritoryModel", model)


async def rows(database: Database, model: int) -> list[int]:
    tables = ("territory_model", "territory", "account_assignment", "thread", "change")
    key = {"territory_model": "id", "change": "stream_id"}
    async with database.read() as session:
        return [
            int(
                await session.scalar(text(f"SELECT count(*) FROM {table} WHERE {key.get(table, 'model_id')} = {model}"))
            )
            for table in tables
        ]


async def work(office: Office) -> None:
    while await office.services.get(Worker).run_one():
        pass


async def due(database: Database) -> None:
    async with database.write() as session:
        await session.execute(text("UPDATE job SET run_after = now() WHERE kind = 'delete'"))


@pytest.mark.parametrize(
    ("given", "field"),
    [({}, "decisions"), ({"d": "DELETE"}, "threads"), ({"d": "DELETE", "t": "DELETE"}, "clones")],
)
async def test_what_was_not_meant_is_named_and_nothing_is_deleted(
    database: Database, given: dict[str, str], field: str
) -> None:
    office, model, key = await build(database)
    before = await rows(database, model)
    refused = await office.get(office.admin, DELETE, m=key, **given)
    (error,) = refused["userErrors"]
    assert (error["code"], error["field"]) == ("IN_USE", [field])
    assert await rows(database, model) == before


ALL = {"d": "DELETE", "t": "DELETE", "c": "DELETE"}


async def test_a_deleted_draft_comes_back_as_it_was(database: Database) -> None:
    office, model, key = await build(database)
    before = await rows(database, model)
    deleted = await office.do(office.admin, DELETE, m=key, **ALL)
    assert (deleted["job"]["state"], deleted["territoryModel"]["state"]) == ("QUEUED", "DELETING")
    await work(office)
    assert await office.refused(office.admin, DELETE, m=key, **ALL) == "WRONG_STATE"
    back = await office.do(office.admin, UNDELETE, m=key)
    assert back["territoryModel"] == {"state": "PLANNING"}
    assert (await rows(database, model))[:-1] == before[:-1]
    await due(database)
    await work(office)
    assert (await rows(database, model))[:-1] == before[:-1]
    assert await office.refused(office.admin, UNDELETE, m=key) == "WRONG_STATE"


async def test_when_its_time_has_come_it_is_gone_for_good_and_its_clone_stays(database: Database) -> None:
    office, model, key = await build(database)
    await office.do(office.admin, DELETE, m=key, **ALL)
    await due(database)
    await work(office)
    assert await rows(database, model) == [0, 0, 0, 0, 0]
    async with database.read() as session:
        copies = await session.rows(text("SELECT developer_name, cloned_from_id FROM territory_model"))
        ended = await session.rows(text("SELECT state, model_id FROM job"))
    assert [tuple(row) for row in copies] == [("Copy", None)]
    assert [tuple(row) for row in ended] == [("SUCCEEDED", None)]


async def test_cancelling_the_job_is_taking_it_out_of_the_bin(database: Database) -> None:
    office, model, key = await build(database)
    job = (await office.do(office.admin, DELETE, m=key, **ALL))["job"]["id"]
    await office.do(office.admin, CANCEL, j=job)
    await work(office)
    async with database.read() as session:
        assert await session.scalar(text(f"SELECT state FROM territory_model WHERE id = {model}")) == "PLANNING"


async def test_what_was_in_force_is_not_deleted_and_a_viewer_deletes_nothing(database: Database) -> None:
    office, model, key = await build(database)
    assert await office.refused(office.viewer, DELETE, m=key, **ALL) == "NOT_FOUND"
    async with database.write() as session:
        await session.execute(text(f"UPDATE territory_model SET state = 'ACTIVE' WHERE id = {model}"))
    assert await office.refused(office.admin, DELETE, m=key, **ALL) == "WRONG_STATE"
