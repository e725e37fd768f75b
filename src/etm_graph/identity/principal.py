"""A principal: an authenticated caller with what was granted to it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from etm_graph.core.access import Grant


class AuthMethod(StrEnum):
    """How a caller proved who it is."""

    JWT = "JWT"
    API_KEY = "API_KEY"
    SYSTEM = "SYSTEM"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts.

    suspended: everything is denied. expires_at: when the credential ends; None does not.
    credential: an unguessable digest of what was presented, to recognise it again; never the credential itself.
    """

    user_id: int
    name: str
    grants: tuple[Grant, ...]
    suspended: bool
    method: AuthMethod
    expires_at: datetime | None = None
    credential: str = ""
