"""The hierarchy of the active model over HTTP: as a flat list, and nested five levels deep."""

import asyncpg
import httpx
import orjson

from benchmarks.harness import Company, Result, timed
from benchmarks.servers import ask, serving

FLAT = """{ activeTerritoryModel { territories(first: 10000) { nodes {
  id name path depth parentId version type { name } } } } }"""
NESTED = """{ activeTerritoryModel { territories(maxDepth: 0) { nodes { name
  children(first: 200) { nodes { name children(first: 200) { nodes { name children(first: 200) { nodes { name
  children(first: 200) { nodes { name type { name } } } } } } } } } } } } }"""
ROWS = """SELECT t.id, t.name, t.path, t.depth, t.parent_id, t.version, y.name AS type
  FROM territory t JOIN territory_model m ON m.id = t.model_id JOIN territory_type y ON y.id = t.type_id
  WHERE m.state = 'ACTIVE' ORDER BY t.path"""


async def _alternatives(company: Company) -> tuple[float, float]:
    connection = await asyncpg.connect(company.url)

    async def by_hand() -> None:
        orjson.dumps([dict(row) for row in await connection.fetch(ROWS)])

    async def by_database() -> None:
        await connection.fetchval(f"SELECT json_agg(r) FROM ({ROWS}) r")

    found = await timed(by_hand), await timed(by_database)
    await connection.close()
    return found


async def _measure(company: Company, name: str, query: str) -> Result:
    async with serving(company) as url, httpx.AsyncClient(timeout=60) as client:
        value = await timed(lambda: ask(client, url, "viewer", query))
    by_hand, by_database = await _alternatives(company)
    return Result(
        name,
        value,
        "ms",
        "lower",
        "310 territories, 5 levels, through HTTP",
        {"asyncpg fetch of the same rows and orjson": by_hand},
        {"json_agg in PostgreSQL": by_database},
    )


async def measure_flat(company: Company) -> Result:
    return await _measure(company, "hierarchy-flat", FLAT)


async def measure_nested(company: Company) -> Result:
    return await _measure(company, "hierarchy-nested", NESTED)
