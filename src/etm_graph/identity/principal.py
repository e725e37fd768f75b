"""A principal: an authenticated caller with what was granted to it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from etm_graph.core.access import Grant, Role


class AuthMethod(StrEnum):
    """How a caller proved who it is; DEV is a development token, SYSTEM a job acting by itself."""

    JWT = "JWT"
    API_KEY = "API_KEY"
    DEV = "DEV"
    SYSTEM = "SYSTEM"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts.

    suspended: everything is denied. expires_at: when the credential ends; None does not.
    credential: an unguessable digest of what was presented, to recognise it again; never the credential itself.
    key_id: the public part of the API key that was presented, None without one.
    claimed: what the token itself gives by the configured map of claims. scopes: what an API key is held to, None for
    all rights of its user. `grants` already are what comes of both.
    """

    user_id: int
    name: str
    grants: tuple[Grant, ...]
    suspended: bool
    method: AuthMethod
    expires_at: datetime | None = None
    credential: str = ""
    key_id: str | None = None
    claimed: tuple[Grant, ...] = ()
    scopes: tuple[Grant, ...] | None = None

    def rights(self, stored: Iterable[Grant]) -> tuple[Grant, ...]:
        """What the caller has by what is stored for the user: with the token's claims, within the key's scopes."""
        together = (*stored, *self.claimed)
        return together if self.scopes is None else narrow(together, self.scopes)


def narrow(grants: Iterable[Grant], scopes: Iterable[Grant]) -> tuple[Grant, ...]:
    """Cut grants to scopes: for each pair of one role, what both reach, until the first of them ends."""
    cut = (_both(grant, scope) for scope in scopes for grant in grants if grant.role is scope.role)
    return tuple(grant for grant in cut if grant is not None)


def _both(grant: Grant, scope: Grant) -> Grant | None:
    deeper = max(grant.path, scope.path, key=len)
    if not (deeper.startswith(grant.path) and deeper.startswith(scope.path)):
        return None
    models = {grant.model_id, scope.model_id} - {None}
    if len(models) > 1:
        return None
    ends = [end for end in (grant.expires_at, scope.expires_at) if end is not None]
    return Grant(grant.role, next(iter(models), None), deeper, min(ends, default=None))


SYSTEM = Principal(0, "system", (Grant(Role.ADMIN),), suspended=False, method=AuthMethod.SYSTEM)
"""Who acts when nobody asked: maintenance on the command line."""
