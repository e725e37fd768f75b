"""Jobs through GraphQL: followed without gap or duplicate, stopped, repeated, and hidden from others."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from tests.factories.world import ACCESS, World, make_model, make_user, make_world

from etm_graph.api import make_schema
from etm_graph.core.access import Role
from etm_graph.db.sessions import Database
from etm_graph.graphql.context import Context, Services
from etm_graph.graphql.execution import Executor, Operation
from etm_graph.graphql.ids import encode_id
from etm_graph.identity.principal import Principal
from etm_graph.jobs.worker import Worker
from etm_graph.settings import Settings
from etm_graph.wiring import extras, make_worker

CLONE = """mutation($m: ID!, $n: String!) { territoryModelClone(input: {id: $m, developerName: $n, name: $n}) {
  job { id state kind } territoryModel { state } userErrors { code } } }"""
FOLLOW = """subscription($j: ID!, $after: String) { jobProgress(jobId: $j, after: $after) {
  cursor sequence state step done total attempts job { id } } }"""
CANCEL = "mutation($j: ID!) { jobCancel(input: {id: $j}) { job { state cancelRequestedAt } userErrors { code } } }"
RETRY = (
    "mutation($j: ID!) { jobRetry(input: {id: $j}) { job { id state } territoryModel { state } userErrors { code } } }"
)
LIST = """query($m: ID, $s: [JobState!]) { jobs(modelId: $m, states: $s) { totalCount
  nodes { id kind state createdBy { userName } model { developerName } } } }"""


@dataclass
class Desk:
    """A model, a worker that works when told to, and GraphQL."""

    world: World
    services: Services
    worker: Worker
    planner: Principal
    model: str

    async def ask(self, who: Principal, query: str, **variables: Any) -> dict[str, Any]:
        schema = make_schema(self.services.settings)
        context = Context(self.services, who, "test")
        return (await Executor(schema, self.services.settings).run(Operation(query, variables), context)).body()

    async def get(self, query: str, **variables: Any) -> Any:
        body = await self.ask(self.planner, query, **variables)
        assert "errors" not in body, body
        (value,) = body["data"].values()
        return value

    @asynccontextmanager
    async def follow(self, who: Principal, job: str, after: str | None = None) -> AsyncIterator[AsyncIterator[Any]]:
        executor = Executor(make_schema(self.services.settings), self.services.settings)
        source = executor.stream(Operation(FOLLOW, {"j": job, "after": after}), Context(self.services, who, "test"))

        async def items() -> AsyncIterator[Any]:
            async for answer in source:
                yield answer.errors[0]["extensions"]["code"] if answer.errors else answer.data["jobProgress"]

        try:
            yield items()
        finally:
            await source.aclose()

    async def told(self, job: str, after: str | None = None) -> list[dict[str, Any]]:
        async with self.follow(self.planner, job, after) as items:
            return [item async for item in items]


@pytest.fixture
async def desk(database: Database) -> Desk:
    world = make_world(database)
    planner = await make_user(database, "planner", Role.PLANNER)
    model = encode_id("TerritoryModel", await make_model(world, planner))
    worker = make_worker(database, world.writer, world.engine, lease_s=10)

    async def same(principal: Principal) -> Principal:
        return principal

    services = Services(Settings(), database, ACCESS, world.writer, None, same, dict(extras(world.engine, worker)))
    return Desk(world, services, worker, planner, model)


async def test_progress_is_told_in_order_and_resumes_without_gap_or_duplicate(desk: Desk) -> None:
    job = (await desk.get(CLONE, m=desk.model, n="Copy"))["job"]
    assert (job["state"], job["kind"]) == ("QUEUED", "clone")
    async with desk.follow(desk.planner, job["id"]) as items:
        first = await anext(items)
    assert (int(first["sequence"]), first["state"], first["attempts"]) == (1, "QUEUED", 0)
    await desk.worker.run_one()
    rest = await desk.told(job["id"], first["cursor"])
    numbers = [int(item["sequence"]) for item in rest]
    assert numbers == list(range(2, numbers[-1] + 1))
    assert (rest[-1]["state"], int(rest[-1]["done"]), int(rest[-1]["total"])) == ("SUCCEEDED", 1, 1)
    assert rest[-1]["job"] == {"id": job["id"]}
    for place, item in enumerate(rest):
        assert await desk.told(job["id"], item["cursor"]) == rest[place + 1 :] or item is rest[-1]
    assert (await desk.told(job["id"]))[0]["sequence"] == rest[-1]["sequence"]


async def test_a_cursor_of_another_job_and_a_job_of_another_person_are_refused(desk: Desk, database: Database) -> None:
    one = (await desk.get(CLONE, m=desk.model, n="One"))["job"]["id"]
    two = (await desk.get(CLONE, m=desk.model, n="Two"))["job"]["id"]
    await desk.worker.run_one()
    await desk.worker.run_one()
    cursor = (await desk.told(one))[0]["cursor"]
    assert await desk.told(two, cursor) == ["RESYNC_REQUIRED"]
    stranger = await make_user(database, "stranger", Role.VIEWER)
    async with desk.follow(stranger, one) as items:
        assert [item async for item in items] == ["NOT_FOUND"]
    assert (await desk.ask(stranger, LIST))["data"]["jobs"] == {"totalCount": 0, "nodes": []}


async def test_jobs_are_listed_stopped_and_repeated(desk: Desk) -> None:
    job = (await desk.get(CLONE, m=desk.model, n="Copy"))["job"]["id"]
    stopped = await desk.get(CANCEL, j=job)
    assert stopped["job"]["cancelRequestedAt"] is not None
    await desk.worker.run_one()
    listed = await desk.get(LIST, s=["CANCELLED"])
    assert listed == {
        "totalCount": 1,
        "nodes": [
            {"id": job, "kind": "clone", "state": "CANCELLED", "createdBy": {"userName": "planner"},
             "model": {"developerName": "Copy"}}
        ],
    }  # fmt: skip
    assert (await desk.get(CANCEL, j=job))["userErrors"] == [{"code": "WRONG_STATE"}]
    again = await desk.get(RETRY, j=job)
    assert again["territoryModel"] == {"state": "CLONING"}
    await desk.worker.run_one()
    assert (await desk.get(LIST, s=["SUCCEEDED"]))["nodes"][0]["id"] == again["job"]["id"]
    assert (await desk.get(RETRY, j=again["job"]["id"]))["userErrors"] == [{"code": "WRONG_STATE"}]
    assert (await desk.get(LIST, m=desk.model))["totalCount"] == 0


async def test_a_quick_job_has_ended_when_a_process_that_works_answers(desk: Desk) -> None:
    await desk.worker.start()
    try:
        answer = await desk.get(CLONE, m=desk.model, n="Copy")
    finally:
        await desk.worker.stop()
    assert answer == {
        "job": {"id": answer["job"]["id"], "state": "SUCCEEDED", "kind": "clone"},
        "territoryModel": {"state": "PLANNING"},
        "userErrors": [],
    }
