"""Drafts out of the management hierarchy and out of a table, through GraphQL."""

from sqlalchemy import text
from tests.factories.office import open_office
from tests.factories.world import make_type, make_user

from etm_graph.core.access import Role
from etm_graph.db.sessions import Database
from etm_graph.graphql.ids import encode_id

HIERARCHY = """mutation($t: ID!, $u: ID) { territoryModelCreateFromHierarchy(input: {developerName: "People", name: "People",
  typeId: $t, topUserId: $u}) { territoryModel { state territories { nodes { developerName path forecastManager { userName }
    members { nodes { user { userName } roleInTerritory } } } } } userErrors { code } } }"""
TABLE = """mutation($c: String!) { territoryModelCreateFromCsv(input: {developerName: "Table", name: "Table", csv: $c}) {
  territoryModel { territories { nodes { path type { developerName } members { totalCount } } } }
  rowErrors { line column reason } userErrors { code message field } } }"""


async def test_the_management_hierarchy_becomes_a_draft(database: Database) -> None:
    office = await open_office(database)
    boss = await make_user(database, "boss", Role.VIEWER)
    rep = await make_user(database, "rep", Role.VIEWER)
    async with database.write() as session:
        await session.execute(text(f"UPDATE app_user SET manager_id = {boss.user_id} WHERE user_name = 'planner'"))
        await session.execute(
            text(f"UPDATE app_user SET manager_id = {office.planner.user_id} WHERE id = {rep.user_id}")
        )
    type_id = encode_id("TerritoryType", await make_type(office.world, office.admin))
    made = await office.do(office.planner, HIERARCHY, t=type_id)
    nodes = made["territoryModel"]["territories"]["nodes"]
    assert made["territoryModel"]["state"] == "PLANNING"
    assert [(node["path"], node["forecastManager"]) for node in nodes] == [
        ("/boss/", {"userName": "boss"}),
        ("/boss/planner/", {"userName": "planner"}),
    ]
    members = {(m["user"]["userName"], m["roleInTerritory"]) for m in nodes[1]["members"]["nodes"]}
    assert members == {("planner", "Manager"), ("rep", None)}
    assert await office.refused(office.planner, HIERARCHY, t=type_id) == "TAKEN"
    assert await office.refused(office.viewer, HIERARCHY, t=type_id) == "FORBIDDEN"


async def test_a_table_becomes_a_draft_or_tells_every_bad_row(database: Database) -> None:
    office = await open_office(database)
    await make_type(office.world, office.admin)
    bad = "developerName,parent,type,members\nWorld,,Geography,\nWest,Nowhere,Geography,nobody\nEast,World,Odd,\n"
    refused = await office.get(office.planner, TABLE, c=bad)
    assert refused["territoryModel"] is None
    assert refused["userErrors"][0]["message"] == "2 rows cannot be used; nothing was created."
    assert [(row["line"], row["column"]) for row in refused["rowErrors"]] == [
        (3, "members"),
        (3, "parent"),
        (4, "type"),
    ]
    good = "developerName,parent,type,members\nWest,World,Geography,planner:Rep\nWorld,,Geography,\n"
    made = await office.do(office.planner, TABLE, c=good)
    assert made["territoryModel"]["territories"]["nodes"] == [
        {"path": "/World/", "type": {"developerName": "Geography"}, "members": {"totalCount": 0}},
        {"path": "/World/West/", "type": {"developerName": "Geography"}, "members": {"totalCount": 1}},
    ]
    assert made["rowErrors"] == []
    assert await office.refused(office.viewer, TABLE, c=good) == "FORBIDDEN"
