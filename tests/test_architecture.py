"""What import-linter cannot see: caps on size, names of files, where tables may be used."""

import ast
from pathlib import Path

import grimp
import pytest

SOURCE = Path(__file__).parents[1] / "src" / "etm_graph"
FILE_MAX, TEST_MAX, FUNCTION_MAX = 400, 600, 60
FEATURE_FILES = {"__init__", "tables", "queries", "service", "schema", "jobs"}

LONG_FILES: frozenset[str] = frozenset()
"""Files over the cap; this list only shrinks."""

LONG_FUNCTIONS = frozenset(
    {
        "db/migrations/versions/0001_the_first_tables.py:upgrade",
        "db/migrations/versions/0001_the_first_tables.py:downgrade",
    }
)
"""Functions over the cap; this list only shrinks."""


def python_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def test_files_hold_one_idea() -> None:
    sizes = {str(path.relative_to(SOURCE)): len(path.read_text().splitlines()) for path in python_files(SOURCE)}
    long = {name for name, lines in sizes.items() if lines > FILE_MAX and "migrations" not in name}
    assert long == LONG_FILES


def test_test_files_hold_one_idea() -> None:
    tests = Path(__file__).parent
    assert [str(path) for path in python_files(tests) if len(path.read_text().splitlines()) > TEST_MAX] == []


def test_functions_are_short() -> None:
    long = set()
    for path in python_files(SOURCE):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_MAX:
                    long.add(f"{path.relative_to(SOURCE)}:{node.name}")
    assert long == LONG_FUNCTIONS


def test_a_feature_has_only_the_known_files() -> None:
    found = {
        (feature.name, path.stem)
        for feature in (SOURCE / "features").iterdir()
        if feature.is_dir() and feature.name != "__pycache__"
        for path in feature.iterdir()
        if path.name != "__pycache__" and path.stem not in FEATURE_FILES
    }
    assert found == set()


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("etm_graph", cache_dir=None)


def test_the_tables_of_a_feature_are_used_only_inside_it(graph: grimp.ImportGraph) -> None:
    tables = [name for name in graph.modules if name.startswith("etm_graph.features.") and name.endswith(".tables")]
    foreign = {
        (importer, name)
        for name in tables
        for importer in graph.find_modules_that_directly_import(name)
        if not importer.startswith(name.removesuffix("tables"))
    }
    assert foreign == set()
