"""Who is assigned to what, row by row, straight from docs/domain.md, "Rules": slow, obvious, and no code of the engine's.

Criteria are taken as they were entered, filter logic as text that Python itself reads.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from decimal import Decimal
from math import atan2, cos, radians, sin, sqrt

from etm_graph.core.assignment import Link, Node
from etm_graph.core.criteria import Criterion, FieldDef

Entered = tuple[Sequence[Criterion], str, bool]
"""A rule as it was entered: its criteria, its filter logic, whether it is active."""


def folded(text: object) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", str(text)).lower())


def code(text: object) -> str:
    return "".join(char for char in folded(text) if not char.isspace() and char != "-")


def shape(text: str) -> list[bool]:
    return [char.isdecimal() for char in text]


def typed(kind: str, text: object) -> object:
    if kind in {"NUMBER", "CURRENCY"}:
        return Decimal(str(text))
    if kind == "DATE":
        return text if isinstance(text, date) else date.fromisoformat(str(text))
    if kind == "BOOLEAN":
        return text if isinstance(text, bool) else str(text).lower() == "true"
    return code(text) if kind == "POSTAL_CODE" else folded(text)


def cut(value: str, bound: str) -> str | None:
    """As much of a postal code as the bound has; None when it is of another format."""
    part = value[: len(bound)]
    return part if shape(part) == shape(bound) else None


def is_one_of(kind: str, value: object, entered: Sequence[str]) -> bool:
    for text in entered:
        if kind == "POSTAL_CODE" and ".." in text:
            low, high = (code(end) for end in text.split(".."))
            part = cut(code(value), low)
            if part is not None and low <= part <= high:
                return True
        elif typed(kind, value) == typed(kind, text):
            return True
    return False


def kilometres(here: tuple[float, float], there: tuple[float, float]) -> float:
    """Great-circle distance by Vincenty's formula for a sphere."""
    (a, b), (c, d) = [(radians(x), radians(y)) for x, y in (here, there)]
    across = cos(c) * sin(d - b)
    up = cos(a) * sin(c) - sin(a) * cos(c) * cos(d - b)
    return 6371.0088 * atan2(sqrt(across**2 + up**2), sin(a) * sin(c) + cos(a) * cos(c) * cos(d - b))


def compared(kind: str, operator: str, value: object, entered: Sequence[str]) -> bool:
    """Ordering and between."""
    bounds = [typed(kind, text) for text in entered]
    mine = typed(kind, value)
    if kind == "POSTAL_CODE":
        mine = cut(str(mine), str(bounds[0]))
        if mine is None:
            return False
    if operator == "BETWEEN":
        return bounds[0] <= mine <= bounds[1]  # type: ignore[operator]  # of one type
    return {
        "LESS": lambda: mine < bounds[0],
        "LESS_OR_EQUAL": lambda: mine <= bounds[0],
        "GREATER": lambda: mine > bounds[0],
        "GREATER_OR_EQUAL": lambda: mine >= bounds[0],
    }[operator]()


def criterion_holds(criterion: Criterion, field: FieldDef, value: object) -> bool:
    kind, operator, entered = field.data_type.value, criterion.operator.value, criterion.values
    missing = value is None or value == []
    if operator == "IS_NULL":
        return missing
    if missing:
        return operator in {"NOT_EQUAL", "NOT_CONTAINS", "NOT_IN", "EXCLUDES"}
    if operator in {"INCLUDES", "EXCLUDES"}:
        held = [folded(item) for item in value]  # type: ignore[attr-defined]  # a list
        return any(folded(text) in held for text in entered) == (operator == "INCLUDES")
    if operator == "WITHIN":
        centre = (float(entered[0]), float(entered[1]))
        return kilometres(value, centre) <= float(entered[2])  # type: ignore[arg-type]  # a pair
    if operator in {"CONTAINS", "NOT_CONTAINS"}:
        found = any(str(typed(kind, text)) in str(typed(kind, value)) for text in entered)
        return found == (operator == "CONTAINS")
    if operator == "STARTS_WITH":
        return any(str(typed(kind, value)).startswith(str(typed(kind, text))) for text in entered)
    if operator in {"EQUALS", "IN", "NOT_EQUAL", "NOT_IN"}:
        return is_one_of(kind, value, entered) == (operator in {"EQUALS", "IN"})
    return compared(kind, operator, value, entered)


def rule_holds(rule: Entered, fields: Mapping[str, FieldDef], item: Mapping[str, object]) -> bool:
    criteria, logic, _ = rule
    truth = {c.number: criterion_holds(c, fields[c.field], item[c.field]) for c in criteria}
    text = re.sub(r"\d+", lambda found: str(truth[int(found[0])]), logic.lower())
    return bool(eval(text))  # noqa: S307 - text that the strategy made


def territory_matches(
    node: Node,
    nodes: Sequence[Node],
    rules: Mapping[int, Entered],
    links: Sequence[Link],
    holds: Mapping[int, bool],
) -> bool:
    own = {link.rule_id for link in links if link.territory_id == node.id and rules[link.rule_id][2]}
    above = {other.id for other in nodes if node.path.startswith(other.path) and other.id != node.id}
    passed = {
        link.rule_id
        for link in links
        if link.territory_id in above and link.applies_to_descendants and rules[link.rule_id][2]
    }
    inherited = passed - own
    if not all(holds[rule] for rule in inherited):
        return False
    if not own:
        return bool(inherited) and node.inherit_only
    return any(holds[rule] for rule in own) if node.rule_combination == "ANY" else all(holds[rule] for rule in own)


def assigned(
    nodes: Sequence[Node],
    rules: Mapping[int, Entered],
    links: Sequence[Link],
    fields: Mapping[str, FieldDef],
    items: Mapping[int, Mapping[str, object]],
    excluded: Collection[tuple[int, int]] = (),
) -> set[tuple[int, int]]:
    """The (object, territory) pairs that rules make."""
    found = set()
    for number, item in items.items():
        holds = {rule_id: rule_holds(rule, fields, item) for rule_id, rule in rules.items()}
        matching = [node for node in nodes if territory_matches(node, nodes, rules, links, holds)]
        for node in matching:
            below = [other for other in matching if other.path.startswith(node.path) and other.id != node.id]
            if not below and (number, node.id) not in excluded:
                found.add((number, node.id))
    return found
