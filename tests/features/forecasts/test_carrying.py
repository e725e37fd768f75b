"""Activation and restore carry quotas and adjustments over; a draft shows what it would inherit."""

from datetime import date
from typing import Any

from sqlalchemy import select, text
from tests.features.forecasts.test_saying import Region, adjust, region, set_quota, wish  # noqa: F401 - a fixture

from etm_graph.core.lifecycle import ModelState
from etm_graph.features.forecasts.tables import forecast_adjustment, quota
from etm_graph.features.models import service as models
from etm_graph.features.territories.service import create_territory
from etm_graph.graphql.ids import encode_id

PERIOD = f"FY{date.today().year + 1}-Q1"  # noqa: DTZ011 - a period that is not closed
SELECTION = "quota { amount inherited } adjusted { bestCase }"


async def make_draft(region: Region) -> tuple[int, dict[str, int]]:  # noqa: F811
    """A draft with World and DE, without FR and Europe."""
    async with region.asking.world.writer.unit_of_work(region.admin) as work:
        model_id = await models.create_model(work, "Next", "Next")
    async with region.asking.database.read() as session:
        type_id = await session.scalar(text("SELECT id FROM territory_type"))
    keys: dict[str, int] = {}
    for name, parent in (("World", None), ("DE", "World")):
        async with region.asking.world.writer.unit_of_work(region.admin) as work:
            above = None if parent is None else keys[parent]
            keys[name] = await create_territory(work, model_id, above, name, name, type_id)
    return model_id, keys


async def switch(region: Region, former: int, model_id: int, *, restore: bool = False) -> None:  # noqa: F811
    async with region.asking.world.writer.unit_of_work(region.admin) as work:
        for number in sorted({former, model_id}):
            await work.lock_stream(number)
        old = await models.lock_for_system(work, former)
        await models.change_state(work, old, ModelState.ARCHIVED, archived_at=work.now)
        if not restore:
            new = await models.lock_for_system(work, model_id)
            await models.change_state(work, new, ModelState.ACTIVATING)
        new = await models.lock_for_system(work, model_id)
        await models.change_state(work, new, ModelState.ACTIVE, activated_at=work.now)


async def shown(region: Region, keys: dict[str, int], name: str) -> Any:  # noqa: F811
    query = f"query($id: ID!, $p: String!) {{ territory(id: $id) {{ forecast(period: $p) {{ {SELECTION} }} }} }}"
    number = encode_id("Territory", keys[name])
    return (await region.asking.get(region.admin, query, id=number, p=PERIOD))["forecast"]


CARRIED = """query($m: ID!) { territoryModel(id: $m) { forecastCarryOver {
  former copied left { what reason territory period amount } } } }"""


async def test_a_draft_shows_what_it_inherits_and_an_activation_copies_it_and_lists_the_rest(
    region: Region,  # noqa: F811
) -> None:
    await set_quota(
        region,
        region.admin,
        wish(region, "DE", "10", PERIOD),
        wish(region, "FR", "20", PERIOD),
        wish(region, "World", "40", PERIOD),
        wish(region, "DE", "99", "FY2020-Q1"),
    )
    assert await adjust(region, region.emma, "DE", "7", p=PERIOD) is None
    model_id, keys = await make_draft(region)
    draft = {"territoryId": encode_id("Territory", keys["World"]), "period": PERIOD, "amount": "50"}
    set_one = """mutation($m: ID!, $q: [QuotaInput!]!) { quotasSet(input: {modelId: $m, quotas: $q}) {
      userErrors { code } } }"""
    model = encode_id("TerritoryModel", model_id)
    assert await region.asking.code(region.admin, set_one, m=model, q=[draft]) is None
    assert await shown(region, keys, "DE") == {
        "quota": {"amount": "10.00", "inherited": True},
        "adjusted": {"bestCase": "7.00"},
    }
    assert (await shown(region, keys, "World"))["quota"] == {"amount": "50.00", "inherited": False}
    await switch(region, region.model_key, model_id)
    found = (await region.asking.get(region.admin, CARRIED, m=model))["forecastCarryOver"]
    assert (found["former"], found["copied"]) == ("Draft", 2)
    assert sorted((item["reason"], item["territory"], item["amount"]) for item in found["left"]) == [
        ("NO_SUCCESSOR", "FR", "20.00"),
        ("OWN_VALUE_KEPT", "World", "40.00"),
    ]
    assert await shown(region, keys, "DE") == {
        "quota": {"amount": "10.00", "inherited": True},
        "adjusted": {"bestCase": "7.00"},
    }
    async with region.asking.database.read() as session:
        old = await session.rows(select(quota.c.amount).where(quota.c.model_id == region.model_key))
        kept = await session.rows(
            select(forecast_adjustment.c.amount).where(forecast_adjustment.c.model_id == region.model_key)
        )
    assert (len(old), len(kept)) == (4, 1)


async def test_a_restore_takes_the_latest_written_and_lists_the_loser(region: Region) -> None:  # noqa: F811
    await set_quota(region, region.admin, wish(region, "DE", "10", PERIOD), wish(region, "World", "1", PERIOD))
    model_id, keys = await make_draft(region)
    await switch(region, region.model_key, model_id)
    set_one = """mutation($m: ID!, $q: [QuotaInput!]!) { quotasSet(input: {modelId: $m, quotas: $q}) {
      userErrors { code } } }"""
    wishes = [{"territoryId": encode_id("Territory", keys["DE"]), "period": PERIOD, "amount": "77"}]
    model = encode_id("TerritoryModel", model_id)
    assert await region.asking.code(region.admin, set_one, m=model, q=wishes) is None
    await switch(region, model_id, region.model_key, restore=True)
    found = (await region.asking.get(region.admin, CARRIED, m=region.model))["forecastCarryOver"]
    assert [(item["reason"], item["territory"], item["amount"]) for item in found["left"]] == [
        ("OWN_VALUE_KEPT", "World", "1.00"),
        ("LATER_VALUE_TAKEN", "DE", "10.00"),
    ]
    assert (await shown(region, region.keys, "DE"))["quota"]["amount"] == "77.00"
