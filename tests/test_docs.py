"""What a reader is promised exists, and what exists is documented."""

import re
from pathlib import Path

from etm_graph.core.errors import ErrorCode
from etm_graph.settings import Settings

TOP = Path(__file__).parents[1]
PAGES = [TOP / "README.md", TOP / "CONTRIBUTING.md", TOP / "CHANGELOG.md", *sorted((TOP / "docs").rglob("*.md"))]


def test_every_setting_is_documented_with_its_default() -> None:
    text = (TOP / "docs" / "operations" / "README.md").read_text()
    documented = set(re.findall(r"^\| `ETM_(\w+)` \|", text, re.MULTILINE))
    assert documented == {name.upper() for name in Settings.model_fields}


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        (str(page.relative_to(TOP)), target)
        for page in PAGES
        for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_tests_named_by_decisions_exist() -> None:
    missing = [
        (page.name, target)
        for page in sorted((TOP / "docs" / "decisions").glob("*.md"))
        for target in re.findall(r"tests/[\w/.]+\w", page.read_text())
        if not (TOP / target).exists()
    ]
    assert missing == []


def test_top_level_error_codes_are_explained_to_clients() -> None:
    text = (TOP / "docs" / "guide" / "client.md").read_text()
    top_level = {
        ErrorCode.UNAUTHENTICATED,
        ErrorCode.FORBIDDEN,
        ErrorCode.LIMIT_EXCEEDED,
        ErrorCode.RATE_LIMITED,
        ErrorCode.TIMEOUT,
        ErrorCode.BAD_CURSOR,
    }
    assert {code for code in top_level if f"`{code.value}`" not in text} == set()
