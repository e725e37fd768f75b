"""A principal: an authenticated caller with what was granted to it."""

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
    """

    user_id: int
    name: str
    grants: tuple[Grant, ...]
    suspended: bool
    method: AuthMethod
    expires_at: datetime | None = None
    credential: str = ""
    key_id: str | None = None


SYSTEM = Principal(0, "system", (Grant(Role.ADMIN),), suspended=False, method=AuthMethod.SYSTEM)
"""Who acts when nobody asked: maintenance on the command line."""
