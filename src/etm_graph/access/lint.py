"""What a policy must be before it is believed; each rule stands for a mistake that Casbin accepts in silence."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass

from etm_graph.core.access import Act, Kind, Role, StateGroup

EVERYONE = "everyone"
"""The role that every request carries."""

EFFECT = "some(where (p.eft == allow)) && !some(where (p.eft == deny))"
MATCHER = (
    'r.kind == p.kind && (r.act == p.act || p.act == "*") && (r.state == p.state || p.state == "*") '
    '&& p.role in r.sub && (p.cond == "any" || r.own)'
)
_COLUMNS = 7


class BadPolicy(Exception):
    """The policy files are not to be used; the last good snapshot stays."""


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """One row of policy.csv."""

    role: str
    kind: str
    state: str
    act: str
    cond: str
    eft: str


_VOCABULARY: Sequence[tuple[str, frozenset[str]]] = (
    ("role", frozenset(Role) | {EVERYONE}),
    ("kind", frozenset(Kind)),
    ("state", frozenset(StateGroup) | {"*"}),
    ("act", frozenset(Act) | {"*"}),
    ("cond", frozenset({"any", "own"})),
    ("eft", frozenset({"allow", "deny"})),
)


def _row(number: int, cells: Sequence[str]) -> PolicyRow:
    if len(cells) != _COLUMNS or cells[0] != "p":
        raise BadPolicy(f"policy.csv line {number}: a row is p and six values")
    for (column, allowed), cell in zip(_VOCABULARY, cells[1:], strict=True):
        if cell not in allowed:
            raise BadPolicy(f"policy.csv line {number}: {cell!r} is no {column}")
    return PolicyRow(*cells[1:])


def lint_policy(text: str) -> tuple[PolicyRow, ...]:
    """The rows of policy.csv; raises `BadPolicy` naming the line."""
    if text.startswith("\ufeff"):
        raise BadPolicy("policy.csv begins with a byte order mark, which would hide its first row")
    lines = csv.reader(text.splitlines(), skipinitialspace=True)
    rows = [_row(number, [cell.strip() for cell in cells]) for number, cells in enumerate(lines, 1) if cells]
    if not rows:
        raise BadPolicy("policy.csv has no rows")
    if len(set(rows)) != len(rows):
        twice = next(row for row in rows if rows.count(row) > 1)
        raise BadPolicy(f"policy.csv says twice: {twice}")
    return tuple(rows)


def lint_model(text: str) -> None:
    """Pass for the one effect and matcher that the decisions are proved for; raise `BadPolicy` otherwise."""
    lines = [line.strip() for line in text.splitlines()]
    if f"e = {EFFECT}" not in lines:
        raise BadPolicy("model.conf: the effect must be deny-overrides with no match meaning deny")
    if f"m = {MATCHER}" not in lines:
        raise BadPolicy("model.conf: the matcher is not the one that decisions are tested for")
