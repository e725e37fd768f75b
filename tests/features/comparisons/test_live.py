"""What a draft does, live: a snapshot, then what every edit changes, computed once for all who may see the same."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.factories.world import make_user
from tests.features.comparisons.company import EXECUTOR, Company, make_company

from etm_graph.core.access import Grant, Role
from etm_graph.core.lifecycle import ModelState
from etm_graph.db.sessions import Database
from etm_graph.features.activation.service import Fate, Fates, request_deletion
from etm_graph.features.alignment import service as alignment
from etm_graph.features.comparisons.service import Impacts
from etm_graph.features.crm.service import update_account
from etm_graph.features.models import service as models
from etm_graph.features.territories import service as territories
from etm_graph.graphql.context import Context
from etm_graph.graphql.execution import Answer, Operation
from etm_graph.graphql.ids import encode_id
from etm_graph.identity.principal import Principal
from etm_graph.jobs.worker import Worker

FOLLOW = """subscription($m: ID!) { draftImpact(modelId: $m) {
  isSnapshot sequence activeModel { developerName }
  totals { accountsGained accountsLost accountsMoved revenue { gained } }
  territories { developerName accounts { before after gained lost } revenue { after } } } }"""


@pytest.fixture
async def company(database: Database) -> AsyncIterator[Company]:
    made = await make_company(database)
    await made.services.feed.start()
    yield made
    await made.services.feed.stop()


class Watching:
    """One subscription."""

    def __init__(self, answers: AsyncGenerator[Answer, None]) -> None:
        self._answers = answers

    async def body(self) -> dict[str, Any]:
        return (await asyncio.wait_for(anext(self._answers), 10)).body()

    async def event(self) -> Any:
        body = await self.body()
        assert "errors" not in body, body
        return body["data"]["draftImpact"]

    async def ended(self) -> bool:
        try:
            await asyncio.wait_for(anext(self._answers), 10)
        except StopAsyncIteration:
            return True
        return False

    async def silent(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(anext(self._answers), seconds)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def watching(company: Company, who: Principal | None = None) -> AsyncIterator[Watching]:
    context = Context(company.services, who or company.planner, "test")
    operation = Operation(FOLLOW, {"m": encode_id("TerritoryModel", company.draft)})
    answers = EXECUTOR.stream(operation, context)
    try:
        yield Watching(answers)
    finally:
        await answers.aclose()


def accounts(event: Any) -> dict[str, tuple[int, ...]]:
    return {node["developerName"]: tuple(node["accounts"].values()) for node in event["territories"]}


async def test_a_snapshot_comes_first_and_then_what_each_edit_changes(company: Company) -> None:
    async with watching(company) as watched:
        first = await watched.event()
        assert (first["isSnapshot"], first["sequence"], first["activeModel"]) == (True, 4, {"developerName": "Active"})
        assert accounts(first) == {"East": (1, 1, 1, 1), "West": (1, 1, 1, 1)}
        assert first["totals"] == {
            "accountsGained": 1,
            "accountsLost": 1,
            "accountsMoved": 1,
            "revenue": {"gained": 400},
        }
        await company.set_rule("West", "TX", "CA")
        second = await watched.event()
        assert (second["isSnapshot"], second["sequence"]) == (False, 5)
        assert accounts(second) == {"East": (1, 1, 1, 1), "West": (1, 2, 1, 0)}  # East's deal is tied now
        assert second["totals"]["accountsMoved"] == 1
        async with company.world.writer.unit_of_work(company.planner) as work:
            key = company.keys[company.draft, "World"]
            await alignment.assign_account(work, company.world.engine, key, company.accounts["NY"])
        third = await watched.event()
        assert (accounts(third), third["totals"]["accountsLost"]) == ({"World": (0, 1, 1, 0)}, 0)
        async with company.world.writer.unit_of_work(company.planner) as work:
            _, row = await territories.locate(work, company.keys[company.draft, "East"])
            await territories.delete_territory(work, row.id, row.version)
        fourth = await watched.event()
        assert accounts(fourth) == {"East": (1, 0, 0, 1), "West": (1, 2, 1, 0)}  # and the deal is West's


async def test_what_changes_nothing_is_not_told_and_what_follows_is(company: Company) -> None:
    async with watching(company) as watched:
        await watched.event()
        async with company.world.writer.unit_of_work(company.planner) as work:
            await models.update_model(work, company.draft, 1, {"name": "Other"})
        assert await watched.silent(1)


async def test_edits_in_a_row_are_gathered_and_the_last_state_is_told(company: Company) -> None:
    async with watching(company) as watched:
        await watched.event()
        for state in ("CA", "NY", "WA", "OR", "TX", "NV", "AZ", "CA"):
            await company.set_rule("West", state)
        told = 0
        while (event := await watched.event())["sequence"] < 12:
            told += 1
        assert told < 7
        assert accounts(event)["West"] == (1, 1, 0, 0)


async def test_all_with_the_same_rights_share_one_computation(company: Company) -> None:
    impacts = company.services.get(Impacts)
    others = [await make_user(company.world.database, f"planner{number}", Role.PLANNER) for number in range(3)]
    async with watching(company) as a, watching(company, others[0]) as b, watching(company, others[1]) as c:
        for watched in (a, b, c):
            assert (await watched.event())["isSnapshot"]
        assert impacts.computed == 1
        await company.set_rule("West", "CA")
        events = [await watched.event() for watched in (a, b, c)]
        assert events[0] == events[1] == events[2]
        assert impacts.computed == 2


async def test_everybody_is_told_what_they_may_see(company: Company) -> None:
    west = await make_user(company.world.database, "west", grants=(Grant(Role.PLANNER, None, "/World/West/"),))
    auditor = await make_user(company.world.database, "auditor", Role.AUDITOR)
    async with watching(company, west) as part, watching(company, auditor) as poor:
        assert accounts(await part.event()) == {"West": (1, 1, 1, 1)}
        told = await poor.event()
        assert (told["totals"]["revenue"], told["territories"][0]["revenue"]) == ({"gained": None}, {"after": None})
        await company.set_rule("East", "TX")
        assert accounts(await poor.event())["East"] == (1, 1, 1, 1)
        await company.set_rule("West", "CA")
        event = await part.event()
        while event["sequence"] < 6:
            event = await part.event()
        assert accounts(event) == {"West": (1, 1, 0, 0)}
    rep = await make_user(company.world.database, "rep", Role.REP)
    async with watching(company, rep) as refused:
        assert (await refused.body())["errors"][0]["extensions"]["code"] == "NOT_FOUND"


async def test_the_crm_and_the_active_model_are_followed_too(company: Company) -> None:
    async with watching(company) as watched:
        await watched.event()
        admin = await make_user(company.world.database, "admin2", Role.ADMIN)
        async with company.world.writer.unit_of_work(admin) as work:
            await update_account(work, company.accounts["TX"], 0, {"annual_revenue": 1000})
        event = await watched.event()
        while event["totals"]["revenue"] != {"gained": 1000}:
            event = await watched.event()
        async with company.world.writer.unit_of_work(admin) as work:
            key = company.keys[company.active, "West"]
            await alignment.assign_account(work, company.world.engine, key, company.accounts["TX"])
        event = await watched.event()
        while event["totals"]["accountsGained"]:
            event = await watched.event()
        assert accounts(event) == {"West": (2, 1, 0, 1)}


async def test_it_ends_when_the_draft_is_a_draft_no_more(company: Company) -> None:
    async with watching(company) as watched:
        await watched.event()
        async with company.world.writer.unit_of_work(company.planner) as work:
            model = await models.lock_model(work, company.draft)
            await models.change_state(work, model, ModelState.ACTIVATING)
        assert await watched.ended()


async def test_lost_rights_end_it_and_changed_ones_begin_it_anew(company: Company) -> None:
    now: dict[str, Principal] = {}

    async def refresh(principal: Principal) -> Principal:
        return now.get("as", principal)

    changing = replace(company, services=replace(company.services, refresh=refresh))
    async with watching(changing) as watched:
        await watched.event()
        now["as"] = replace(company.planner, grants=(Grant(Role.PLANNER, None, "/World/West/"),))
        company.services.feed.nudge()
        event = await watched.event()
        assert (event["isSnapshot"], list(accounts(event))) == (True, ["West"])
        ending = asyncio.create_task(watched.body())
        await asyncio.sleep(0.3)
        now["as"] = replace(company.planner, grants=())
        company.services.feed.nudge()
        assert (await ending)["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_a_draft_that_is_deleted_ends_with_not_found(company: Company) -> None:
    async with watching(company) as watched:
        await watched.event()
        async with company.world.writer.unit_of_work(company.planner) as work:
            await request_deletion(work, company.draft, Fates(decisions=Fate.DELETE), timedelta(0))
        await company.services.get(Worker).run_one()
        assert (await watched.body())["errors"][0]["extensions"]["code"] == "NOT_FOUND"
