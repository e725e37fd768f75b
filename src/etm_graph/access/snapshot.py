"""An immutable policy: Casbin decides each cell of a finite space once, a memo answers from then on."""

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from hashlib import sha256
from itertools import product
from pathlib import Path

import casbin
from casbin.persist.adapters.string_adapter import StringAdapter

from etm_graph.access.lint import EVERYONE, BadPolicy, PolicyRow, lint_model, lint_policy
from etm_graph.core.access import Act, Kind, Role, StateGroup

Cell = tuple[frozenset[Role], Kind, StateGroup, Act, bool]


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict with the policy row that decided; no row means that nothing allows it."""

    allowed: bool
    row: tuple[str, ...]


def _enforcer(model: str, rows: Sequence[PolicyRow]) -> casbin.Enforcer:
    """Casbin over the rows of one kind: its cost grows with the rows it walks."""
    casbin_model = casbin.Model()
    casbin_model.load_model_from_text(model)
    text = "\n".join(", ".join(("p", *astuple(row))) for row in rows)
    enforcer = casbin.Enforcer(casbin_model, StringAdapter(text))
    if len(enforcer.get_policy()) != len(rows):
        raise BadPolicy("the engine did not load every row of policy.csv")
    return enforcer


class PolicySnapshot:
    """One version of the policy, never changed after it was built.

    version: the first 12 hexadecimal digits of the files' hash.
    """

    def __init__(self, model: str, policy: str) -> None:
        lint_model(model)
        rows = lint_policy(policy)
        missing = set(Kind) - {row.kind for row in rows}
        if missing:
            raise BadPolicy(f"policy.csv says nothing of {', '.join(sorted(missing))}")
        self.version = sha256((model + policy).encode()).hexdigest()[:12]
        self._enforcers = {kind: _enforcer(model, [row for row in rows if row.kind == kind.value]) for kind in Kind}
        self._memo: dict[Cell, bool] = {}

    def allowed(self, roles: frozenset[Role], kind: Kind, state: StateGroup, act: Act, own: bool) -> bool:
        """Whether somebody with these roles may do this; the space is finite, so the memo is bounded."""
        cell = (roles, kind, state, act, own)
        verdict = self._memo.get(cell)
        if verdict is None:
            verdict = self._memo[cell] = bool(self._enforcers[kind].enforce(*self._request(*cell)))
        return verdict

    def explain(self, roles: frozenset[Role], kind: Kind, state: StateGroup, act: Act, own: bool) -> Decision:
        """The verdict with the row that decided."""
        allowed, row = self._enforcers[kind].enforce_ex(*self._request(roles, kind, state, act, own))
        return Decision(bool(allowed), tuple(row))

    def roles_allowing(self, kind: Kind, state: StateGroup, act: Act) -> tuple[Role, ...]:
        """The roles that would allow it by themselves: what a refusal can suggest."""
        return tuple(role for role in Role if self.allowed(frozenset({role}), kind, state, act, True))

    def truth_table(self) -> Iterator[tuple[Role, Kind, StateGroup, Act, bool]]:
        """Every allowed cell of single roles, in the vocabulary's order."""
        for role, kind, state, act, own in product(Role, Kind, StateGroup, Act, (False, True)):
            if self.allowed(frozenset({role}), kind, state, act, own):
                yield role, kind, state, act, own

    @staticmethod
    def _request(
        roles: frozenset[Role], kind: Kind, state: StateGroup, act: Act, own: bool
    ) -> tuple[frozenset[str], str, str, str, bool]:
        return (
            frozenset({*(Role(role).value for role in roles), EVERYONE}),
            Kind(kind).value,
            StateGroup(state).value,
            Act(act).value,
            own,
        )


def load_snapshot(folder: Path) -> PolicySnapshot:
    """The policy of model.conf and policy.csv in a folder; raises `BadPolicy`."""
    return PolicySnapshot(
        (folder / "model.conf").read_text(encoding="utf-8"), (folder / "policy.csv").read_text(encoding="utf-8")
    )


def default_policy_folder() -> Path:
    """Where the policy is that came with the project: beside the package, or at the top of a checkout."""
    packaged = Path(__file__).parents[1] / "policies"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "policies"


def format_truth_table(snapshot: PolicySnapshot) -> str:
    """policies/truth_table.csv: one line an allowed cell, so that a change of policy shows as a diff of permissions."""
    lines = [
        f"{role.value},{kind.value},{state.value},{act.value},{'own' if own else 'any'}"
        for role, kind, state, act, own in snapshot.truth_table()
    ]
    return "\n".join(["role,kind,state,act,own", *lines]) + "\n"
