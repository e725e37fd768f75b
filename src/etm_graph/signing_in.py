"""How callers of this installation are let in: claims to roles, users on first sight, failures counted by address."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from etm_graph.access.decisions import Access
from etm_graph.access.sealing import Sealer
from etm_graph.core.access import ORGANISATION_PATH, Grant, Role
from etm_graph.core.errors import BusinessError, Unauthenticated
from etm_graph.db.sessions import Database
from etm_graph.events.unit_of_work import Writer
from etm_graph.features.crm.service import provision_user
from etm_graph.identity.api_keys import note_use
from etm_graph.identity.attempts import FailedSignIns
from etm_graph.identity.authenticate import Authenticator, SignIn
from etm_graph.identity.principal import SYSTEM, Principal
from etm_graph.identity.tokens import Claims
from etm_graph.settings import Settings
from etm_graph.transport.addresses import client_address


class SecurityMetrics(Collector):
    """What a security officer watches: the policy in force, whether a newer one was refused, failures, the seal."""

    def __init__(self, access: Access, sealer: Sealer, attempts: FailedSignIns) -> None:
        self._access = access
        self._sealer = sealer
        self._attempts = attempts

    def collect(self) -> Iterator[Metric]:
        """The metrics, as they are now."""
        yield InfoMetricFamily("etm_policy", "Policy in force.", {"version": self._access.snapshot.version})
        refused = float(self._access.failure is not None)
        yield GaugeMetricFamily("etm_policy_refused", "1 while the policy files are not fit to be used.", refused)
        yield CounterMetricFamily("etm_sign_in_failures", "Refused credentials.", self._attempts.total)
        yield GaugeMetricFamily("etm_audit_sealed", "Entries of the audit that are sealed.", self._sealer.position)


def roles_of_groups(configured: Mapping[str, str]) -> dict[str, tuple[Grant, ...]]:
    """Read `jwt_roles`: a role, or role@path, for each group; raises `ValueError` for anything else."""
    found: dict[str, tuple[Grant, ...]] = {}
    for group, text in configured.items():
        role, _, path = text.partition("@")
        if path and not (path.startswith("/") and path.endswith("/")):
            raise ValueError(f"jwt_roles: {text!r} has no path such as /EMEA/ after the @")
        found[group] = (Grant(Role(role), None, path or ORGANISATION_PATH),)
    return found


def make_sign_in(settings: Settings, database: Database, writer: Writer) -> SignIn:
    """What happens at the first sight of a caller."""

    async def provision(claims: Claims) -> None:
        # Two first requests of one person at a time: the second finds the user that the first one made.
        with suppress(BusinessError):
            async with writer.unit_of_work(SYSTEM, message="first sight of a token") as work:
                await provision_user(work, claims.user_name, claims.subject, claims.name, claims.email)

    async def used(key_id: str) -> None:
        async with database.write() as session:
            await note_use(session, key_id, datetime.now(UTC))

    return SignIn(roles_of_groups(settings.jwt_roles), provision if settings.jwt_provision else None, used)


def guarded(authenticator: Authenticator, attempts: FailedSignIns) -> Callable[[str | None], Awaitable[Principal]]:
    """Authentication that makes addresses wait which fail too often; raises `Unauthenticated`."""

    async def authenticate(header: str | None) -> Principal:
        address = client_address()
        digest = sha256((header or "").encode("utf-8", "replace")).hexdigest()
        attempts.check(address, digest)
        try:
            principal = await authenticator.authenticate(header)
        except Unauthenticated:
            if header:
                attempts.failed(address)
            raise
        attempts.succeeded(digest)
        return principal

    return authenticate
