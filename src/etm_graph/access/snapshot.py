"""An immutable policy: Casbin decides each cell of a finite space once, a memo answers from then on.

`python -m etm_graph.access.snapshot > policies/truth_table.csv` writes the golden table anew after a wanted change.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from hashlib import sha256
from itertools import product
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Final

import casbin
from casbin.persist.adapters.string_adapter import StringAdapter

from etm_graph.access.lint import (
    EVERYONE,
    OUTSIDE_MODELS,
    BadPolicy,
    PolicyRow,
    lint_activation,
    lint_model,
    lint_policy,
)
from etm_graph.core.access import Act, Kind, Role, StateGroup

FILES = ("model.conf", "policy.csv", "activation.toml")
"""What a policy is made of; the last may be missing."""

Cell = tuple[frozenset[Role], Kind, StateGroup, Act, bool]
"""A question to the policy; `own` says whether the object is the caller's own."""

_TURN = Lock()
"""One question to Casbin at a time in the whole process, whichever snapshot it is put to.

Casbin parses its matcher anew for each, and CPython 3.11 fails ("AST constructor recursion depth mismatch") when two
threads build syntax trees at once. A lock of each snapshot would not do: during a reload the old and the new one answer.
"""

_Slices = Mapping[tuple[Kind, Act], casbin.Enforcer]


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict with the policy row that decided; no row means that nothing allows it."""

    allowed: bool
    row: tuple[str, ...]


def _enforcer(model: str, rows: Sequence[PolicyRow]) -> casbin.Enforcer:
    casbin_model = casbin.Model()
    casbin_model.load_model_from_text(model)
    text = "\n".join(", ".join(("p", *astuple(row))) for row in rows)
    enforcer = casbin.Enforcer(casbin_model, StringAdapter(text))
    if len(enforcer.get_policy()) != len(rows):
        raise BadPolicy("the engine did not load every row of policy.csv")
    return enforcer


def _slices(model: str, rows: Sequence[PolicyRow]) -> _Slices:
    """Make an enforcer for each kind and act that rows speak of: Casbin's cost grows with the rows it walks."""
    found = {
        (kind, act): [row for row in rows if row.kind == kind and row.act in {act, "*"}]
        for kind, act in product(Kind, Act)
    }
    return MappingProxyType({pair: _enforcer(model, some) for pair, some in found.items() if some})


class PolicySnapshot:
    """One version of the policy, never changed after it was built.

    version: the first 12 hexadecimal digits of the files' hash.
    """

    __slots__ = ("_enforcers", "_memo", "version")

    def __init__(self, model: str, policy: str, activation: str = "") -> None:
        lint_model(model)
        rows = lint_policy(policy) + lint_activation(activation)
        missing = set(Kind) - {row.kind for row in rows}
        if missing:
            raise BadPolicy(f"policy.csv says nothing of {', '.join(sorted(missing))}")
        self.version: Final = sha256((model + policy + activation).encode()).hexdigest()[:12]
        self._enforcers: Final = _slices(model, rows)
        self._memo: Final[dict[Cell, bool]] = {}

    def allowed(self, roles: frozenset[Role], kind: Kind, state: StateGroup, act: Act, own: bool) -> bool:
        """Whether somebody with these roles may do this; the space is finite, so the memo is bounded.

        Raises `ValueError` for a word outside the vocabulary.
        """
        cell = (roles, kind, state, act, own)
        verdict = self._memo.get(cell)
        if verdict is None:
            verdict = self._memo[cell] = self.explain(*cell).allowed
        return verdict

    def explain(self, roles: frozenset[Role], kind: Kind, state: StateGroup, act: Act, own: bool) -> Decision:
        """Decide, and tell the row that decided."""
        request = _request(roles, kind, state, act, own)
        enforcer = self._enforcers.get((kind, act))
        if enforcer is None:
            return Decision(allowed=False, row=())
        with _TURN:
            allowed, row = enforcer.enforce_ex(*request)
        return Decision(allowed=bool(allowed), row=tuple(row))

    def roles_allowing(self, kind: Kind, state: StateGroup, act: Act, *, own: bool = True) -> tuple[Role, ...]:
        """List the roles that would allow it by themselves: what a refusal can suggest.

        own: whether to count roles that allow it on one's own objects only.
        """
        return tuple(role for role in Role if self.allowed(frozenset({role}), kind, state, act, own))

    def truth_table(self) -> Iterator[tuple[Role, Kind, StateGroup, Act, bool]]:
        """Every allowed cell of single roles, in the vocabulary's order."""
        for role, kind, state, act, own in product(Role, Kind, StateGroup, Act, (False, True)):
            if self.allowed(frozenset({role}), kind, state, act, own):
                yield role, kind, state, act, own


def _request(
    roles: frozenset[Role], kind: Kind, state: StateGroup, act: Act, own: bool
) -> tuple[frozenset[str], str, str, str, bool]:
    return (
        frozenset({*(Role(role).value for role in roles), EVERYONE}),
        Kind(kind).value,
        StateGroup(state).value,
        Act(act).value,
        bool(own),
    )


def effective_state(kind: Kind, state: StateGroup | None) -> StateGroup:
    """Tell the state under which the policy is asked: always `active` for kinds outside models.

    Raises `ValueError` when the state of a model is left out: to guess `active` would open drafts to every reader.
    """
    if kind in OUTSIDE_MODELS:
        return StateGroup.ACTIVE
    if state is None:
        raise ValueError(f"a decision on a {kind} needs the state of its model")
    return state


def load_snapshot(folder: Path) -> PolicySnapshot:
    """Read model.conf and policy.csv of a folder; raises `BadPolicy`, or `OSError` when they cannot be read."""
    try:
        texts = [
            (folder / name).read_text(encoding="utf-8")
            for name in FILES
            if (folder / name).exists() or name != FILES[-1]
        ]
    except UnicodeDecodeError as error:
        raise BadPolicy("the policy files must be UTF-8") from error
    return PolicySnapshot(*texts)


def default_policy_folder() -> Path:
    """Where the policy is that came with the project: beside the package, or at the top of a checkout."""
    packaged = Path(__file__).parents[1] / "policies"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "policies"


def format_truth_table(snapshot: PolicySnapshot) -> str:
    """policies/truth_table.csv: one sorted line an allowed cell, so that a change shows as a diff of permissions.

    own: `own` for the caller's own objects, `others` for everybody else's.
    """
    lines = [
        f"{role.value},{kind.value},{state.value},{act.value},{'own' if own else 'others'}"
        for role, kind, state, act, own in snapshot.truth_table()
    ]
    return "\n".join(["role,kind,state,act,own", *sorted(lines)]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(format_truth_table(load_snapshot(default_policy_folder())))
