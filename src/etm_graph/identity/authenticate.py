"""From an Authorization header to a principal."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from time import monotonic

from etm_graph.core.access import Grant
from etm_graph.core.errors import Unauthenticated
from etm_graph.db.sessions import ReadSession
from etm_graph.identity.api_keys import PREFIX, is_key_live, verify_api_key
from etm_graph.identity.principal import AuthMethod, Principal
from etm_graph.identity.tokens import Claims, TokenVerifier

FRESH_S = 2.0
"""Seconds for which a principal is remembered. What is changed through the API is noticed sooner (`forget`); this is
the bound for what somebody changes in the database by hand."""

FOLLOWED_S = 5.0
"""The same for readers of streams, who are looked at with every event."""

REMEMBERED_MAX = 10_000
"""Most principals that are remembered; when there are more, all are forgotten."""

_REFUSED = "Sign in: the request has no valid credentials."


@dataclass(frozen=True, slots=True)
class Subject:
    """What the directory says of a user."""

    user_id: int
    name: str
    active: bool
    suspended: bool
    bound: bool = False
    """Whether the user is somebody whom the identity provider knows by another `sub` than the user name."""


@dataclass(frozen=True, slots=True)
class Directory:
    """How users and their grants are found; features register it (wiring.py)."""

    by_name: Callable[[ReadSession, str], Awaitable[Subject | None]]
    by_id: Callable[[ReadSession, int], Awaitable[Subject | None]]
    grants: Callable[[ReadSession, int], Awaitable[tuple[Grant, ...]]]
    by_subject: Callable[[ReadSession, str], Awaitable[Subject | None]] | None = None


@dataclass(frozen=True, slots=True)
class SignIn:
    """What happens at the first sight of a caller.

    roles: the roles that a group of the token gives, for as long as the token lasts; other groups give none.
    provision: makes a user of a token whose user is not known; None turns it away.
    used: notes that an API key was used.
    """

    roles: Mapping[str, tuple[Grant, ...]] = field(default_factory=dict)
    provision: Callable[[Claims], Awaitable[None]] | None = None
    used: Callable[[str], Awaitable[None]] | None = None

    def claimed(self, claims: Claims) -> tuple[Grant, ...]:
        """The grants that a token gives by its groups."""
        found = (grant for group in claims.groups for grant in self.roles.get(group, ()))
        return tuple(replace(grant, expires_at=claims.expires_at) for grant in found)


class Authenticator:
    """Knows callers by bearer JWT or API key."""

    def __init__(
        self,
        verifier: TokenVerifier,
        directory: Directory,
        read: Callable[[], AbstractAsyncContextManager[ReadSession]],
        sign_in: SignIn | None = None,
    ) -> None:
        self._verifier = verifier
        self._directory = directory
        self._read = read
        self._sign_in = sign_in or SignIn()
        self._remembered: dict[str, tuple[float, Principal]] = {}
        self._generation = 0

    async def authenticate(self, header: str | None) -> Principal:
        """Recognise `Bearer <token or key>`; raises `Unauthenticated`, always with the same words."""
        scheme, _, credential = (header or "").strip().partition(" ")
        credential = credential.strip()
        if scheme.lower() != "bearer" or not credential.isascii() or not credential:
            raise Unauthenticated(_REFUSED)
        digest = sha256(credential.encode()).hexdigest()
        remembered = self._recall(digest)
        if remembered is not None and not self._over(remembered):
            return remembered
        generation = self._generation
        principal = replace(await self._look_up(credential), credential=digest)
        self._remember(principal, generation)
        return principal

    async def refresh(self, principal: Principal) -> Principal:
        """Look the same caller up again; raises `Unauthenticated` when it is no longer let in.

        A revoked API key is noticed here too, so that an open subscription does not keep it alive.
        """
        if self._over(principal):
            raise Unauthenticated(_REFUSED)
        remembered = self._recall(principal.credential, FOLLOWED_S)
        if remembered is not None:
            return remembered
        generation = self._generation
        async with self._read() as session:
            if principal.key_id is not None and not await is_key_live(session, principal.key_id, datetime.now(UTC)):
                raise Unauthenticated(_REFUSED)
            subject = await self._directory.by_id(session, principal.user_id)
            if subject is None or not subject.active:
                raise Unauthenticated(_REFUSED)
            grants = await self._directory.grants(session, principal.user_id)
        fresh = replace(principal, grants=principal.rights(grants), suspended=subject.suspended)
        self._remember(fresh, generation)
        return fresh

    def forget(self) -> None:
        """Look everybody up again: grants, users or keys were changed, here or in another process."""
        self._generation += 1
        self._remembered.clear()

    def _recall(self, digest: str, fresh_s: float = FRESH_S) -> Principal | None:
        remembered = self._remembered.get(digest)
        return remembered[1] if remembered is not None and monotonic() - remembered[0] < fresh_s else None

    def _remember(self, principal: Principal, generation: int) -> None:
        if not principal.credential or generation != self._generation:
            return  # presented nothing, or was read before a change that was announced meanwhile
        if len(self._remembered) >= REMEMBERED_MAX:
            self._remembered.clear()
        self._remembered[principal.credential] = (monotonic(), principal)

    @staticmethod
    def _over(principal: Principal) -> bool:
        return principal.expires_at is not None and principal.expires_at <= datetime.now(UTC)

    async def _look_up(self, credential: str) -> Principal:
        if credential.startswith(PREFIX):
            return await self._of_key(credential)
        claims = await self._verifier.verify(credential)
        method = AuthMethod.DEV if self._verifier.is_development else AuthMethod.JWT
        found = await self._of_claims(claims, method)
        if found is None and self._sign_in.provision is not None:
            await self._sign_in.provision(claims)
            found = await self._of_claims(claims, method)
        if found is None:
            raise Unauthenticated(_REFUSED)
        return found

    async def _of_key(self, credential: str) -> Principal:
        async with self._read() as session:
            key = await verify_api_key(session, credential, datetime.now(UTC))
            if key is None:
                raise Unauthenticated(_REFUSED)
            subject = await self._directory.by_id(session, key.user_id)
            caller = await self._principal(session, subject, AuthMethod.API_KEY, key.expires_at, scopes=key.scopes)
        if self._sign_in.used is not None:
            await self._sign_in.used(key.key_id)
        return replace(caller, key_id=key.key_id)

    async def _of_claims(self, claims: Claims, method: AuthMethod) -> Principal | None:
        """The user of a token: who is bound to its `sub`, else who has its user name and is bound to no other."""
        async with self._read() as session:
            by_subject = self._directory.by_subject
            subject = None if by_subject is None else await by_subject(session, claims.subject)
            if subject is None:
                subject = await self._directory.by_name(session, claims.user_name)
                if subject is None or subject.bound:
                    return None
            claimed = self._sign_in.claimed(claims)
            return await self._principal(session, subject, method, claims.expires_at, claimed=claimed)

    async def _principal(
        self,
        session: ReadSession,
        subject: Subject | None,
        method: AuthMethod,
        expires_at: datetime,
        *,
        claimed: tuple[Grant, ...] = (),
        scopes: tuple[Grant, ...] | None = None,
    ) -> Principal:
        if subject is None or not subject.active:
            raise Unauthenticated(_REFUSED)
        bare = Principal(
            subject.user_id, subject.name, (), subject.suspended, method, expires_at, claimed=claimed, scopes=scopes
        )
        return replace(bare, grants=bare.rights(await self._directory.grants(session, subject.user_id)))
