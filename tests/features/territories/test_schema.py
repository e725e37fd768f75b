"""Editing the tree through GraphQL: what is refused leaves everything as it was."""

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import update
from tests.factories.office import Office, open_office
from tests.factories.world import make_model, make_territory, make_type

from etm_graph.db.sessions import Database
from etm_graph.features.models.tables import territory_model
from etm_graph.graphql.ids import encode_id

TREE = """query($m: ID!) { territoryModel(id: $m) { head territories(orderBy: TREE) { nodes {
  id name developerName path depth version childCount descendantCount } } } }"""
MOVE = """mutation($id: ID!, $p: ID, $v: BigInt!) { territoryMove(input: {id: $id, parentId: $p, expectedVersion: $v}) {
  territory { path depth version } change { sequence kind } userErrors { code message field conflicts { field base theirs yours } } } }"""
RENAME = """mutation($id: ID!, $n: String, $d: String, $v: BigInt!) {
  territoryUpdate(input: {id: $id, name: $n, description: $d, expectedVersion: $v}) {
  territory { name description version } userErrors { code message field conflicts { field base theirs yours } } } }"""
CREATE = """mutation($m: ID!, $p: ID, $t: ID!, $n: String!) {
  territoryCreate(input: {modelId: $m, parentId: $p, typeId: $t, developerName: $n, name: $n}) {
  territory { id } userErrors { code message field } } }"""
DELETE = """mutation($id: ID!, $v: BigInt!, $all: Boolean!) {
  territoryDelete(input: {id: $id, expectedVersion: $v, withDescendants: $all}) { deletedId userErrors { code message } } }"""


@dataclass(frozen=True)
class Tree:
    """World with West and East, and Coast below West."""

    office: Office
    model_id: str
    type_id: str

    async def head(self) -> int:
        model = await self.office.get(self.office.planner, TREE, m=self.model_id)
        return int(model["head"])

    async def nodes(self) -> dict[str, dict[str, Any]]:
        model = await self.office.get(self.office.planner, TREE, m=self.model_id)
        return {node["developerName"]: node for node in model["territories"]["nodes"]}

    async def refused(self, mutation: str, **variables: Any) -> str:
        """The code of a refusal, after which nothing has changed."""
        before = await self.nodes()
        code = await self.office.refused(self.office.planner, mutation, **variables)
        assert await self.nodes() == before
        return code


@pytest.fixture
async def tree(database: Database) -> Tree:
    office = await open_office(database)
    type_id = await make_type(office.world, office.admin)
    model_id = await make_model(office.world, office.planner)
    ids: dict[str, int] = {}
    for name, parent in (("World", None), ("West", "World"), ("East", "World"), ("Coast", "West")):
        above = None if parent is None else ids[parent]
        ids[name] = await make_territory(office.world, office.planner, model_id, type_id, name, above)
    return Tree(office, encode_id("TerritoryModel", model_id), encode_id("TerritoryType", type_id))


async def test_a_move_takes_the_subtree_along(tree: Tree) -> None:
    nodes = await tree.nodes()
    moved = await tree.office.do(
        tree.office.planner, MOVE, id=nodes["West"]["id"], p=nodes["East"]["id"], v=nodes["West"]["version"]
    )
    assert moved["territory"]["path"] == "/World/East/West/"
    after = await tree.nodes()
    assert (after["Coast"]["path"], after["Coast"]["depth"]) == ("/World/East/West/Coast/", 3)
    assert (after["East"]["childCount"], after["East"]["descendantCount"]) == (1, 2)


@pytest.mark.parametrize("below", ["West", "Coast"])
async def test_a_move_under_itself_or_below_is_a_cycle(tree: Tree, below: str) -> None:
    nodes = await tree.nodes()
    west = nodes["West"]
    assert await tree.refused(MOVE, id=west["id"], p=nodes[below]["id"], v=west["version"]) == "CYCLE"


async def test_a_move_into_another_model_is_refused(tree: Tree) -> None:
    office = tree.office
    other = await make_model(office.world, office.planner, "Other")
    type_id = await make_type(office.world, office.admin, "Other", 99)
    foreign = await make_territory(office.world, office.planner, other, type_id, "Foreign")
    west = (await tree.nodes())["West"]
    assert await tree.refused(MOVE, id=west["id"], p=encode_id("Territory", foreign), v=west["version"]) == "NOT_FOUND"


async def test_two_edits_of_different_fields_merge(tree: Tree) -> None:
    west = (await tree.nodes())["West"]
    await tree.office.do(tree.office.planner, RENAME, id=west["id"], n="Far West", v=west["version"])
    merged = await tree.office.do(tree.office.planner, RENAME, id=west["id"], d="Beyond", v=west["version"])
    assert (merged["territory"]["name"], merged["territory"]["description"]) == ("Far West", "Beyond")


async def test_a_stale_edit_of_the_same_field_is_a_conflict_that_tells_both_values(tree: Tree) -> None:
    west = (await tree.nodes())["West"]
    await tree.office.do(tree.office.planner, RENAME, id=west["id"], n="Far West", v=west["version"])
    payload = await tree.office.get(tree.office.planner, RENAME, id=west["id"], n="Wild West", v=west["version"])
    (error,) = payload["userErrors"]
    assert error["code"] == "CONFLICT"
    assert error["conflicts"] == [{"field": "name", "base": '"West"', "theirs": '"Far West"', "yours": '"Wild West"'}]
    assert payload["territory"]["name"] == "Far West"


async def test_the_same_value_twice_is_not_a_conflict(tree: Tree) -> None:
    west = (await tree.nodes())["West"]
    await tree.office.do(tree.office.planner, RENAME, id=west["id"], n="Far West", v=west["version"])
    again = await tree.office.do(tree.office.planner, RENAME, id=west["id"], n="Far West", v=west["version"])
    assert again["territory"]["name"] == "Far West"


async def test_a_territory_with_others_below_goes_only_with_them(tree: Tree) -> None:
    west = (await tree.nodes())["West"]
    assert await tree.refused(DELETE, id=west["id"], v=west["version"], all=False) == "IN_USE"
    head = await tree.head()
    assert await tree.refused(DELETE, id=west["id"], v=head + 1, all=True) == "INVALID"
    await tree.office.do(tree.office.planner, DELETE, id=west["id"], v=head, all=True)
    assert set(await tree.nodes()) == {"World", "East"}


async def test_a_deletion_does_not_swallow_what_was_added_below_since(tree: Tree) -> None:
    nodes = await tree.nodes()
    west, seen = nodes["West"], await tree.head()
    await tree.office.do(tree.office.planner, CREATE, m=tree.model_id, p=west["id"], t=tree.type_id, n="New")
    assert await tree.refused(DELETE, id=west["id"], v=seen, all=True) == "CONFLICT"


@pytest.mark.parametrize(
    ("name", "code"), [("West", "TAKEN"), ("a b", "INVALID"), ("", "INVALID"), ("x" * 300, "INVALID")]
)
async def test_developer_names_are_unique_and_well_formed(tree: Tree, name: str, code: str) -> None:
    assert await tree.refused(CREATE, m=tree.model_id, p=None, t=tree.type_id, n=name) == code


async def test_an_unknown_territory_and_one_that_may_not_be_read_answer_alike(tree: Tree) -> None:
    west = (await tree.nodes())["West"]
    office = tree.office
    asked = "query($id: ID!) { territory(id: $id) { name } }"
    unknown = encode_id("Territory", 999_999)
    assert await office.get(office.viewer, asked, id=west["id"]) is None
    assert await office.get(office.viewer, asked, id=unknown) is None
    refusals = [await office.ask(office.viewer, RENAME, id=node, n="Mine", v=1) for node in (west["id"], unknown)]
    assert refusals[0] == refusals[1]
    assert (await tree.nodes())["West"]["name"] == "West"


async def test_an_id_of_another_kind_is_not_found(tree: Tree) -> None:
    assert await tree.refused(RENAME, id=tree.model_id, n="Model?", v=1) in {"NOT_FOUND", "INVALID"}


@pytest.mark.parametrize("state", ["ACTIVE", "ARCHIVED", "ACTIVATING"])
async def test_structure_is_edited_in_planning_only(tree: Tree, database: Database, state: str) -> None:
    west = (await tree.nodes())["West"]
    async with database.write() as session:
        await session.execute(update(territory_model).values(state=state))
    code = await tree.office.refused(tree.office.admin, RENAME, id=west["id"], n="Late", v=west["version"])
    assert code in {"WRONG_STATE", "FORBIDDEN"}
    asked = "query($id: ID!) { territory(id: $id) { name } }"
    assert (await tree.office.get(tree.office.admin, asked, id=west["id"]))["name"] == "West"


async def test_an_altered_page_cursor_is_a_clear_error(tree: Tree) -> None:
    query = """query($m: ID!, $a: String) { territoryModel(id: $m) { territories(first: 2, after: $a) {
      nodes { name } pageInfo { endCursor hasNextPage } } } }"""
    page = (await tree.office.get(tree.office.planner, query, m=tree.model_id))["territories"]
    cursor = page["pageInfo"]["endCursor"]
    rest = (await tree.office.get(tree.office.planner, query, m=tree.model_id, a=cursor))["territories"]
    assert [node["name"] for node in page["nodes"] + rest["nodes"]] == ["World", "East", "West", "Coast"]
    body = await tree.office.ask(tree.office.planner, query, m=tree.model_id, a=cursor[:-3] + "xyz")
    assert body["errors"][0]["extensions"]["code"] == "BAD_CURSOR"
