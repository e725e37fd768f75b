"""What a policy must be before it is believed; each rule stands for a mistake that Casbin accepts in silence."""

import csv
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass

from etm_graph.core.access import Act, Kind, Role, StateGroup

EVERYONE = "everyone"
"""The role that every request carries."""

OUTSIDE_MODELS = frozenset({Kind.CRM, Kind.ORGANISATION, Kind.POLICY, Kind.AUDIT, Kind.JOB})
"""Kinds that belong to no model; their state is `active`."""

MODEL_LINES = (
    "[request_definition]",
    "r = sub, kind, state, act, own",
    "[policy_definition]",
    "p = role, kind, state, act, cond, eft",
    "[role_definition]",
    "g = _, _",
    "[policy_effect]",
    "e = some(where (p.eft == allow)) && !some(where (p.eft == deny))",
    "[matchers]",
    (
        'm = r.kind == p.kind && (r.act == p.act || p.act == "*") && (r.state == p.state || p.state == "*") '
        '&& p.role in r.sub && (p.cond == "any" || r.own)'
    ),
)
"""The one model.conf: deny overrides, no match denies, and the matcher that the decisions are tested for.

The whole file is compared, because a second `e` or `m` further down would silently replace the first."""

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
        raise BadPolicy(f"policy.csv line {number}: a row is p and six values; comments and roles of roles are refused")
    for (column, allowed), cell in zip(_VOCABULARY, cells[1:], strict=True):
        if cell not in allowed:
            raise BadPolicy(f"policy.csv line {number}: {cell!r} is no {column}")
    row = PolicyRow(*cells[1:])
    if row.kind in OUTSIDE_MODELS and row.state != StateGroup.ACTIVE:
        raise BadPolicy(f"policy.csv line {number}: {row.kind} belongs to no model, so its state is always active")
    if row.role == EVERYONE and row.eft == "allow":
        raise BadPolicy(f"policy.csv line {number}: {EVERYONE} may be denied, but only a granted role may be allowed")
    return row


def lint_policy(text: str) -> tuple[PolicyRow, ...]:
    """Read the rows of policy.csv; raises `BadPolicy` naming the line."""
    if text.startswith("\ufeff"):
        raise BadPolicy("policy.csv begins with a byte order mark, which would hide its first row")
    try:
        lines = list(csv.reader(text.splitlines(), skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise BadPolicy(f"policy.csv is not well-formed: {error}") from error
    rows = [_row(number, [cell.strip() for cell in cells]) for number, cells in enumerate(lines, 1) if cells]
    if not rows:
        raise BadPolicy("policy.csv has no rows")
    seen: set[PolicyRow] = set()
    for row in rows:
        if row in seen:
            raise BadPolicy(f"policy.csv says twice: {row}")
        seen.add(row)
    return tuple(rows)


def lint_activation(text: str) -> tuple[PolicyRow, ...]:
    """Read activation.toml into the rows that it stands for; raises `BadPolicy` for anything but what it may say."""
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadPolicy(f"activation.toml is not well-formed: {error}") from error
    unknown = sorted(set(said) - {"owner_may_activate"})
    may = said.get("owner_may_activate", True)
    if unknown or not isinstance(may, bool):
        raise BadPolicy(
            f"activation.toml says owner_may_activate = true or false, and nothing else: {unknown or may!r}"
        )
    states = () if may else (StateGroup.PLANNING, StateGroup.TRANSITION)
    return tuple(PolicyRow(EVERYONE, Kind.MODEL, state, Act.ACTIVATE, "own", "deny") for state in states)


def lint_model(text: str) -> None:
    """Pass for the one model.conf that the decisions are proved for; raise `BadPolicy` naming the line otherwise."""
    lines = [stripped for line in text.splitlines() if (stripped := line.strip())]
    for number, expected in enumerate(MODEL_LINES):
        found = lines[number] if number < len(lines) else "nothing"
        if found != expected:
            raise BadPolicy(f"model.conf must be the model that decisions are tested for: {found!r} for {expected!r}")
    if len(lines) > len(MODEL_LINES):
        raise BadPolicy(f"model.conf has more than the tested model: {lines[len(MODEL_LINES)]!r}")
