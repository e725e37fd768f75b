"""Change sets, undo, redo, restoring and checkpoints through GraphQL, each a replayable piece of the log."""

from dataclasses import dataclass
from typing import Any

import pytest
from tests.factories.asking import Asking, make_asking
from tests.factories.world import World, make_account, make_model, make_type, make_user
from tests.helpers.verify_replay import Facts, snapshot, verify_replay

from etm_graph.core.access import Role
from etm_graph.core.changes import EntityType
from etm_graph.db.sessions import Database
from etm_graph.graphql.ids import encode_id
from etm_graph.identity.principal import Principal

EDIT = """mutation($m: ID!, $ops: [EditOperation!]!, $say: String) {
  territoryModelEdit(input: {modelId: $m, operations: $ops, message: $say}) {
    changeSet firstSequence changeCount change { message } userErrors { code field message } } }"""
UNDO = """mutation($m: ID!, $set: ID) { territoryModelUndo(input: {modelId: $m, changeSet: $set}) {
  changeSet changeCount change { undoes } userErrors { code field message conflicts { field } } } }"""
REDO = """mutation($m: ID!, $set: ID!) { territoryModelRedo(input: {modelId: $m, changeSet: $set}) {
  changeSet changeCount userErrors { code message } } }"""
RESTORE = """mutation($m: ID!, $to: RestorePointInput!) { draftRestore(input: {modelId: $m, to: $to}) {
  changeSet changeCount userErrors { code field message } } }"""
CHECKPOINT = """mutation($m: ID!, $name: String!) { checkpointCreate(input: {modelId: $m, name: $name}) {
  territoryModel { checkpoints { name sequence createdBy { userName } } } userErrors { code message } } }"""
HISTORY = """query($m: ID!, $f: ChangeFilter, $first: Int, $after: String) { territoryModel(id: $m) {
  changes(filter: $f, first: $first, after: $after) { totalCount pageInfo { hasNextPage endCursor }
    nodes { sequence kind entityType key message } } } }"""
CRITERIA = [{"number": 1, "field": "industry", "operator": "EQUALS", "values": ["Energy"]}]


@dataclass(frozen=True)
class Draft:
    """A draft with World, World/Europe and World/Asia, a rule on Europe, a member, a decision."""

    asking: Asking
    model_id: int
    planner: Principal
    other: Principal
    type_id: str
    user_id: str
    account_id: str

    @property
    def world(self) -> World:
        return self.asking.world

    @property
    def id(self) -> str:
        return encode_id("TerritoryModel", self.model_id)

    async def get(self, who: Principal, query: str, **variables: Any) -> dict[str, Any]:
        """The data as by the name of its one field."""
        body = await self.asking.ask(who, query, **variables)
        assert "errors" not in body, body
        found: dict[str, Any] = body["data"]
        return found

    async def do(self, who: Principal, query: str, **variables: Any) -> dict[str, Any]:
        """The payload of a mutation that is not refused."""
        found: dict[str, Any] = await self.asking.get(who, query, **variables)
        assert found["userErrors"] == [], found
        return found

    async def edit(self, *operations: dict[str, Any], who: Principal | None = None) -> str:
        """Apply a change set; its id."""
        async with verify_replay(self.world.database):
            done = await self.do(who or self.planner, EDIT, m=self.id, ops=list(operations), say=None)
        return str(done["changeSet"])

    async def facts(self) -> Facts:
        async with self.world.database.read() as session:
            return (await snapshot(session, self.model_id))[1]

    async def head(self) -> int:
        async with self.world.database.read() as session:
            return (await snapshot(session, self.model_id))[0]

    async def version(self, name: str) -> int:
        found = await self.get(
            self.planner,
            "query($m: ID!) { territoryModel(id: $m) { territories { nodes { developerName version } } } }",
            m=self.id,
        )
        nodes = found["territoryModel"]["territories"]["nodes"]
        return next(int(node["version"]) for node in nodes if node["developerName"] == name)

    async def undo(self, change_set: str | None = None, who: Principal | None = None) -> dict[str, Any]:
        async with verify_replay(self.world.database):
            found: dict[str, Any] = await self.asking.get(who or self.planner, UNDO, m=self.id, set=change_set)
            return found

    def node(self, name: str, parent: str | None = None) -> dict[str, Any]:
        return {"createTerritory": {"developerName": name, "name": name, "parent": parent, "typeId": self.type_id}}


@pytest.fixture
async def draft(database: Database) -> Draft:
    asking = make_asking(database)
    world = asking.world
    admin = await make_user(database, "admin", Role.ADMIN)
    planner = await make_user(database, "planner", Role.PLANNER)
    other = await make_user(database, "other", Role.PLANNER)
    type_id = encode_id("TerritoryType", await make_type(world, admin))
    account_id = encode_id("Account", await make_account(database, "Acme"))
    model_id = await make_model(world, planner)
    made = Draft(asking, model_id, planner, other, type_id, encode_id("User", other.user_id), account_id)
    await made.edit(
        made.node("World"),
        made.node("Europe", "World"),
        made.node("Asia", "World"),
        {"createRule": {"developerName": "Energy", "name": "Energy", "criteria": CRITERIA}},
        {"linkRule": {"rule": "Energy", "territory": "Europe"}},
        {"addMember": {"territory": "Europe", "userId": made.user_id, "effectiveFrom": "2026-01-31"}},
        {"updateTerritory": {"developerName": "Europe", "forecastManagerId": made.user_id}},
        {"assignAccount": {"territory": "Europe", "accountId": account_id}},
        {"excludeAccount": {"territory": "Asia", "accountId": account_id, "note": "Not theirs"}},
    )
    return made


async def test_a_change_set_is_one_contiguous_edit_with_its_message(draft: Draft) -> None:
    head = await draft.head()
    operations = [draft.node("Africa", "World"), draft.node("Egypt", "Africa")]
    done = await draft.do(draft.planner, EDIT, m=draft.id, ops=operations, say="Two more")
    assert (done["firstSequence"], done["changeCount"], done["change"]) == (head + 1, 2, {"message": "Two more"})
    page = await draft.get(draft.planner, HISTORY, m=draft.id, f={"changeSet": done["changeSet"]})
    assert page["territoryModel"]["changes"]["nodes"] == [
        {"sequence": head + 2, "kind": "CREATED", "entityType": "TERRITORY", "key": "Egypt", "message": "Two more"},
        {"sequence": head + 1, "kind": "CREATED", "entityType": "TERRITORY", "key": "Africa", "message": "Two more"},
    ]


async def test_an_operation_that_fails_leaves_nothing_of_its_change_set(draft: Draft) -> None:
    before, head = await draft.facts(), await draft.head()
    operations = [draft.node("Africa", "World"), draft.node("Europe")]
    refused = await draft.asking.get(draft.planner, EDIT, m=draft.id, ops=operations, say=None)
    (error,) = refused["userErrors"]
    assert (error["code"], error["field"]) == ("TAKEN", ["operations", "1", "createTerritory", "developerName"])
    assert (await draft.facts(), await draft.head()) == (before, head)


@pytest.mark.parametrize("count", [0, 501])
async def test_a_change_set_has_1_to_500_operations(draft: Draft, count: int) -> None:
    operations = [draft.node(f"N{number}") for number in range(count)]
    refused = await draft.asking.get(draft.planner, EDIT, m=draft.id, ops=operations, say=None)
    (error,) = refused["userErrors"]
    assert (error["code"], error["field"]) == ("INVALID", ["operations"])
    assert f"1 to 500 operations; this one has {count}" in error["message"]


async def test_what_stood_before_a_change_set_needs_the_version_that_was_read(draft: Draft) -> None:
    operations = [{"updateTerritory": {"developerName": "Asia", "name": "APAC"}}]
    refused = await draft.asking.get(draft.planner, EDIT, m=draft.id, ops=operations, say=None)
    (error,) = refused["userErrors"]
    assert error["field"] == ["operations", "0", "updateTerritory", "expectedVersion"]


EDITS: dict[str, Any] = {
    "rename": lambda v: [{"updateTerritory": {"developerName": "Asia", "name": "APAC", "expectedVersion": v["Asia"]}}],
    "move": lambda v: [{"moveTerritory": {"developerName": "Asia", "parent": "Europe", "expectedVersion": v["Asia"]}}],
    "delete": lambda v: [{"deleteTerritory": {"developerName": "Europe", "expectedVersion": v["Europe"]}}],
    "delete all": lambda v: [
        {"deleteTerritory": {"developerName": "World", "expectedVersion": v["World"], "withDescendants": True}}
    ],
    "delete rule": lambda v: [{"deleteRule": {"developerName": "Energy", "expectedVersion": v["Energy"]}}],
    "decisions": lambda v: [
        {"unassignAccount": {"territory": "Europe", "accountId": v["account"]}},
        {"includeAccount": {"territory": "Asia", "accountId": v["account"]}},
        {"assignAccount": {"territory": "Asia", "accountId": v["account"]}},
    ],
    "member": lambda v: [{"removeMember": {"territory": "Europe", "userId": v["user"]}}],
    "unlink": lambda v: [
        {"unlinkRule": {"rule": "Energy", "territory": "Europe"}},
        {"linkRule": {"rule": "Energy", "territory": "World", "appliesToDescendants": True}},
    ],
    "reorganise": lambda v: [
        {"moveTerritory": {"developerName": "Asia", "parent": None, "expectedVersion": v["Asia"]}},
        {"moveTerritory": {"developerName": "World", "parent": "Asia", "expectedVersion": v["World"]}},
        {"createTerritory": {"developerName": "Top", "name": "Top", "typeId": v["type"]}},
        {"moveTerritory": {"developerName": "Asia", "parent": "Top"}},
    ],
}


@pytest.mark.parametrize("name", EDITS)
async def test_undo_gives_what_was_and_redo_what_was_done(draft: Draft, name: str) -> None:
    rules = await draft.get(
        draft.planner,
        "query($m: ID!) { territoryModel(id: $m) { rules { nodes { version } } } }",
        m=draft.id,
    )
    versions = {name: await draft.version(name) for name in ("World", "Europe", "Asia")}
    versions["World"] = await draft.head()
    known = {**versions, "Energy": rules["territoryModel"]["rules"]["nodes"][0]["version"]}
    known |= {"account": draft.account_id, "user": draft.user_id, "type": draft.type_id}
    if name in {"delete all", "reorganise"}:
        known["World"] = await draft.version("World")
    if name == "delete all":
        await draft.edit(
            {"updateTerritory": {"developerName": "World", "name": "Earth", "expectedVersion": known["World"]}}
        )
        known["World"] = await draft.version("World")
    before = await draft.facts()
    change_set = await draft.edit(*EDITS[name](known))
    after = await draft.facts()
    assert after != before
    undone = await draft.undo(change_set)
    assert (undone["userErrors"], undone["change"]["undoes"]) == ([], change_set)
    assert await draft.facts() == before
    async with verify_replay(draft.world.database):
        await draft.do(draft.planner, REDO, m=draft.id, set=change_set)
    assert await draft.facts() == after
    assert (await draft.undo())["userErrors"] == []
    assert await draft.facts() == before


async def test_undo_keeps_what_others_did_elsewhere(draft: Draft) -> None:
    mine = await draft.edit(
        {"updateTerritory": {"developerName": "Asia", "name": "APAC", "expectedVersion": await draft.version("Asia")}}
    )
    await draft.edit(
        {
            "updateTerritory": {
                "developerName": "Asia",
                "description": "d",
                "expectedVersion": await draft.version("Asia"),
            }
        },
        who=draft.other,
    )
    assert (await draft.undo(mine))["userErrors"] == []
    asia = (await draft.facts())[EntityType.TERRITORY, "Asia"]
    assert (asia["name"], asia["description"]) == ("Asia", "d")


async def test_undo_is_refused_with_the_reason_where_later_changes_depend_on_it(draft: Draft) -> None:
    mine = await draft.edit(draft.node("Africa", "World"))
    await draft.edit(draft.node("Egypt", "Africa"), who=draft.other)
    facts, head = await draft.facts(), await draft.head()
    (error,) = (await draft.undo(mine))["userErrors"]
    assert (error["code"], error["field"]) == ("CONFLICT", ["changeSet"])
    assert f"TERRITORY Africa by change {head}" in error["message"]
    assert (await draft.facts(), await draft.head()) == (facts, head)


async def test_a_field_that_somebody_set_since_is_not_undone(draft: Draft) -> None:
    version = await draft.version("Asia")
    mine = await draft.edit({"updateTerritory": {"developerName": "Asia", "name": "APAC", "expectedVersion": version}})
    version = await draft.version("Asia")
    await draft.edit(
        {"updateTerritory": {"developerName": "Asia", "name": "Far", "expectedVersion": version}}, who=draft.other
    )
    (error,) = (await draft.undo(mine))["userErrors"]
    assert error["message"].startswith(
        "Later changes depend on it, nothing was changed: TERRITORY Asia (name) by change"
    )
    assert error["conflicts"] == [{"field": "TERRITORY:Asia:name"}]


async def test_only_the_author_undoes_a_change_set(draft: Draft) -> None:
    mine = await draft.edit(draft.node("Africa", "World"))
    (error,) = (await draft.undo(mine, draft.other))["userErrors"]
    assert error["code"] == "INVALID"
    (error,) = (await draft.undo(None, draft.other))["userErrors"]
    assert error["code"] == "NOT_FOUND"


async def test_a_draft_is_restored_to_a_number_and_to_a_checkpoint(draft: Draft) -> None:
    start, head = await draft.facts(), await draft.head()
    done = await draft.do(draft.planner, CHECKPOINT, m=draft.id, name="Start")
    assert done["territoryModel"]["checkpoints"] == [
        {"name": "Start", "sequence": head, "createdBy": {"userName": "planner"}}
    ]
    await draft.edit(
        {"deleteTerritory": {"developerName": "Europe", "expectedVersion": await draft.version("Europe")}},
        draft.node("Africa"),
        who=draft.other,
    )
    middle, middle_head = await draft.facts(), await draft.head()
    await draft.edit(draft.node("Egypt", "Africa"))
    for to, wanted in (
        ({"sequence": middle_head}, middle),
        ({"sequence": head}, start),
        ({"sequence": middle_head}, middle),
    ):
        async with verify_replay(draft.world.database):
            await draft.do(draft.planner, RESTORE, m=draft.id, to=to)
        assert await draft.facts() == wanted
    async with verify_replay(draft.world.database):
        await draft.do(draft.planner, RESTORE, m=draft.id, to={"checkpoint": "Start"})
    assert await draft.facts() == start


async def test_a_number_above_the_head_is_not_restored(draft: Draft) -> None:
    head = await draft.head()
    refused = await draft.asking.get(draft.planner, RESTORE, m=draft.id, to={"sequence": head + 1})
    (error,) = refused["userErrors"]
    assert (error["code"], error["field"]) == ("NOT_FOUND", ["to", "sequence"])
    assert f"numbers 1 to {head}" in error["message"]


async def test_history_is_filtered_and_paged(draft: Draft) -> None:
    wanted = {"entityTypes": ["TERRITORY"], "kinds": ["CREATED"], "actorId": encode_id("User", draft.planner.user_id)}
    first = await draft.get(draft.planner, HISTORY, m=draft.id, f=wanted, first=2)
    page = first["territoryModel"]["changes"]
    assert (page["totalCount"], [node["key"] for node in page["nodes"]]) == (3, ["Asia", "Europe"])
    after = page["pageInfo"]["endCursor"]
    second = await draft.get(draft.planner, HISTORY, m=draft.id, f=wanted, first=2, after=after)
    assert [node["key"] for node in second["territoryModel"]["changes"]["nodes"]] == ["World"]
    none = await draft.get(draft.planner, HISTORY, m=draft.id, f={"until": "2000-01-01T00:00:00Z"})
    assert none["territoryModel"]["changes"]["totalCount"] == 0
