"""What tools for GraphQL say of schema.graphql: linters, compilers of clients, breaking changes."""

import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.clients.conftest import Run

from etm_graph.api import make_schema, print_schema
from etm_graph.graphql.documents import check_manifest, read_manifest
from etm_graph.settings import Settings

pytestmark = pytest.mark.clients

TOP = Path(__file__).parents[2]
DECLARED = orjson.loads((Path(__file__).parent / "breaking-changes.json").read_bytes())["declared"]


@pytest.fixture
def schema(workplace: Path) -> Path:
    """schema.graphql as the code has it, where the tools look for it."""
    path = workplace / "schema.graphql"
    path.write_text(print_schema())
    return path


def usable(manifest: Path) -> int:
    """How many trusted documents a manifest holds; all of them must be valid."""
    documents = read_manifest(manifest)
    check_manifest(documents, make_schema(Settings())._schema)
    return len(documents)


def test_graphql_eslint_finds_nothing(schema: Path, run: Run) -> None:
    run("node_modules/.bin/eslint", "--max-warnings", "0", schema.name)


def test_graphql_eslint_would_find_something(schema: Path, run: Run) -> None:
    schema.write_text(schema.read_text() + "\ntype NakedConnection { edges: [Int] }\n")
    with pytest.raises(AssertionError, match="relay-connection-types"):
        run("node_modules/.bin/eslint", schema.name)


def test_relay_compiles_and_its_documents_can_be_trusted(schema: Path, workplace: Path, run: Run) -> None:
    run("../node_modules/.bin/relay-compiler", "relay.config.json", folder="relay")
    assert schema.exists()
    assert len(list((workplace / "relay/src/__generated__").glob("*.graphql.ts"))) == 6
    assert usable(workplace / "relay/persisted.json") == 4


def test_codegen_makes_types_that_hold_and_documents_that_can_be_trusted(
    schema: Path, workplace: Path, run: Run
) -> None:
    run("../node_modules/.bin/graphql-codegen", "--config", "codegen.ts", folder="codegen")
    assert schema.exists()
    run("node_modules/.bin/tsc", "-p", "codegen")
    assert usable(workplace / "codegen/src/gql/persisted-documents.json") == 2


def breaking(workplace: Path, run: Run, before: str, after: str) -> list[dict[str, Any]]:
    (workplace / "before.graphql").write_text(before)
    (workplace / "after.graphql").write_text(after)
    found: list[dict[str, Any]] = orjson.loads(run("node", "breaking.mjs", "before.graphql", "after.graphql").stdout)
    return found


def git(*arguments: str) -> str | None:
    done = subprocess.run(["git", *arguments], cwd=TOP, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def schema_on_main() -> str | None:
    """schema.graphql where this branch left main; on main itself the one before the last commit."""
    main = git("rev-parse", "--verify", "origin/main") or git("rev-parse", "--verify", "main")
    base = git("merge-base", "HEAD", main) if main else None
    if base is not None and base == git("rev-parse", "HEAD"):
        base = git("rev-parse", "HEAD^")
    return git("show", f"{base}:schema.graphql") if base else None


def test_no_breaking_change_against_main_is_undeclared(workplace: Path, run: Run) -> None:
    before = schema_on_main()
    if before is None:
        pytest.skip("there is no history to compare with")
    declared = {entry["change"] for entry in DECLARED}
    found = breaking(workplace, run, before, print_schema())
    assert [one for one in found if one["change"] not in declared] == [], (
        "declare it in tests/clients/breaking-changes.json"
    )
    assert all(entry["reason"] for entry in DECLARED)


def test_a_breaking_change_is_found_and_an_addition_is_none(workplace: Path, run: Run) -> None:
    now = print_schema()
    looser = now.replace("  viewer: User!\n", "  viewer: User\n", 1)
    assert looser != now
    assert [one["change"] for one in breaking(workplace, run, now, looser)] == ["FIELD_TYPE_CHANGED Query.viewer"]
    assert breaking(workplace, run, looser, now) == []
