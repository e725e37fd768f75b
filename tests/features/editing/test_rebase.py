"""Rebasing a draft on the active model, and the documented anomalies of a product that lets the last one win."""

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import update
from tests.factories.asking import Asking, make_asking
from tests.factories.world import make_model, make_territory, make_type, make_user
from tests.helpers.verify_replay import snapshot, verify_replay

from etm_graph.core.access import Role
from etm_graph.core.changes import EntityType
from etm_graph.db.sessions import Database
from etm_graph.features.models.tables import territory_model
from etm_graph.features.scenarios.service import clone_model
from etm_graph.graphql.ids import encode_id
from etm_graph.identity.principal import Principal

EDIT = """mutation($m: ID!, $ops: [EditOperation!]!) { territoryModelEdit(input: {modelId: $m, operations: $ops}) {
  userErrors { code message } } }"""
PREVIEW = """query($m: ID!, $r: [RebaseResolutionInput!]) { territoryModel(id: $m) { rebasePreview(resolutions: $r) {
  isCurrent onto { developerName } conflicts { key kind draft active base involved resolution } violations
  changes { entityType entity before after } userErrors { message } } } }"""
REBASE = """mutation($m: ID!, $r: [RebaseResolutionInput!]!) { draftRebase(input: {modelId: $m, resolutions: $r}) {
  changeCount territoryModel { clonedFrom { developerName } } userErrors { code message conflicts { field } } } }"""
T = EntityType.TERRITORY


@dataclass
class Plans:
    """An active model World/{A,B}, and two drafts cloned from it: `mine`, and `other`, which is activated."""

    asking: Asking
    planner: Principal
    type_id: str
    active: int
    mine: int
    other: int

    async def edit(self, model_id: int, *operations: dict[str, Any]) -> None:
        found = await self.asking.get(self.planner, EDIT, m=encode_id("TerritoryModel", model_id), ops=list(operations))
        assert found["userErrors"] == [], found

    async def activate(self, model_id: int) -> None:
        async with self.asking.database.write() as session:
            for number, state in ((self.active, "ARCHIVED"), (model_id, "ACTIVE")):
                where = territory_model.c.id == number
                await session.execute(update(territory_model).where(where).values(state=state))
        self.active = model_id

    async def names(self, model_id: int) -> dict[str, Any]:
        """Territories with name and parent."""
        async with self.asking.database.read() as session:
            _, facts = await snapshot(session, model_id)
        return {key: (fields["name"], fields["parent"]) for (entity, key), fields in facts.items() if entity is T}

    async def preview(self, **resolutions: str) -> dict[str, Any]:
        found = await self.asking.get(
            self.planner, PREVIEW, m=encode_id("TerritoryModel", self.mine), r=self._resolutions(resolutions)
        )
        preview: dict[str, Any] = found["rebasePreview"]
        return preview

    async def rebase(self, **resolutions: str) -> dict[str, Any]:
        model_id = encode_id("TerritoryModel", self.mine)
        async with verify_replay(self.asking.database):
            found: dict[str, Any] = await self.asking.get(
                self.planner, REBASE, m=model_id, r=self._resolutions(resolutions)
            )
        return found

    @staticmethod
    def _resolutions(given: dict[str, str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for key, side in given.items():
            value = None if side in {"OURS", "THEIRS"} else side
            found.append({"conflict": key.replace("__", ":"), "side": "VALUE" if value else side, "value": value})
        return found


def change(developer_name: str, **values: Any) -> dict[str, Any]:
    return {"updateTerritory": {"developerName": developer_name, "expectedVersion": 0, **values}}


def move(name: str, parent: str | None) -> dict[str, Any]:
    return {"moveTerritory": {"developerName": name, "parent": parent, "expectedVersion": 0}}


def drop(name: str) -> dict[str, Any]:
    return {"deleteTerritory": {"developerName": name, "expectedVersion": 0}}


@pytest.fixture
async def plans(database: Database) -> Plans:
    asking = make_asking(database)
    admin = await make_user(database, "admin", Role.ADMIN)
    planner = await make_user(database, "planner", Role.PLANNER)
    world = asking.world
    type_id, source = await make_type(world, admin), await make_model(world, planner, "Now")
    root = await make_territory(world, planner, source, type_id, "World")
    for name in ("A", "B"):
        await make_territory(world, planner, source, type_id, name, root)
    drafts = []
    for name in ("Mine", "Other"):
        async with world.writer.unit_of_work(planner) as work:
            drafts.append(await clone_model(work, source, name, name))
    plans = Plans(asking, planner, encode_id("TerritoryType", type_id), source, *drafts)
    await plans.activate(source)
    return plans


def node(plans: Plans, name: str, parent: str) -> dict[str, Any]:
    return {"createTerritory": {"developerName": name, "name": name, "parent": parent, "typeId": plans.type_id}}


async def test_the_last_activated_does_not_override_what_was_activated_before(plans: Plans) -> None:
    await plans.edit(plans.mine, change("A", name="Mine"), change("B", description="mine"))
    await plans.edit(plans.other, change("A", name="Theirs"), move("B", None))
    await plans.activate(plans.other)
    (conflict,) = (await plans.preview())["conflicts"]
    assert (conflict["key"], conflict["kind"]) == ("TERRITORY:A:name", "FIELD_CHANGED_TWICE")
    assert (conflict["base"], conflict["draft"], conflict["active"]) == ('"A"', '"Mine"', '"Theirs"')
    before = await plans.names(plans.mine)
    (error,) = (await plans.rebase())["userErrors"]
    assert (error["code"], error["conflicts"]) == ("CONFLICT", [{"field": "TERRITORY:A:name"}])
    assert await plans.names(plans.mine) == before
    done = await plans.rebase(TERRITORY__A__name='"Both"')
    assert (done["userErrors"], done["territoryModel"]["clonedFrom"]) == ([], {"developerName": "Other"})
    assert await plans.names(plans.mine) == {"World": ("World", None), "A": ("Both", "World"), "B": ("B", None)}
    again = await plans.preview()
    assert (again["isCurrent"], again["conflicts"], again["changes"]) == (True, [], [])


async def test_a_deleted_territory_is_not_resurrected(plans: Plans) -> None:
    await plans.edit(plans.mine, change("B", name="Mine"))
    await plans.edit(plans.other, drop("A"))
    await plans.activate(plans.other)
    preview = await plans.preview()
    assert (preview["conflicts"], [(c["entity"], c["after"]) for c in preview["changes"]]) == ([], [("A", None)])
    assert (await plans.rebase())["userErrors"] == []
    assert await plans.names(plans.mine) == {"World": ("World", None), "B": ("Mine", "World")}


async def test_children_of_a_deleted_territory_are_not_silently_deleted(plans: Plans) -> None:
    await plans.edit(plans.mine, node(plans, "Child", "A"))
    await plans.edit(plans.other, drop("A"))
    await plans.activate(plans.other)
    (conflict,) = (await plans.preview())["conflicts"]
    assert (conflict["key"], conflict["kind"]) == ("TERRITORY:A", "NEEDED_BUT_DELETED")
    assert conflict["involved"] == ["TERRITORY:Child"]
    (error,) = (await plans.rebase())["userErrors"]
    assert error["code"] == "CONFLICT"
    assert (await plans.rebase(TERRITORY__A="OURS"))["userErrors"] == []
    assert await plans.names(plans.mine) == {
        "World": ("World", None),
        "A": ("A", "World"),
        "B": ("B", "World"),
        "Child": ("Child", "A"),
    }


async def test_a_draft_that_nobody_overtook_is_rebased_to_itself(plans: Plans) -> None:
    await plans.edit(plans.mine, change("A", name="Mine"))
    before = await plans.names(plans.mine)
    preview = await plans.preview()
    assert (preview["isCurrent"], preview["onto"]["developerName"]) == (True, "Now")
    assert (await plans.rebase())["userErrors"] == []
    assert await plans.names(plans.mine) == before


async def test_a_resolution_that_is_no_value_of_the_field_is_refused(plans: Plans) -> None:
    await plans.edit(plans.mine, change("A", accountAccess="NONE"))
    await plans.edit(plans.other, change("A", accountAccess="EDIT"))
    await plans.activate(plans.other)
    (error,) = (await plans.rebase(TERRITORY__A__account_access='"ALL"'))["userErrors"]
    assert error["code"] == "INVALID"
    assert (await plans.rebase(TERRITORY__A__account_access='"READ"'))["userErrors"] == []
