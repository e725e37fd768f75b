"""JSON Web Tokens (RFC 7519): which are believed, and minting them in development."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import jwt
from jwt import PyJWKClient

from etm_graph.core.errors import Unauthenticated

DEV_ISSUER = "etm-dev"
LEEWAY_S = 30
LIFE_MAX = timedelta(hours=24)
SECRET_BYTES_MIN = 32
KEYS_REFRESH_S = 10.0
ASYMMETRIC = ("RS256", "ES256", "EdDSA")
_REFUSED = "Sign in: the request has no valid credentials."


@dataclass(frozen=True, slots=True)
class TokenConfig:
    """Which tokens are believed: exactly one of the three keys is set.

    secret: development only, at least 32 bytes. public_key: PEM. jwks_url: where the identity provider publishes keys.
    """

    issuer: str
    audience: str
    secret: str | None = None
    public_key: str | None = None
    jwks_url: str | None = None

    def __post_init__(self) -> None:
        if sum(key is not None for key in (self.secret, self.public_key, self.jwks_url)) != 1:
            raise ValueError("configure exactly one of: development secret, public key, JWKS address")
        if self.secret is not None and len(self.secret.encode()) < SECRET_BYTES_MIN:
            raise ValueError(f"the development secret needs at least {SECRET_BYTES_MIN} bytes")


@dataclass(frozen=True, slots=True)
class Claims:
    """What a believed token says: the user's name and when it ends."""

    subject: str
    expires_at: datetime


class _Keys:
    """An identity provider's keys, fetched off the loop, one fetch at a time and not more often than every 10 s."""

    def __init__(self, url: str) -> None:
        self._client = PyJWKClient(url, cache_jwk_set=False, timeout=5)
        self._keys: Mapping[str, Any] = {}
        self._fetched = float("-inf")
        self._turn = asyncio.Lock()

    async def key(self, key_id: str) -> Any:  # noqa: ANN401 - PyJWT's key
        """The key of that id; raises `Unauthenticated` when the provider has none."""
        if key_id not in self._keys:
            async with self._turn:
                if key_id not in self._keys and monotonic() - self._fetched > KEYS_REFRESH_S:
                    await self._fetch()
        if key_id not in self._keys:
            raise Unauthenticated(_REFUSED)
        return self._keys[key_id]

    async def _fetch(self) -> None:
        self._fetched = monotonic()
        try:
            found = await asyncio.to_thread(self._client.get_signing_keys)
        except jwt.PyJWTError:
            return  # the last good keys stay
        self._keys = {str(key.key_id): key for key in found}


class TokenVerifier:
    """Believes tokens of one issuer for one audience."""

    def __init__(self, config: TokenConfig) -> None:
        self._config = config
        self._keys = None if config.jwks_url is None else _Keys(config.jwks_url)

    async def verify(self, token: str) -> Claims:
        """The claims of a token; raises `Unauthenticated` for every other, always with the same words."""
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
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise Unauthenticated(_REFUSED) from error
        if life > LIFE_MAX or not isinstance(subject, str) or not subject:
            raise Unauthenticated(_REFUSED)
        return Claims(subject, datetime.fromtimestamp(claims["exp"], UTC))


def mint_development_token(config: TokenConfig, subject: str, life: timedelta = timedelta(hours=12)) -> str:
    """A token for a user of a development server; raises `ValueError` without a development secret."""
    if config.secret is None:
        raise ValueError("tokens are minted in development only; your identity provider issues them here")
    now = datetime.now(UTC)
    claims = {"iss": config.issuer, "aud": config.audience, "sub": subject, "iat": now, "exp": now + life}
    return jwt.encode(claims, config.secret, algorithm="HS256")
