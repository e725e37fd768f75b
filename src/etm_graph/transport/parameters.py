"""The parameters of a request, which are the same for HTTP, server-sent events and WebSockets."""

from collections.abc import Mapping
from typing import Any

from etm_graph.graphql.documents import TrustedDocuments
from etm_graph.graphql.execution import Operation


class Malformed(ValueError):
    """It is no GraphQL request at all; the text says what is wrong."""


def _text(source: Mapping[str, Any], name: str) -> str | None:
    value = source.get(name)
    if value is not None and not isinstance(value, str):
        raise Malformed(f"`{name}` is no string.")
    return value or None


def _map(source: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    value = source.get(name)
    if value is not None and not isinstance(value, dict):
        raise Malformed(f"`{name}` is no object.")
    return value


def read_operation(source: object, documents: TrustedDocuments) -> Operation:
    """The operation of a request. Raises `Malformed`, and what `TrustedDocuments.resolve` raises."""
    if isinstance(source, list):
        raise Malformed("A request holds one operation, not an array of them (batches are refused).")
    if not isinstance(source, dict):
        raise Malformed("A request is a JSON object with `query` or `documentId`, `variables`, `operationName`.")
    query, document_id = _text(source, "query"), _text(source, "documentId")
    variables, extensions = _map(source, "variables"), _map(source, "extensions")
    name = _text(source, "operationName")
    document_id = document_id or _persisted(extensions or {})
    if query is None and document_id is None:
        raise Malformed("`query` is missing.")
    text = documents.resolve(query, document_id)
    return Operation(text, variables, name, extensions, trusted=document_id is not None)


def _persisted(extensions: Mapping[str, Any]) -> str | None:
    """The id in Apollo's place for it."""
    found = extensions.get("persistedQuery")
    return _text(found, "sha256Hash") if isinstance(found, dict) else None
