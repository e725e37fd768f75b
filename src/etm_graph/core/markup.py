"""What people write in comments: Markdown, kept as its source; the HTML of it, made safe; and the mentions in it."""

import re
from functools import lru_cache

import nh3
from markdown_it import MarkdownIt

_PARSER = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])

TAGS = frozenset(
    [
        "p",
        "br",
        "hr",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "em",
        "strong",
        "s",
        "code",
        "pre",
        "blockquote",
        "ul",
        "ol",
        "li",
        "a",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    ]
)
"""The elements that a comment's HTML can have; pictures are not loaded from anywhere."""

SCHEMES = frozenset({"http", "https", "mailto"})

MENTION = re.compile(r"(?<![\w@/.+-])@([A-Za-z0-9][A-Za-z0-9._-]{0,99})")
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)

MENTIONS_MAX = 50
"""Most people whom one comment mentions."""


@lru_cache(maxsize=2_000)
def render_html(source: str) -> str:
    """The HTML of a Markdown source: only harmless elements, links that open nothing but web pages and mail."""
    return nh3.clean(
        _PARSER.render(source),
        tags=set(TAGS),
        attributes={"a": {"href", "title"}, "ol": {"start"}},
        url_schemes=set(SCHEMES),
        link_rel="noopener noreferrer nofollow",
    )


def mentions(source: str) -> tuple[str, ...]:
    """The user names that a source mentions with @, each once, in order; not those in code or in e-mail addresses."""
    found = (name.rstrip("._-") for name in MENTION.findall(_CODE.sub(" ", source)))
    return tuple(dict.fromkeys(name for name in found if name))
