"""The page that a person opens, in Chromium."""

import shutil

import orjson
import pytest
from tests.clients.conftest import Run
from tests.clients.test_clients import Site, site

pytestmark = pytest.mark.clients
__all__ = ["site"]


async def test_graphiql_runs_a_query_and_a_live_subscription_without_the_internet(site: Site, run: Run) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium, "Chromium is needed: apt-get install chromium"
    done = run("node", "browser.mjs", **site.environment, CHROMIUM=chromium)
    assert orjson.loads(done.stdout) == {"foreign": [], "faults": []}
