"""How many SQL statements a query costs: the same however wide its levels are."""

from typing import Any

import pytest
from tests.factories.world import ACCESS, make_model, make_territory, make_type, make_user, make_world

from etm_graph.api import make_schema
from etm_graph.core.access import Role
from etm_graph.db.sessions import Database
from etm_graph.features.territories.service import add_member
from etm_graph.graphql.context import Context, Services
from etm_graph.graphql.execution import Executor, Operation
from etm_graph.settings import Settings
from etm_graph.wiring import extras, make_worker

NESTED = """{ territoryModels { totalCount nodes { createdBy { name } territoryCount
  territories(maxDepth: 0) { nodes { children { totalCount nodes { type { name } childCount
    children { nodes { name ruleCount members { totalCount nodes { user { name } } } rules { nodes { name } } } }
  } } } } } } }"""
FLAT = """{ territoryModels { nodes { territories(first: 10000) { totalCount nodes {
  id name path depth parentId childCount descendantCount type { name } forecastManager { name } } } } } }"""
THREADS = "{ territoryModels { nodes { threads { totalCount nodes { createdBy { name } comments { nodes { author { name } } } } } } } }"


async def count(database: Database, query: str, width: int) -> tuple[int, dict[str, Any]]:
    """Statements of a query on a tree of three levels, each `width` wide."""
    world = make_world(database)
    admin = await make_user(database, "admin", Role.ADMIN, Role.PLANNER)
    type_id, model_id = await make_type(world, admin), await make_model(world, admin)
    root = await make_territory(world, admin, model_id, type_id, "Root")
    for first in range(width):
        middle = await make_territory(world, admin, model_id, type_id, f"M{first}", root)
        for second in range(width):
            leaf = await make_territory(world, admin, model_id, type_id, f"L{first}_{second}", middle)
            async with world.writer.unit_of_work(admin) as work:
                await add_member(work, leaf, admin.user_id, {})
    settings = Settings(operation_cost_max=10**12)  # pages of the default size, four levels deep
    worker = make_worker(database, world.writer, world.engine, lease_s=10)
    services = Services(settings, database, ACCESS, world.writer, None, None, dict(extras(world.engine, worker)))
    statements: list[str] = []
    database.on_statement(statements.append)
    answer = await Executor(make_schema(settings), settings).run(Operation(query), Context(services, admin, "test"))
    assert answer.errors == []
    return len(statements), dict(answer.data or {})


@pytest.mark.parametrize("width", [2, 6])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        # models, their count, creators, territory counts, roots, children, their counts, types, child counts,
        # grandchildren, rule counts, members, their counts, users, rules
        (NESTED, 15),
        # models, territories, their count, child counts, descendant counts, types, forecast managers
        (FLAT, 6),
        # models, threads, their count (there are none to go deeper)
        (THREADS, 3),
    ],
    ids=["nested", "flat", "threads"],
)
async def test_a_level_costs_one_statement_however_wide(
    database: Database, query: str, expected: int, width: int
) -> None:
    statements, _ = await count(database, query, width)
    assert statements == expected
