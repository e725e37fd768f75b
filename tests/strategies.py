"""Hypothesis strategies of the domain: trees, criteria, rules, objects."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from etm_graph.core.assignment import Link, Node, Rule, RuleSet
from etm_graph.core.changes import EntityType
from etm_graph.core.criteria import ALLOWED, Criterion, DataType, FieldDef, Operator, compile_criterion
from etm_graph.core.filter_logic import And, Logic, Not, Or, Ref, parse, render
from etm_graph.core.structure import ENTITY_ORDER, Structure

FIELDS: Mapping[str, FieldDef] = {
    "name": FieldDef("name", DataType.TEXT, "Name"),
    "type": FieldDef("type", DataType.PICKLIST, "Type"),
    "zip": FieldDef("zip", DataType.POSTAL_CODE, "ZIP"),
    "revenue": FieldDef("revenue", DataType.CURRENCY, "Revenue"),
    "employees": FieldDef("employees", DataType.NUMBER, "Employees"),
    "since": FieldDef("since", DataType.DATE, "Since"),
    "strategic": FieldDef("strategic", DataType.BOOLEAN, "Strategic"),
    "channels": FieldDef("channels", DataType.MULTI_PICKLIST, "Channels"),
    "location": FieldDef("location", DataType.LOCATION, "Location"),
}

WORDS = ("", "a", "Ab", "AB", "ba", "Straße", "ﬁne", "FINE", "É", "é", "80", "İ")
CODES = ("80202", "80202-1234", "80000", "81999", "82000", "K1A 0B1", "k1a0b2", "M5V", "8020")
NUMBERS = ("0", "1", "2.50", "-3", "1000000", "0.1", "999999999999.99")
DATES = ("2025-01-31", "2026-02-28", "2026-11-01")
RANGES = ("80000..81999", "80202..80202", "K1A0A1..K1A0Z9", "M5A..M5Z")

texts = st.sampled_from(WORDS)
full_texts = st.sampled_from(WORDS[1:])
ENTERED: Mapping[DataType, st.SearchStrategy[str]] = {
    DataType.TEXT: full_texts,
    DataType.PICKLIST: full_texts,
    DataType.MULTI_PICKLIST: full_texts,
    DataType.POSTAL_CODE: st.sampled_from(CODES),
    DataType.NUMBER: st.sampled_from(NUMBERS),
    DataType.CURRENCY: st.sampled_from(NUMBERS),
    DataType.DATE: st.sampled_from(DATES),
    DataType.BOOLEAN: st.sampled_from(("true", "False")),
    DataType.LOCATION: st.just("0"),
}
VALUES: Mapping[str, st.SearchStrategy[object]] = {
    "name": texts,
    "type": texts,
    "zip": st.sampled_from(CODES),
    "revenue": st.sampled_from(NUMBERS).map(Decimal),
    "employees": st.sampled_from(NUMBERS).map(Decimal),
    "since": st.sampled_from(DATES).map(date.fromisoformat),
    "strategic": st.booleans(),
    "channels": st.lists(full_texts, max_size=3),
    "location": st.tuples(st.sampled_from((0.0, 39.7, 52.5)), st.sampled_from((0.0, -104.9, 13.4))),
}


@st.composite
def criteria(draw: st.DrawFn, number: int) -> Criterion:
    name = draw(st.sampled_from(sorted(FIELDS)))
    data_type = FIELDS[name].data_type
    operator = draw(st.sampled_from(sorted(ALLOWED[data_type])))
    if operator is Operator.IS_NULL:
        return Criterion(number, name, operator, ())
    if operator is Operator.WITHIN:
        return Criterion(number, name, operator, ("39.7", "-104.9", draw(st.sampled_from(("1", "9000")))))
    entered = ENTERED[data_type]
    if data_type is DataType.POSTAL_CODE and operator is Operator.BETWEEN:
        return Criterion(number, name, operator, tuple(draw(st.sampled_from(RANGES)).split("..")))
    equal = operator in {Operator.EQUALS, Operator.NOT_EQUAL, Operator.IN, Operator.NOT_IN}
    if data_type is DataType.POSTAL_CODE and equal:
        entered = st.one_of(entered, st.sampled_from(RANGES))
    counts = {Operator.BETWEEN: 2}.get(operator)
    single = operator in {Operator.LESS, Operator.LESS_OR_EQUAL, Operator.GREATER, Operator.GREATER_OR_EQUAL}
    least, most = (counts, counts) if counts else (1, 1 if single else 3)
    return Criterion(number, name, operator, tuple(draw(st.lists(entered, min_size=least, max_size=most))))


def logics(numbers: list[int]) -> st.SearchStrategy[Logic]:
    return st.recursive(
        st.sampled_from(numbers).map(Ref),
        lambda inner: st.one_of(
            inner.map(Not),
            st.lists(inner, min_size=2, max_size=3).map(lambda terms: And(tuple(terms))),
            st.lists(inner, min_size=2, max_size=3).map(lambda terms: Or(tuple(terms))),
        ),
        max_leaves=5,
    )


@st.composite
def entered_rules(draw: st.DrawFn) -> tuple[tuple[Criterion, ...], str, bool]:
    """Criteria, filter logic, and whether the rule is active, as they are entered."""
    numbers = list(range(1, draw(st.integers(1, 3)) + 1))
    found = tuple(draw(criteria(number)) for number in numbers)
    term = draw(logics(numbers))
    text = " AND ".join([f"({render(term)})", *(f"({number} OR NOT {number})" for number in numbers)])
    return found, text, draw(st.booleans()) or draw(st.booleans())


def compiled_rule(rule_id: int, entered: tuple[tuple[Criterion, ...], str, bool]) -> Rule:
    found, text, active = entered
    compiled = tuple(compile_criterion(criterion, FIELDS[criterion.field]) for criterion in found)
    return Rule(rule_id, f"R{rule_id}", "ACCOUNT", active, compiled, parse(text, [c.number for c in found]))


@st.composite
def trees(draw: st.DrawFn) -> tuple[Node, ...]:
    nodes: list[Node] = []
    for node_id in range(1, draw(st.integers(1, 7)) + 1):
        parent = draw(st.sampled_from([None, *nodes]))
        path = f"{parent.path if parent else '/'}N{node_id}/"
        combination = draw(st.sampled_from(("ALL", "ANY")))
        nodes.append(Node(node_id, parent.id if parent else None, path, combination, draw(st.booleans())))
    return tuple(nodes)


@st.composite
def entered_rule_sets(draw: st.DrawFn) -> tuple[tuple[Node, ...], dict[int, Any], tuple[Link, ...]]:
    """Territories, rules as they are entered, and links."""
    nodes = draw(trees())
    found = {rule_id: draw(entered_rules()) for rule_id in range(1, draw(st.integers(1, 5)) + 1)}
    pairs = [(rule_id, node.id) for rule_id in found for node in nodes]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=8))
    return nodes, found, tuple(Link(rule_id, node_id, draw(st.booleans())) for rule_id, node_id in chosen)


def compiled_rule_set(entered: tuple[tuple[Node, ...], dict[int, Any], tuple[Link, ...]]) -> RuleSet:
    nodes, found, links = entered
    return RuleSet(nodes, tuple(compiled_rule(rule_id, rule) for rule_id, rule in found.items()), links)


def rule_sets() -> st.SearchStrategy[RuleSet]:
    return entered_rule_sets().map(compiled_rule_set)


@st.composite
def objects(draw: st.DrawFn) -> dict[str, object]:
    return {name: draw(st.one_of(st.none(), values)) for name, values in VALUES.items()}


NAMES = ("A", "B", "C", "D")
LOOSE = st.one_of(st.none(), st.booleans(), st.integers(0, 2), st.sampled_from(("x", "y")), st.just(["z"]))


def keys_of(entity_type: EntityType) -> st.SearchStrategy[str]:
    """Keys as changes have them: a name, or two parts."""
    name = st.sampled_from(NAMES)
    if entity_type in {EntityType.TERRITORY, EntityType.RULE, EntityType.TYPE_PRIORITY}:
        return name
    return st.tuples(name, st.sampled_from(("R", "S", "1"))).map("/".join)


@st.composite
def structures(draw: st.DrawFn) -> Structure:
    """Any structure, sensible or not."""
    fields = st.dictionaries(st.sampled_from(("name", "parent", "note", "custom.x")), LOOSE, max_size=4)
    return {
        entity_type: draw(st.dictionaries(keys_of(entity_type), fields, max_size=3))
        for entity_type in draw(st.sets(st.sampled_from(ENTITY_ORDER), max_size=3))
    }
