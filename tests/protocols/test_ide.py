"""GraphiQL comes from the server itself."""

import gzip
import re
from pathlib import Path

import httpx
from tests.e2e.servers import serving

from etm_graph.transport.ide import PACKED


async def test_the_page_and_all_that_it_loads_come_from_the_server(database_url: str, tmp_path: Path) -> None:
    async with serving(database_url, tmp_path) as server, httpx.AsyncClient() as client:
        page = await client.get(server.url, headers={"accept": "text/html"})
        assert page.status_code == 200
        policy = page.headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "http" not in policy
        wanted = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert wanted == [f"/graphql/ide/{name}" for name in ("graphiql.min.css", *_scripts(), "start.js")]
        for path in wanted:
            answer = await client.get(server.url.removesuffix("/graphql") + path)
            assert answer.status_code == 200
            assert answer.content
        assert (await client.get(f"{server.url}/ide/..%2Fhttp.py")).status_code == 404


def _scripts() -> list[str]:
    return ["react.production.min.js", "react-dom.production.min.js", "graphiql.min.js"]


def test_packed_files_are_those_that_are_named() -> None:
    folder = Path(__file__).parents[2] / "src/etm_graph/transport/graphiql"
    assert {path.name.removesuffix(".gz") for path in folder.glob("*.gz")} == PACKED.keys()
    assert all(gzip.decompress(path.read_bytes()) for path in folder.glob("*.gz"))
