"""How far the right to grant goes: within what one reaches, and never more than one has there oneself."""

from collections.abc import Iterable
from datetime import datetime
from itertools import product

from etm_graph.access.decisions import is_live
from etm_graph.access.snapshot import PolicySnapshot
from etm_graph.core.access import Act, Grant, Kind, Role, StateGroup

CELLS = tuple(product(Kind, StateGroup, Act, (False, True)))
"""Every question that a policy answers about a set of roles."""


def holds(own: Grant, wanted: Grant) -> bool:
    """Whether a grant reaches all that another reaches, for at least as long."""
    if own.model_id is not None and own.model_id != wanted.model_id:
        return False
    lasts = own.expires_at is None or (wanted.expires_at is not None and wanted.expires_at <= own.expires_at)
    return lasts and wanted.path.startswith(own.path)


def roles_behind(grants: Iterable[Grant], wanted: Grant, now: datetime) -> frozenset[Role]:
    """The roles that somebody has everywhere and for as long as a grant would reach."""
    return frozenset(grant.role for grant in grants if is_live(grant, now) and holds(grant, wanted))


def exceeding(snapshot: PolicySnapshot, role: Role, own: frozenset[Role]) -> tuple[Kind, StateGroup, Act] | None:
    """Find something that a role allows and one's own roles do not; None when there is nothing."""
    if role in own:
        return None
    for kind, state, act, mine in CELLS:
        if snapshot.allowed(frozenset({role}), kind, state, act, mine) and not (
            own and snapshot.allowed(own, kind, state, act, mine)
        ):
            return kind, state, act
    return None
