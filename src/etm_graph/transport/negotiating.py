"""Choosing among media types and encodings as HTTP has it (RFC 9110, sections 12.5.1 and 12.5.3)."""

from collections.abc import Sequence
from dataclasses import dataclass

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"
EVENT_STREAM = "text/event-stream"

_EXPLICIT = (GRAPHQL_JSON, JSON, EVENT_STREAM)
"""Answers in the order in which they are preferred among those that a client names."""
_BY_WILDCARD = (JSON, GRAPHQL_JSON)
"""Answers to a client that takes anything: what every tool understands."""


@dataclass(frozen=True, slots=True)
class _Range:
    name: str
    quality: float


def _ranges(header: str) -> list[_Range]:
    found = []
    for part in header.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((text[2:].strip() for text in parameters if text.startswith("q=")), "1")
        try:
            weight = float(quality)
        except ValueError:
            weight = 0.0
        if name:
            found.append(_Range(name, weight))
    return found


def _best(offers: Sequence[str], qualities: dict[str, float]) -> str | None:
    acceptable = [offer for offer in offers if qualities.get(offer, 0) > 0]
    return max(acceptable, key=lambda offer: qualities[offer], default=None)


def choose_media_type(accept: str) -> str | None:
    """The media type to answer with; None when the client takes none of ours. No header means JSON."""
    ranges = _ranges(accept)
    if not ranges:
        return JSON
    named = {one.name: one.quality for one in ranges}
    explicit = _best(_EXPLICIT, named)
    wild = {}
    for offer in _BY_WILDCARD:
        if offer not in named:
            wild[offer] = named.get("application/*", named.get("*/*", 0.0))
    by_wildcard = _best(_BY_WILDCARD, wild)
    if explicit is None or by_wildcard is None:
        return explicit or by_wildcard
    return explicit if named[explicit] >= wild[by_wildcard] else by_wildcard


def choose_encoding(accept_encoding: str, offers: Sequence[str]) -> str | None:
    """The encoding to answer with, the first offer among equals; None for none."""
    named = {one.name: one.quality for one in _ranges(accept_encoding)}
    qualities = {offer: named.get(offer, named.get("*", 0.0)) for offer in offers}
    best = _best(offers, qualities)
    return best if best is not None and qualities[best] >= named.get("identity", 0.0) else None
