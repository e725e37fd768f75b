"""Media types and encodings, chosen as HTTP has it."""

import pytest

from etm_graph.transport.negotiating import EVENT_STREAM, GRAPHQL_JSON, JSON, choose_encoding, choose_media_type


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (GRAPHQL_JSON, GRAPHQL_JSON),
        (f"{GRAPHQL_JSON}, {JSON};q=0.9", GRAPHQL_JSON),
        (f"{JSON}, {GRAPHQL_JSON};q=0.9", JSON),
        (f"{JSON}, {GRAPHQL_JSON}", GRAPHQL_JSON),
        (f"{GRAPHQL_JSON}; charset=utf-8, {JSON}; charset=utf-8", GRAPHQL_JSON),
        (f"{GRAPHQL_JSON},{JSON};q=0.9,*/*;q=0.1", GRAPHQL_JSON),
        (f"{JSON};q=0, */*", GRAPHQL_JSON),
        (f"{JSON};q=0.1, */*", GRAPHQL_JSON),
        ("text/html, */*;q=0.8", JSON),
        (EVENT_STREAM, EVENT_STREAM),
        (f"{EVENT_STREAM}, {JSON}", JSON),
        (f"{EVENT_STREAM}, {JSON};q=0.5", EVENT_STREAM),
        ("image/png", None),
        (f"{JSON};q=0", None),
        (f"{JSON};q=nonsense", None),
        ("APPLICATION/JSON", JSON),
    ],
)
def test_media_type(accept: str, expected: str | None) -> None:
    assert choose_media_type(accept) == expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", None),
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1.0, zstd;q=0.5", "gzip"),
        ("zstd;q=0, gzip", "gzip"),
        ("*", "zstd"),
        ("br", None),
        ("identity", None),
        ("identity;q=1, gzip;q=0.5", None),
        ("gzip;q=0", None),
    ],
)
def test_encoding(accept: str, expected: str | None) -> None:
    assert choose_encoding(accept, ("zstd", "gzip")) == expected
