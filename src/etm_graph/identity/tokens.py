"""JSON Web Tokens (RFC 7519): which are believed, and minting them in development."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt import PyJWKClient

from etm_graph.core.errors import Unauthenticated

DEV_ISSUER = "etm-dev"
LEEWAY_S = 30
LIFE_MAX = timedelta(hours=24)
SECRET_BYTES_MIN = 32
KEYS_REFRESH_S = 10.0
"""Least seconds between two fetches of keys, whatever unknown key ids are presented."""

KEYS_STALE_S = 300.0
"""Seconds after which keys are fetched again: how long a key that the provider withdrew may still be believed."""

ASYMMETRIC = ("RS256", "ES256", "EdDSA")
_REFUSED = "Sign in: the request has no valid credentials."


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in {"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class TokenConfig:
    """Which tokens are believed: exactly one of the three keys is set.

    secret: development only, at least 32 bytes. public_key: PEM. jwks_url: where the identity provider publishes keys.
    name_claim: which claim is the user name. roles_claim: which claim names groups or roles, None to look at none.
    """

    issuer: str
    audience: str
    secret: str | None = None
    public_key: str | None = None
    jwks_url: str | None = None
    name_claim: str = "sub"
    roles_claim: str | None = None

    def __post_init__(self) -> None:
        if sum(key is not None for key in (self.secret, self.public_key, self.jwks_url)) != 1:
            raise ValueError("configure exactly one of: development secret, public key, JWKS address")
        if self.secret is not None and len(self.secret.encode()) < SECRET_BYTES_MIN:
            raise ValueError(f"the development secret needs at least {SECRET_BYTES_MIN} bytes")
        if (self.secret is not None) != (self.issuer == DEV_ISSUER):
            raise ValueError(f"the issuer {DEV_ISSUER} goes with a development secret, and with nothing else")
        if not self.issuer or not self.audience:
            raise ValueError("tokens need an issuer and an audience to be checked against")
        if self.public_key is not None:
            load_pem_public_key(self.public_key.encode())  # raises ValueError: a private key, or none at all
        if self.jwks_url is not None and not _is_safe(self.jwks_url):
            raise ValueError("keys are fetched over https, or over http from this machine")


@dataclass(frozen=True, slots=True)
class Claims:
    """What a believed token says: whose it is for the provider and here, when it ends, the person, the groups."""

    subject: str
    expires_at: datetime
    user_name: str
    name: str | None = None
    email: str | None = None
    groups: tuple[str, ...] = ()


class _Keys:
    """An identity provider's keys, fetched off the loop, one fetch at a time and not more often than every 10 s."""

    def __init__(self, url: str) -> None:
        self._client = PyJWKClient(url, cache_jwk_set=False, timeout=5)
        self._keys: Mapping[str, Any] = {}
        self._fetched = float("-inf")
        self._turn = asyncio.Lock()

    async def key(self, key_id: str) -> Any:  # noqa: ANN401 - PyJWT's key
        """Find the key of that id; raises `Unauthenticated` when the provider has none."""
        if self._is_due(key_id) and not (key_id in self._keys and self._turn.locked()):
            async with self._turn:
                if self._is_due(key_id):
                    await self._fetch()
        if key_id not in self._keys:
            raise Unauthenticated(_REFUSED)
        return self._keys[key_id]

    def _is_due(self, key_id: str) -> bool:
        return monotonic() - self._fetched > (KEYS_STALE_S if key_id in self._keys else KEYS_REFRESH_S)

    async def _fetch(self) -> None:
        try:
            found = await asyncio.to_thread(self._client.get_signing_keys)
        except (jwt.PyJWTError, ValueError, OSError):
            return  # the last good keys stay
        finally:
            self._fetched = monotonic()
        self._keys = {str(key.key_id): key for key in found}


class TokenVerifier:
    """Believes tokens of one issuer for one audience."""

    def __init__(self, config: TokenConfig) -> None:
        self._config = config
        self._keys = None if config.jwks_url is None else _Keys(config.jwks_url)

    @property
    def is_development(self) -> bool:
        """Whether it believes development tokens, and only those."""
        return self._config.secret is not None

    async def verify(self, token: str) -> Claims:
        """Read the claims of a token; raises `Unauthenticated` for every other, always with the same words."""
        config = self._config
        try:
            key: Any = config.secret or config.public_key
            if self._keys is not None:
                key = await self._keys.key(str(jwt.get_unverified_header(token).get("kid")))
            claims = jwt.decode(
                token,
                key,
                algorithms=["HS256"] if config.secret is not None else list(ASYMMETRIC),
                issuer=config.issuer,
                audience=config.audience,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iat", "sub", "iss", "aud"]},
            )
            life = timedelta(seconds=claims["exp"] - claims["iat"])
            subject = claims["sub"]
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
            raise Unauthenticated(_REFUSED) from error
        if life > LIFE_MAX or not isinstance(subject, str) or not subject:
            raise Unauthenticated(_REFUSED)
        user_name = claims.get(config.name_claim)
        if not isinstance(user_name, str) or not user_name:
            raise Unauthenticated(_REFUSED)
        return Claims(
            subject,
            datetime.fromtimestamp(claims["exp"], UTC),
            user_name,
            _text(claims.get("name")),
            _text(claims.get("email")),
            _texts(claims.get(config.roles_claim) if config.roles_claim else None),
        )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: object) -> tuple[str, ...]:
    """Groups as providers write them: a list, or one text parted by blanks."""
    if isinstance(value, str):
        return tuple(value.split())
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def mint_development_token(config: TokenConfig, subject: str, life: timedelta = timedelta(hours=12)) -> str:
    """Sign a token for a user of a development server; raises `ValueError` without a development secret."""
    if config.secret is None:
        raise ValueError("tokens are minted in development only; your identity provider issues them here")
    now = datetime.now(UTC)
    claims = {"iss": config.issuer, "aud": config.audience, "sub": subject, "iat": now, "exp": now + life}
    return jwt.encode(claims, config.secret, algorithm="HS256")
