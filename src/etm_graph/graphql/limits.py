"""What a document may look like, whatever it asks for. Everything here is measured before validation.

A document is hostile until measured: fragments may name each other in circles, fields may not exist, and validation
itself takes quadratic time for documents that repeat a field often enough.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSyntaxError,
    InlineFragmentNode,
    ListValueNode,
    Node,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    parse,
)

from etm_graph.core.errors import LimitExceeded
from etm_graph.settings import Settings

_FRAGMENTS_PER_FIELD = 4
"""Fragments may nest so many times deeper than fields."""


def exceeded(sentence: str, limit: str, most: float, actual: float | None = None) -> LimitExceeded:
    """The error for a passed limit. The sentence says what the limit holds, without the limit's name."""
    was = "" if actual is None else f"; this one has {actual}"
    details: dict[str, object] = {"limit": limit, "value": most}
    if actual is not None:
        details["actual"] = actual
    return LimitExceeded(f"{sentence} ({limit}){was}.", details=details)


def read_document(text: str, settings: Settings) -> DocumentNode:
    """Parse a document within the limits of size and tokens. Raises `LimitExceeded`, `GraphQLSyntaxError`."""
    size, most = len(text.encode()), settings.document_bytes_max
    if size > most:
        raise exceeded(f"A document has at most {most} bytes", "document_bytes_max", most, size)
    try:
        return parse(text, max_lexical_tokens=settings.document_tokens_max)
    except GraphQLSyntaxError as error:
        if "more than" in error.message and "tokens" in error.message:
            most = settings.document_tokens_max
            raise exceeded(f"A document has at most {most} tokens", "document_tokens_max", most) from error
        if "nested too deeply" in error.message:
            raise _too_deep(settings.document_depth_max) from error
        raise


def _too_deep(most: int, actual: int | None = None) -> LimitExceeded:
    return exceeded(f"Fields nest at most {most} deep", "document_depth_max", most, actual)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a selection set amounts to with its fragments in place: levels, aliases, fields of its first level."""

    depth: int = 0
    aliases: int = 0
    fields: int = 0

    def beside(self, other: "_Shape") -> "_Shape":
        return _Shape(max(self.depth, other.depth), self.aliases + other.aliases, self.fields + other.fields)


class _Measuring:
    """Measures operations; a fragment is measured once, one that contains itself counts nothing inside itself."""

    def __init__(self, document: DocumentNode, depth_max: int) -> None:
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._known: dict[str, _Shape] = {}
        self._depth_max = depth_max

    def measure(self, selections: SelectionSetNode, nesting: int = 0) -> _Shape:
        if nesting > _FRAGMENTS_PER_FIELD * self._depth_max:
            raise _too_deep(self._depth_max)
        shape = _Shape()
        for selection in selections.selections:
            shape = shape.beside(self._one(selection, nesting + 1))
        return shape

    def _one(self, selection: SelectionNode, nesting: int) -> _Shape:
        if isinstance(selection, FieldNode):
            below = self.measure(selection.selection_set, nesting) if selection.selection_set else _Shape()
            return _Shape(below.depth + 1, below.aliases + (selection.alias is not None), 1)
        if isinstance(selection, InlineFragmentNode):
            return self.measure(selection.selection_set, nesting)
        assert isinstance(selection, FragmentSpreadNode)  # noqa: S101 - the third and last kind
        name = selection.name.value
        if name not in self._known and name in self._fragments:
            self._known[name] = _Shape()
            self._known[name] = self.measure(self._fragments[name].selection_set, nesting)
        return self._known.get(name, _Shape())


def _nodes(document: DocumentNode) -> Iterator[Node]:
    waiting: list[Node] = [document]
    while waiting:
        node = waiting.pop()
        yield node
        for key in node.keys:
            value = getattr(node, key, None)
            if isinstance(value, Node):
                waiting.append(value)
            elif isinstance(value, tuple | list):
                waiting.extend(item for item in value if isinstance(item, Node))


def check_document(document: DocumentNode, settings: Settings) -> None:
    """Hold a parsed document to the limits of depth, aliases, root fields, repeats, directives and lists."""
    measuring = _Measuring(document, settings.document_depth_max)
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            _check_shape(measuring.measure(definition.selection_set), settings)
    directives = 0
    for node in _nodes(document):
        directives += isinstance(node, DirectiveNode)
        _check_node(node, settings)
    most = settings.document_directives_max
    if directives > most:
        raise exceeded(f"A document has at most {most} directives", "document_directives_max", most, directives)


def _check_shape(shape: _Shape, settings: Settings) -> None:
    if shape.depth > settings.document_depth_max:
        raise _too_deep(settings.document_depth_max, shape.depth)
    if shape.aliases > (most := settings.document_aliases_max):
        raise exceeded(f"An operation has at most {most} aliases", "document_aliases_max", most, shape.aliases)
    if shape.fields > (most := settings.document_root_fields_max):
        sentence = f"An operation has at most {most} fields at its top"
        raise exceeded(sentence, "document_root_fields_max", most, shape.fields)


def _check_node(node: Node, settings: Settings) -> None:
    at_once = len(getattr(node, "directives", None) or ())
    if at_once > (most := settings.document_directives_at_once_max):
        sentence = f"One place of a document has at most {most} directives"
        raise exceeded(sentence, "document_directives_at_once_max", most, at_once)
    if isinstance(node, ListValueNode):
        _check_list(len(node.values), settings)
    if isinstance(node, SelectionSetNode):
        _check_repeats(node, settings)


def _check_repeats(selections: SelectionSetNode, settings: Settings) -> None:
    names = Counter((node.alias or node.name).value for node in selections.selections if isinstance(node, FieldNode))
    most = settings.document_repeats_max
    if names and (often := max(names.values())) > most:
        sentence = f"A field is selected at most {most} times in one place"
        raise exceeded(sentence, "document_repeats_max", most, often)


def _check_list(length: int, settings: Settings) -> None:
    if length > (most := settings.list_input_max):
        raise exceeded(f"A list given as input has at most {most} items", "list_input_max", most, length)


def check_variables(variables: Mapping[str, Any] | None, settings: Settings) -> None:
    """Hold every list inside the variables to its limit; raises `LimitExceeded`."""
    waiting: list[Any] = list((variables or {}).values())
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            _check_list(len(value), settings)
            waiting.extend(value)
        elif isinstance(value, dict):
            waiting.extend(value.values())
