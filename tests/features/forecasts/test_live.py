"""forecastChanges: a snapshot, then the cells that changed with those above them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from decimal import Decimal
from typing import Any

from tests.factories.asking import EXECUTOR
from tests.factories.world import make_account, make_opportunity
from tests.features.forecasts.test_saying import DAY, Region, adjust, region, set_quota, wish  # noqa: F401 - a fixture

from etm_graph.features.alignment.service import assign_account
from etm_graph.graphql.context import Context
from etm_graph.graphql.execution import Operation
from etm_graph.identity.principal import Principal

WATCH = """subscription($m: ID!, $t: ID, $p: String!) { forecastChanges(modelId: $m, territoryId: $t, period: $p) {
  snapshot crmSequence cells { territory { developerName } rolledUp { openPipeline } adjusted { bestCase }
    quota { amount fromBelow } } } }"""


@asynccontextmanager
async def watching(region: Region, who: Principal, **given: Any) -> AsyncIterator[Any]:  # noqa: F811
    feed = region.asking.services.feed
    await feed.start()
    variables = {"m": region.model, "p": "FY2026-Q3", **given}
    source = EXECUTOR.stream(Operation(WATCH, variables), Context(region.asking.services, who, "test"))
    try:
        async with aclosing(source) as stream:

            async def following() -> Any:
                answer = (await asyncio.wait_for(anext(stream), 10)).body()
                assert "errors" not in answer, answer
                return answer["data"]["forecastChanges"]

            yield following
    finally:
        await feed.stop()


def names(item: Any) -> list[str]:
    return [cell["territory"]["developerName"] for cell in item["cells"]]


async def test_what_changes_is_told_with_what_is_above_it_and_nothing_else(region: Region) -> None:  # noqa: F811
    async with watching(region, region.emma) as following:
        first = await following()
        assert (first["snapshot"], names(first)) == (True, ["World", "Europe", "DE", "FR"])
        await region.change("D", amount=Decimal(31))
        second = await following()
        assert (second["snapshot"], names(second)) == (False, ["World", "Europe", "FR"])
        assert [cell["rolledUp"]["openPipeline"] for cell in second["cells"]] == ["188.00", "188.00", "31.00"]
        assert await adjust(region, region.emma, "DE", "90") is None
        third = await following()
        assert [cell["adjusted"]["bestCase"] for cell in third["cells"]] == ["121.00", "121.00", "90.00"]
        await set_quota(region, region.admin, wish(region, "DE", "5"))
        fourth = await following()
        assert [(cell["quota"]["amount"], cell["quota"]["fromBelow"]) for cell in fourth["cells"]] == [
            (None, "5.00"),
            (None, "5.00"),
            ("5.00", "0.00"),
        ]
        other = await make_account(region.asking.database, "Other")
        await make_opportunity(region.asking.database, other, amount=Decimal(9), close_date=DAY)
        async with region.asking.world.writer.unit_of_work(region.admin) as work:
            await assign_account(work, region.asking.world.engine, region.keys["FR"], other)
        fifth = await following()
        assert names(fifth) == ["World", "Europe", "FR"]
        assert fifth["cells"][2]["rolledUp"]["openPipeline"] == "40.00"


async def test_a_subtree_is_told_of_its_own_changes_only(region: Region) -> None:  # noqa: F811
    async with watching(region, region.rolf, t=region.id("DE")) as following:
        assert names(await following()) == ["DE"]
        await region.change("D", amount=Decimal(31))
        await region.change("A", amount=Decimal(1))
        found = await following()
        assert names(found) == ["DE"]
        assert found["cells"][0]["rolledUp"]["openPipeline"] == "58.00"
