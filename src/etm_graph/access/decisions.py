"""Decisions about one object: the roles that cover it, and what the policy says of them."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from etm_graph.access.lint import OUTSIDE_MODELS, BadPolicy
from etm_graph.access.snapshot import Decision, PolicySnapshot, effective_state, load_snapshot
from etm_graph.core.access import ORGANISATION_PATH, Act, Grant, Kind, Role, StateGroup
from etm_graph.core.errors import Forbidden
from etm_graph.identity.principal import Principal

_WORDS: Mapping[Act | Kind, str] = MappingProxyType(
    {
        Act.READ_MONEY: "see the amounts of",
        Act.UPDATE: "change",
        Act.COMMENT: "comment on",
        Act.GRANT: "grant rights under",
        Kind.TERRITORY: "territories",
        Kind.CRM: "CRM records",
        Kind.ORGANISATION: "settings of the organisation",
        Kind.POLICY: "access policies",
        Kind.AUDIT: "audit entries",
    }
)
"""How a refusal calls what is not said best by its own name."""


_SHARED = frozenset({Kind.CRM, Kind.ORGANISATION, Kind.JOB})


def is_live(grant: Grant, now: datetime) -> bool:
    """Whether a grant has not expired."""
    return grant.expires_at is None or grant.expires_at > now


def reads_model(kind: Kind, act: Act) -> bool:
    """Whether any grant in a model suffices, whatever its path.

    Those who have a subtree can open its model; to change, activate or clone the whole takes a grant on the whole.
    """
    return kind is Kind.MODEL and act is Act.READ


def reads_anywhere(kind: Kind, act: Act) -> bool:
    """Whether any grant suffices, wherever it is: records and settings that belong to no model are read all or none.

    To change them, and to read policy and audit, takes a grant on the whole organisation.
    """
    return kind in _SHARED and act in {Act.READ, Act.READ_MONEY}


def covers(grant: Grant, act: Act, kind: Kind, model_id: int | None, path: str) -> bool:
    """Whether a grant reaches an object; `model_id` None and the path "/" stand for the whole organisation."""
    if reads_anywhere(kind, act):
        return True
    if grant.model_id is not None and grant.model_id != model_id:
        return False
    return reads_model(kind, act) or path.startswith(grant.path)


class Access:
    """The policy in force; `reload` swaps it in one reference, so that every decision sees one version.

    failure: why the last `reload` kept the old policy; None when it did not.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.snapshot: PolicySnapshot = load_snapshot(folder)
        self.failure: str | None = None

    def pinned(self) -> "Access":
        """The policy as it is now, for one operation: a reload meanwhile does not reach it."""
        same: Access = object.__new__(type(self))
        same.folder, same.snapshot, same.failure = self.folder, self.snapshot, self.failure
        return same

    def reload(self) -> bool:
        """Take a changed policy; False, with the old one kept, when the files are not fit."""
        try:
            self.snapshot = load_snapshot(self.folder)
        except (BadPolicy, OSError) as error:
            self.failure = str(error)
            return False
        self.failure = None
        return True

    def roles_covering(
        self, principal: Principal, act: Act, kind: Kind, *, model_id: int | None, path: str, now: datetime
    ) -> frozenset[Role]:
        """Collect the roles that a principal has for an object; the suspended have none."""
        grants = () if principal.suspended else principal.grants
        return frozenset(g.role for g in grants if is_live(g, now) and covers(g, act, kind, model_id, path))

    def allows(
        self,
        principal: Principal,
        act: Act,
        kind: Kind,
        *,
        state: StateGroup | None = None,
        model_id: int | None = None,
        path: str = ORGANISATION_PATH,
        own: bool = False,
        now: datetime,
    ) -> bool:
        """Whether the principal may do this now.

        state: that of the object's model; only kinds outside models go without (`ValueError` otherwise).
        """
        group = effective_state(kind, state)
        roles = self.roles_covering(principal, act, kind, model_id=model_id, path=path, now=now)
        return bool(roles) and self.snapshot.allowed(roles, kind, group, act, own)

    def require(
        self,
        principal: Principal,
        act: Act,
        kind: Kind,
        *,
        state: StateGroup | None = None,
        model_id: int | None = None,
        path: str = ORGANISATION_PATH,
        own: bool = False,
        now: datetime,
    ) -> None:
        """Pass when `allows`; raise `Forbidden` saying which roles would allow it otherwise."""
        if self.allows(principal, act, kind, state=state, model_id=model_id, path=path, own=own, now=now):
            return
        if principal.suspended:
            raise Forbidden("Your account is suspended; ask an administrator.", details={"act": act, "kind": kind})
        group = effective_state(kind, state)
        where = "" if kind in OUTSIDE_MODELS else f" in a model that is {group.value}"
        raise Forbidden(
            f"You may not {_act_words(act)} {_kind_words(kind)}{where}: {self._remedy(kind, group, act, own=own)}.",
            details={
                "act": act.value,
                "kind": kind.value,
                "state": group.value,
                "roles": [role.value for role in self.snapshot.roles_allowing(kind, group, act)],
            },
        )

    def _remedy(self, kind: Kind, group: StateGroup, act: Act, *, own: bool) -> str:
        anybodys = self.snapshot.roles_allowing(kind, group, act, own=False)
        if own and anybodys and not self.snapshot.roles_allowing(kind, group, act):
            return f"not what is your own; somebody else with the role {' or '.join(r.value for r in anybodys)} may"
        ones_own = self.snapshot.roles_allowing(kind, group, act)
        if anybodys:
            there = "" if kind in OUTSIDE_MODELS else " there"
            return f"it takes the role {' or '.join(role.value for role in anybodys)}{there}"
        if ones_own:
            return f"only their author may, with the role {' or '.join(role.value for role in ones_own)} there"
        return "no role allows it"

    def explain(
        self,
        principal: Principal,
        act: Act,
        kind: Kind,
        *,
        state: StateGroup | None = None,
        model_id: int | None = None,
        path: str = ORGANISATION_PATH,
        own: bool = False,
        now: datetime,
    ) -> Decision:
        """Decide, and tell the row of the policy that decided."""
        group = effective_state(kind, state)
        if principal.suspended:
            return Decision(allowed=False, row=("suspended",))
        roles = self.roles_covering(principal, act, kind, model_id=model_id, path=path, now=now)
        return self.snapshot.explain(roles, kind, group, act, own)


def _act_words(act: Act) -> str:
    return _WORDS.get(act, act.value)


def _kind_words(kind: Kind) -> str:
    return _WORDS.get(kind, f"{kind.value}s")
