"""Comments as safe HTML, and whom they mention."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etm_graph.core.markup import TAGS, mentions, render_html


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("**bold** and `code`", "<p><strong>bold</strong> and <code>code</code></p>\n"),
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n"),
        ("<img src=x onerror=alert(1)>", "<p>&lt;img src=x onerror=alert(1)&gt;</p>\n"),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>\n"),
        ("![x](https://tracker.example/p.gif)", "<p></p>\n"),
        (
            "[x](https://example.com)",
            '<p><a href="https://example.com" rel="noopener noreferrer nofollow">x</a></p>\n',
        ),
    ],
)
def test_markdown_becomes_harmless_html(source: str, html: str) -> None:
    assert render_html(source) == html


PIECES = ["<", ">", '"', "script", "on", "error=", "javascript:", "](", "[", "`", "&#", "data:", "*", "\n", "a", "//"]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_no_source_gives_other_elements_or_attributes(source: str) -> None:
    html = render_html(source)
    found = re.findall(r"<\s*/?\s*([a-zA-Z0-9]+)([^>]*)>", html)
    assert {name for name, _ in found} <= TAGS
    attributes = {name for _, rest in found for name in re.findall(r'([a-zA-Z-]+)="', rest)}
    assert attributes <= {"href", "title", "rel", "start"}
    assert not re.search(r'href="(?!https?:|mailto:)[a-z]+:', html)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("@anna and @ben.smith.", ("anna", "ben.smith")),
        ("@anna @anna", ("anna",)),
        ("mail me at x@example.com", ()),
        ("`@anna` and ```\n@ben\n```", ()),
        ("(@anna), @ben-2!", ("anna", "ben-2")),
    ],
)
def test_mentions_are_names_after_an_at_sign(source: str, names: tuple[str, ...]) -> None:
    assert mentions(source) == names
