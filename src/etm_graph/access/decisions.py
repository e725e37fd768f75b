"""Decisions about one object: the roles that cover it, and what the policy says of them."""

from datetime import datetime
from pathlib import Path

from etm_graph.access.lint import BadPolicy
from etm_graph.access.snapshot import Decision, PolicySnapshot, load_snapshot
from etm_graph.core.access import ORGANISATION_PATH, Act, Grant, Kind, Role, StateGroup
from etm_graph.core.errors import Forbidden
from etm_graph.identity.principal import Principal

OUTSIDE_MODELS = frozenset({Kind.CRM, Kind.ORGANISATION, Kind.POLICY, Kind.AUDIT, Kind.JOB})
"""Kinds that belong to no model: any grant counts for them, wherever it is, and their state is `active`."""


def is_live(grant: Grant, now: datetime) -> bool:
    """Whether a grant has not expired."""
    return grant.expires_at is None or grant.expires_at > now


def covers(grant: Grant, kind: Kind, model_id: int | None, path: str) -> bool:
    """Whether a grant reaches an object. A model itself is reached by any grant in it, so that those who have a
    subtree can open the model."""
    if kind in OUTSIDE_MODELS:
        return True
    if grant.model_id is not None and grant.model_id != model_id:
        return False
    return kind is Kind.MODEL or path.startswith(grant.path)


class Access:
    """The policy in force; `reload` swaps it in one reference, so that every decision sees one version."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.snapshot: PolicySnapshot = load_snapshot(folder)

    def reload(self) -> bool:
        """Take a changed policy; False, with the old one kept, when the files are not fit."""
        try:
            self.snapshot = load_snapshot(self._folder)
        except (BadPolicy, OSError):
            return False
        return True

    def roles_covering(
        self, principal: Principal, kind: Kind, model_id: int | None, path: str, now: datetime
    ) -> frozenset[Role]:
        """The roles that a principal has for an object."""
        return frozenset(
            grant.role for grant in principal.grants if is_live(grant, now) and covers(grant, kind, model_id, path)
        )

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
        """Whether the principal may do this now; nothing is allowed to the suspended."""
        if principal.suspended:
            return False
        roles = self.roles_covering(principal, kind, model_id, path, now)
        return bool(roles) and self.snapshot.allowed(roles, kind, state or StateGroup.ACTIVE, act, own)

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
        group = state or StateGroup.ACTIVE
        roles = self.snapshot.roles_allowing(kind, group, act)
        where = "" if kind in OUTSIDE_MODELS else f" in a model that is {group}"
        remedy = f"it takes the role {' or '.join(roles)} there" if roles else "no role allows it"
        raise Forbidden(f"You may not {act.replace('_', ' ')} the {kind}{where}: {remedy}.")

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
        """The verdict with the row of the policy that decided."""
        if principal.suspended:
            return Decision(False, ("suspended",))
        roles = self.roles_covering(principal, kind, model_id, path, now)
        return self.snapshot.explain(roles, kind, state or StateGroup.ACTIVE, act, own)
