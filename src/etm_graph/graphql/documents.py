"""Trusted documents: those that the clients' builds wrote down, asked for by id.

The manifest is a JSON file, either `{id: document}`, as relay-compiler and graphql-codegen write it, or Apollo's
`{"format": "apollo-persisted-query-manifest", "operations": [{"id", "body"}]}`.
"""

from collections.abc import Mapping
from pathlib import Path

import orjson
from graphql import GraphQLError, GraphQLSchema, parse, validate

from etm_graph.core.errors import DocumentNotFound, DocumentRequired, DocumentsOff
from etm_graph.settings import DocumentTrust

_PREFIX = "sha256:"


class BadManifest(ValueError):
    """The file of trusted documents cannot be used; the text says why."""


def read_manifest(path: Path) -> Mapping[str, str]:
    """Documents by id. Raises `BadManifest`."""
    try:
        content = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise BadManifest(f"{path} cannot be read as JSON: {error}") from error
    if isinstance(content, dict) and isinstance(content.get("operations"), list):
        content = {one.get("id"): one.get("body") for one in content["operations"] if isinstance(one, dict)}
    if not isinstance(content, dict):
        raise BadManifest(f"{path} is no object of documents by id.")
    wrong = [key for key, text in content.items() if not isinstance(key, str) or not isinstance(text, str)]
    if wrong:
        raise BadManifest(f"{path}: the document of {wrong[0]!r} is no text.")
    return {key.removeprefix(_PREFIX): text for key, text in content.items()}


def check_manifest(documents: Mapping[str, str], schema: GraphQLSchema) -> None:
    """Every document must be valid for the schema. Raises `BadManifest` naming the first that is not."""
    for key, text in documents.items():
        try:
            errors = validate(schema, parse(text))
        except GraphQLError as error:
            errors = [error]
        if errors:
            raise BadManifest(f"The trusted document {key} is not valid for this schema: {errors[0].message}")


class TrustedDocuments:
    """Decides which document a request means."""

    def __init__(self, trust: DocumentTrust, documents: Mapping[str, str]) -> None:
        self._trust = trust
        self._documents = documents

    def resolve(self, query: str | None, document_id: str | None) -> str:
        """The text to run. Raises `DocumentsOff`, `DocumentNotFound`, `DocumentRequired`."""
        if document_id is None:
            if self._trust is DocumentTrust.REQUIRE or query is None:
                raise DocumentRequired("Only trusted documents run here: send `documentId` instead of `query`.")
            return query
        if self._trust is DocumentTrust.OFF:
            raise DocumentsOff("No trusted documents are kept here: send `query` instead of `documentId`.")
        found = self._documents.get(document_id.removeprefix(_PREFIX))
        if found is None:
            raise DocumentNotFound(
                f"There is no trusted document {document_id[:100]}: was it left out of the manifest?"
            )
        return found
