"""Trusted documents: manifests of three tools, three degrees of trust."""

from pathlib import Path

import orjson
import pytest
from graphql import build_schema

from etm_graph.core.errors import DocumentNotFound, DocumentRequired, DocumentsOff
from etm_graph.graphql.documents import BadManifest, TrustedDocuments, check_manifest, read_manifest
from etm_graph.settings import DocumentTrust

SCHEMA = build_schema("type Query { a: Int }")


def written(folder: Path, content: object) -> Path:
    path = folder / "documents.json"
    path.write_bytes(content if isinstance(content, bytes) else orjson.dumps(content))
    return path


@pytest.mark.parametrize(
    "content",
    [
        {"0f": "{ a }"},
        {"sha256:0f": "{ a }"},
        {
            "format": "apollo-persisted-query-manifest",
            "version": 1,
            "operations": [{"id": "0f", "name": "A", "type": "query", "body": "{ a }"}],
        },
    ],
    ids=["relay-compiler", "graphql-codegen", "apollo"],
)
def test_manifests_of_the_tools_are_read(tmp_path: Path, content: object) -> None:
    documents = read_manifest(written(tmp_path, content))
    assert documents == {"0f": "{ a }"}
    check_manifest(documents, SCHEMA)


@pytest.mark.parametrize("content", [b"{", [], "x", {"0f": 1}, {"0f": None}, {"operations": [{"id": "0f"}]}])
def test_files_that_are_no_manifest_are_named(tmp_path: Path, content: object) -> None:
    path = written(tmp_path, content)
    with pytest.raises(BadManifest, match=path.name):
        read_manifest(path)
    with pytest.raises(BadManifest, match="missing"):
        read_manifest(tmp_path / "missing")


@pytest.mark.parametrize("text", ["{ b }", "{"])
def test_a_document_that_the_schema_does_not_take_is_named(text: str) -> None:
    with pytest.raises(BadManifest, match="trusted document 0f is not valid"):
        check_manifest({"ab": "{ a }", "0f": text}, SCHEMA)


def test_degrees_of_trust() -> None:
    documents = {"0f": "{ a }"}
    off, allow, require = (TrustedDocuments(trust, documents) for trust in DocumentTrust)
    assert (off.resolve("{ b }", None), allow.resolve("{ b }", None)) == ("{ b }", "{ b }")
    assert [trusting.resolve("{ b }", key) for trusting in (allow, require) for key in ("0f", "sha256:0f")] == [
        "{ a }"
    ] * 4
    with pytest.raises(DocumentRequired):
        require.resolve("{ a }", None)
    with pytest.raises(DocumentsOff):
        off.resolve(None, "0f")
    for trusting in (allow, require):
        with pytest.raises(DocumentNotFound, match="0e"):
            trusting.resolve("{ a }", "0e")
