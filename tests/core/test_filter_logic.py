"""Filter logic: parsed, rendered, evaluated; errors point at the character."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import logics

from etm_graph.core.errors import BadFilterLogic, Invalid
from etm_graph.core.filter_logic import NESTING_MAX, And, Logic, Not, Or, Ref, evaluate, parse, render


def refs(logic: Logic) -> set[int]:
    match logic:
        case Ref(number):
            return {number}
        case Not(term):
            return refs(term)
        case And(terms) | Or(terms):
            return set().union(*(refs(term) for term in terms))


def by_python(logic: str, truth: Mapping[int, bool]) -> bool:
    """The slow, obvious reference: Python's own reading of the same words."""
    text = logic.lower()
    for number in sorted(truth, reverse=True):
        text = text.replace(str(number), str(truth[number]))
    return bool(eval(text))  # noqa: S307 - text that the strategy made


@given(logics([1, 2, 3]), st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_rendered_logic_means_the_same(logic: Logic, values: tuple[bool, bool, bool]) -> None:
    truth = dict(zip((1, 2, 3), values, strict=True))
    text = render(logic)
    again = parse(text, sorted(refs(logic)))
    assert evaluate(again, truth) == evaluate(logic, truth) == by_python(text, truth)


def test_and_binds_tighter_than_or_and_not_tightest() -> None:
    assert parse("1 or not 2 AND 3", [1, 2, 3]) == Or((Ref(1), And((Not(Ref(2)), Ref(3)))))


@pytest.mark.parametrize("text", [None, "", "  "])
def test_no_logic_means_all(text: str | None) -> None:
    assert parse(text, [1, 2]) == And((Ref(1), Ref(2)))


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("1 AND", 6),
        ("1 AND 2)", 8),
        ("(1 AND 2", 9),
        ("1 XOR 2", 3),
        ("1 AND 9", 7),
        ("AND 1", 1),
        ("1 2", 3),
        ("1; DROP", 2),
        ("1", 2),
        ("NOT", 4),
    ],
)
def test_an_error_points_at_the_character(text: str, position: int) -> None:
    with pytest.raises(BadFilterLogic) as caught:
        parse(text, [1, 2])
    assert caught.value.details["position"] == position


def test_a_rule_without_criteria_is_invalid() -> None:
    with pytest.raises(Invalid):
        parse(None, [])


def test_endless_nesting_is_refused_with_the_limit() -> None:
    depth = NESTING_MAX + 1
    with pytest.raises(BadFilterLogic, match=f"at most {NESTING_MAX} deep"):
        parse("(" * depth + "1" + ")" * depth, [1])
