"""Which tokens are believed: the attacks on JSON Web Tokens, and keys that are fetched."""

import asyncio
import hmac
import json
import threading
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from etm_graph.core.errors import Unauthenticated
from etm_graph.identity import tokens
from etm_graph.identity.tokens import DEV_ISSUER, Claims, TokenConfig, TokenVerifier, mint_development_token

SECRET = "development-secret-of-forty-two-bytes-long"
ISSUER, AUDIENCE = "https://id.example.com/", "etm-graph"
KEY = generate_private_key(65537, 2048)
STRANGER = generate_private_key(65537, 2048)
EC_KEY = generate_ec_key(SECP256R1())
PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
DEVELOPMENT = TokenConfig(DEV_ISSUER, AUDIENCE, secret=SECRET)
PRODUCTION = TokenConfig(ISSUER, AUDIENCE, public_key=PEM)
REFUSED = "Sign in: the request has no valid credentials."


def claims(**changed: Any) -> dict[str, Any]:
    now = int(datetime.now(UTC).timestamp())
    given = {"iss": ISSUER, "aud": AUDIENCE, "sub": "pat", "iat": now, "exp": now + 3600, **changed}
    return {name: value for name, value in given.items() if value is not None}


def signed(key: RSAPrivateKey = KEY, headers: dict[str, Any] | None = None, **changed: Any) -> str:
    return jwt.encode(claims(**changed), key, algorithm="RS256", headers=headers)


def raw(header: dict[str, Any], body: dict[str, Any], secret: bytes | None = None) -> str:
    """A token put together by hand, for what PyJWT refuses to make."""
    parts = [urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, body)]
    message = b".".join(parts)
    signature = b"" if secret is None else hmac.digest(secret, message, sha256)
    return (message + b"." + urlsafe_b64encode(signature).rstrip(b"=")).decode()


def at(delta: timedelta) -> int:
    return int((datetime.now(UTC) + delta).timestamp())


async def refused(config: TokenConfig, token: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await TokenVerifier(config).verify(token)
    assert caught.value.message == REFUSED


async def test_a_sound_token_is_believed() -> None:
    end = at(timedelta(hours=1))
    assert await TokenVerifier(PRODUCTION).verify(signed(exp=end)) == Claims(
        "pat", datetime.fromtimestamp(end, UTC), "pat"
    )


async def test_a_development_token_is_believed_in_development_only() -> None:
    token = mint_development_token(DEVELOPMENT, "pat")
    assert (await TokenVerifier(DEVELOPMENT).verify(token)).subject == "pat"
    assert jwt.decode(token, options={"verify_signature": False})["iss"] == "etm-dev"
    await refused(PRODUCTION, token)


FORGERIES: dict[str, Callable[[], str]] = {
    "no signature": lambda: raw({"alg": "none", "typ": "JWT"}, claims()),
    "no signature, other case": lambda: raw({"alg": "nOnE", "typ": "JWT"}, claims()),
    "public key as a secret": lambda: raw({"alg": "HS256", "typ": "JWT"}, claims(), PEM.encode()),
    "public key as a secret, stripped": lambda: raw({"alg": "HS256"}, claims(), PEM.strip().encode()),
    "signature cut off": lambda: signed().rpartition(".")[0] + ".",
    "another key": lambda: signed(STRANGER),
    "another key, sent along": lambda: signed(
        STRANGER, {"jwk": json.loads(RSAAlgorithm.to_jwk(STRANGER.public_key()))}
    ),
    "another key, by address": lambda: signed(STRANGER, {"jku": "http://127.0.0.1:9/keys"}),
    "another algorithm": lambda: jwt.encode(claims(), EC_KEY, algorithm="ES256"),
    "an algorithm not allowed": lambda: jwt.encode(claims(), KEY, algorithm="RS512"),
    "a critical header": lambda: signed(headers={"crit": ["x"], "x": 1}),
    "no end": lambda: signed(exp=None),
    "no beginning": lambda: signed(iat=None),
    "no subject": lambda: signed(sub=None),
    "no issuer": lambda: signed(iss=None),
    "no audience": lambda: signed(aud=None),
    "wrong issuer": lambda: signed(iss="https://evil.example.com/"),
    "issuer without its slash": lambda: signed(iss=ISSUER.rstrip("/")),
    "development issuer": lambda: signed(iss=DEV_ISSUER),
    "wrong audience": lambda: signed(aud="another-service"),
    "expired": lambda: signed(iat=at(timedelta(hours=-2)), exp=at(timedelta(seconds=-32))),
    "from the future": lambda: signed(iat=at(timedelta(minutes=5))),
    "not yet valid": lambda: signed(nbf=at(timedelta(minutes=5))),
    "longer than a day": lambda: signed(exp=at(timedelta(hours=24, seconds=2))),
    "endless": lambda: signed(exp=10**18),
    "infinite": lambda: signed(exp=float("inf")),
    "end as text": lambda: signed(exp="tomorrow"),
    "end as a number in text": lambda: signed(exp=str(at(timedelta(hours=1)))),
    "empty subject": lambda: signed(sub=""),
    "empty": lambda: "",
    "not a token": lambda: "a.b.c",
    "two parts": lambda: "a.b",
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_forgery_is_refused_always_with_the_same_words(forgery: str) -> None:
    await refused(PRODUCTION, FORGERIES[forgery]())


async def test_clocks_may_differ_by_half_a_minute() -> None:
    token = signed(iat=at(timedelta(hours=-1)), exp=at(timedelta(seconds=-20)))
    assert (await TokenVerifier(PRODUCTION).verify(token)).subject == "pat"


async def test_one_day_is_the_longest_life() -> None:
    now = at(timedelta())
    assert (await TokenVerifier(PRODUCTION).verify(signed(iat=now, exp=now + 86_400))).subject == "pat"


async def test_in_development_a_token_of_another_secret_is_refused() -> None:
    other = TokenConfig(DEV_ISSUER, AUDIENCE, secret=SECRET[::-1])
    await refused(DEVELOPMENT, mint_development_token(other, "pat"))
    await refused(DEVELOPMENT, mint_development_token(DEVELOPMENT, "pat", timedelta(hours=25)))
    await refused(DEVELOPMENT, raw({"alg": "none"}, claims(iss=DEV_ISSUER)))


def test_production_mints_nothing() -> None:
    with pytest.raises(ValueError, match="development only"):
        mint_development_token(PRODUCTION, "pat")


PRIVATE = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize(
    ("issuer", "audience", "key", "reason"),
    [
        (DEV_ISSUER, AUDIENCE, {"secret": "x" * 31}, "at least 32 bytes"),
        (ISSUER, AUDIENCE, {"secret": SECRET}, "goes with a development secret"),
        (DEV_ISSUER, AUDIENCE, {"public_key": PEM}, "goes with a development secret"),
        (ISSUER, AUDIENCE, {}, "exactly one"),
        (ISSUER, AUDIENCE, {"public_key": PEM, "jwks_url": "https://id.example.com/keys"}, "exactly one"),
        (ISSUER, AUDIENCE, {"public_key": SECRET}, "PEM"),
        (ISSUER, AUDIENCE, {"public_key": PRIVATE}, "PEM"),
        (ISSUER, AUDIENCE, {"jwks_url": "http://id.example.com/keys"}, "over https"),
        (ISSUER, AUDIENCE, {"jwks_url": "file:///etc/keys"}, "over https"),
        ("", AUDIENCE, {"public_key": PEM}, "issuer and an audience"),
        (ISSUER, "", {"public_key": PEM}, "issuer and an audience"),
    ],
)
def test_an_unsafe_configuration_does_not_start(issuer: str, audience: str, key: dict[str, str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        TokenConfig(issuer, audience, **key)


class Provider:
    """An identity provider that publishes keys over HTTP and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.broken = False
        self.keys: dict[str, Any] = {"one": KEY}
        self.url = ""

    def document(self) -> bytes:
        made = []
        for key_id, key in self.keys.items():
            rsa = isinstance(key, RSAPrivateKey)
            text = RSAAlgorithm.to_jwk(key.public_key()) if rsa else ECAlgorithm.to_jwk(key.public_key())
            made.append({**json.loads(text), "kid": key_id, "use": "sig", "alg": "RS256" if rsa else "ES256"})
        return json.dumps({"keys": made}).encode()


@contextmanager
def published(provider: Provider) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.asked += 1
            self.send_response(503 if provider.broken else 200)
            self.end_headers()
            self.wfile.write(b"down" if provider.broken else provider.document())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server has it
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        provider.url = f"http://127.0.0.1:{server.server_port}/keys"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield
        server.shutdown()
        thread.join()


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    with published(made):
        yield made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_000.0]
    monkeypatch.setattr(tokens, "monotonic", lambda: now[0])
    return now


def verifier_of(provider: Provider) -> TokenVerifier:
    return TokenVerifier(TokenConfig(ISSUER, AUDIENCE, jwks_url=provider.url))


def by(key_id: str, key: Any = KEY, algorithm: str = "RS256") -> str:
    return jwt.encode(claims(), key, algorithm=algorithm, headers={"kid": key_id})


async def turned_away(verifier: TokenVerifier, token: str) -> None:
    with pytest.raises(Unauthenticated, match=REFUSED):
        await verifier.verify(token)


async def test_published_keys_are_fetched_once_for_many(provider: Provider) -> None:
    provider.keys["two"] = EC_KEY
    verifier = verifier_of(provider)
    found = await asyncio.gather(*(verifier.verify(by("one")) for _ in range(20)))
    assert {one.subject for one in found} == {"pat"}
    assert (await verifier.verify(by("two", EC_KEY, "ES256"))).subject == "pat"
    assert provider.asked == 1


async def test_a_flood_of_unknown_keys_asks_the_provider_once_in_ten_seconds(
    provider: Provider, clock: list[float]
) -> None:
    verifier = verifier_of(provider)
    await asyncio.gather(*(turned_away(verifier, by(f"random-{number}", STRANGER)) for number in range(50)))
    assert provider.asked == 1
    clock[0] += 10.5
    await turned_away(verifier, by("another", STRANGER))
    assert provider.asked == 2


async def test_a_new_key_is_found_and_a_withdrawn_one_forgotten(provider: Provider, clock: list[float]) -> None:
    verifier = verifier_of(provider)
    await verifier.verify(by("one"))
    provider.keys = {"two": STRANGER}
    assert (await verifier.verify(by("one"))).subject == "pat"
    clock[0] += tokens.KEYS_STALE_S + 1
    await turned_away(verifier, by("one"))
    assert (await verifier.verify(by("two", STRANGER))).subject == "pat"


async def test_the_last_keys_serve_while_the_provider_is_down(provider: Provider, clock: list[float]) -> None:
    verifier = verifier_of(provider)
    await verifier.verify(by("one"))
    provider.broken = True
    clock[0] += tokens.KEYS_STALE_S + 1
    assert (await verifier.verify(by("one"))).subject == "pat"
    assert provider.asked == 2
    assert (await verifier.verify(by("one"))).subject == "pat"
    assert provider.asked == 2


async def test_a_provider_that_never_answered_lets_nobody_in(provider: Provider) -> None:
    provider.broken = True
    await turned_away(verifier_of(provider), by("one"))


async def test_a_token_cannot_choose_another_algorithm_than_its_keys(provider: Provider) -> None:
    verifier = verifier_of(provider)
    header = {"alg": "HS256", "kid": "one"}
    await turned_away(verifier, raw(header, claims(), PEM.encode()))
    await turned_away(verifier, raw({"alg": "none", "kid": "one"}, claims()))
    await turned_away(verifier, signed())
