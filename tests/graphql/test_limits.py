"""Limits on documents, measured before validation."""

import pytest
from graphql import get_introspection_query, parse
from hypothesis import given
from hypothesis import strategies as st

from etm_graph.core.errors import LimitExceeded
from etm_graph.graphql.limits import check_document, check_variables, read_document
from etm_graph.settings import Settings

SETTINGS = Settings(
    document_bytes_max=2_000,
    document_tokens_max=300,
    document_depth_max=5,
    document_aliases_max=6,
    document_directives_max=8,
    document_directives_at_once_max=3,
    document_root_fields_max=7,
    document_repeats_max=4,
    list_input_max=3,
)


def refused(document: str, settings: Settings = SETTINGS) -> dict[str, object] | None:
    """The details of the refusal, with the message checked to name the limit; None when the document passes."""
    try:
        check_document(read_document(document, settings), settings)
    except LimitExceeded as error:
        found = error
    else:
        return None
    assert f"({found.details['limit']})" in found.message
    assert str(found.details["value"]) in found.message
    return dict(found.details)


def limit(name: str, value: int, actual: int | None = None) -> dict[str, object]:
    return {"limit": name, "value": value} | ({} if actual is None else {"actual": actual})


@pytest.mark.parametrize(
    ("most", "more", "expected"),
    [
        ("{a}" + " " * 1_997, "{a}" + " " * 1_998, limit("document_bytes_max", 2_000, 2_001)),
        ("{a}" + "#é" * 665, "{a}" + "#é" * 666, limit("document_bytes_max", 2_000, 2_001)),
        ("{" + "a(x:1)" * 1 + "}", "{" + "a{b}" * 75 + "}", limit("document_tokens_max", 300)),
        ("{a{b{c{d{e}}}}}", "{a{b{c{d{e{f}}}}}}", limit("document_depth_max", 5, 6)),
        (
            "{a{...F}} fragment F on T {c{d{e}}}",
            "{a{b{...F}}} fragment F on T {c{d{e{f}}}}",
            limit("document_depth_max", 5, 6),
        ),
        ("{a ... on T {b{c{d{e{f}}}}}}", "{a ... on T {b{c{d{e{f{g}}}}}}}", limit("document_depth_max", 5, 6)),
        ("{a{" + "".join(f"x{n}:b " for n in range(6)) + "}}", "{a{" + "".join(f"x{n}:b " for n in range(7)) + "}}", limit("document_aliases_max", 6, 7)),
        (
            "{a{...F} b{...F} c{...F}} fragment F on T {x:y z:y}",
            "{a{...F} b{...F} c{...F} d{...F}} fragment F on T {x:y z:y}",
            limit("document_aliases_max", 6, 8),
        ),
        ("{a @x b @x c @x d @x e{f @x @x @x @x}}".replace(" @x @x @x @x", " @x @x @x"), "{a @x @x @x b @x @x @x c @x @x @x}", limit("document_directives_max", 8, 9)),
        ("{a @x @x @x}", "{a @x @x @x @x}", limit("document_directives_at_once_max", 3, 4)),
        ("{a b c d e f g}", "{a b c d e f g h}", limit("document_root_fields_max", 7, 8)),
        ("{...F ...F a} fragment F on Query {b c d}", "{...F ...F a b} fragment F on Query {b c d}", limit("document_root_fields_max", 7, 8)),
        ("{a{b b b b}}", "{a{b b b b b}}", limit("document_repeats_max", 4, 5)),
        ("{a{x:b x:b x:b x:b b}}", "{a{x:b x:b x:b x:b x:c}}", limit("document_repeats_max", 4, 5)),
        ("{a(x:[1,2,3])}", "{a(x:[1,2,3,4])}", limit("list_input_max", 3, 4)),
        ("{a(x:{y:[[1],[2],[3]]})}", "{a(x:{y:[[1,1,1,1]]})}", limit("list_input_max", 3, 4)),
    ],
    ids=lambda value: value["limit"] if isinstance(value, dict) else None,
)  # fmt: skip
def test_a_document_at_the_limit_passes_and_one_above_is_refused(
    most: str, more: str, expected: dict[str, object]
) -> None:
    assert (refused(most), refused(more)) == (None, expected)


def test_the_second_operation_of_a_document_is_measured_too() -> None:
    assert refused("query A {a} query B {a{b{c{d{e{f}}}}}}") == limit("document_depth_max", 5, 6)


@pytest.mark.parametrize(
    "hostile",
    [
        "{a{...A}} fragment A on T {b{...B}} fragment B on T {c{...A}}",
        "{...A} fragment A on T {...A}",
        "{...Missing}",
    ],
)
def test_fragments_in_circles_and_missing_ones_are_left_to_validation(hostile: str) -> None:
    assert refused(hostile) is None


def test_fragments_that_double_do_not_take_long_to_count() -> None:
    doubling = "".join(f"fragment F{n} on T {{ ...F{n + 1} ...F{n + 1} }} " for n in range(16))
    text = "{...F0} " + doubling + "fragment F16 on T {x:a}"
    assert refused(text, Settings()) == limit("document_aliases_max", 100, 2**16)


def test_braces_nested_beyond_any_stack_are_refused_as_too_deep() -> None:
    assert refused("{a" * 2_400 + "}" * 2_400, Settings()) == limit("document_depth_max", 15)
    chain = "".join(f"fragment F{n} on T {{...F{n + 1}}} " for n in range(600))
    assert refused("{...F0} " + chain, Settings()) == limit("document_depth_max", 15)


def test_the_introspection_query_of_tools_is_within_the_limits() -> None:
    everything = get_introspection_query(
        specified_by_url=True, directive_is_repeatable=True, input_value_deprecation=True
    )
    assert refused(everything, Settings()) is None


def test_lists_in_variables_are_held_to_the_same_limit() -> None:
    check_variables({"a": [1, 2, 3], "b": {"c": [[1], [2], [3]]}}, SETTINGS)
    for variables in ({"a": [1, 2, 3, 4]}, {"a": {"b": [{"c": [1, 2, 3, 4]}]}}):
        with pytest.raises(LimitExceeded) as caught:
            check_variables(variables, SETTINGS)
        assert caught.value.details == limit("list_input_max", 3, 4)


@given(st.integers(1, 30), st.integers(0, 8))
def test_depth_is_what_the_braces_say(fields: int, fragments: int) -> None:
    settings = Settings(document_depth_max=10)
    inner = "a{" * (fields - 1) + "a" + "}" * (fields - 1)
    text = "{" + "... on T {" * fragments + inner + "}" * fragments + "}"
    if parse(text) and fields <= 10:
        assert refused(text, settings) is None
    else:
        assert refused(text, settings) == limit("document_depth_max", 10, fields)
