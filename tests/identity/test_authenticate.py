"""From a header to a principal, and what is noticed later: grants, suspension, revoked keys."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.factories.world import make_user

from etm_graph.core.access import Grant, Role
from etm_graph.core.errors import Unauthenticated
from etm_graph.db.sessions import Database, ReadSession
from etm_graph.identity import authenticate
from etm_graph.identity.api_keys import create_api_key, revoke_api_key
from etm_graph.identity.authenticate import FOLLOWED_S, FRESH_S, Authenticator, Directory, Subject
from etm_graph.identity.principal import AuthMethod, Principal
from etm_graph.identity.tokens import DEV_ISSUER, TokenConfig, TokenVerifier, mint_development_token

CONFIG = TokenConfig(DEV_ISSUER, "etm-graph", secret="development-secret-of-forty-two-bytes-long")
REFUSED = "Sign in: the request has no valid credentials."


class People:
    """A directory in memory that counts how often it was asked."""

    def __init__(self, user_id: int = 7) -> None:
        self.subject: Subject | None = Subject(user_id, "pat", active=True, suspended=False)
        self.grants: tuple[Grant, ...] = (Grant(Role.PLANNER),)
        self.asked = 0

    async def by_name(self, session: ReadSession, name: str) -> Subject | None:
        self.asked += 1
        return self.subject if name == "pat" else None

    async def by_id(self, session: ReadSession, user_id: int) -> Subject | None:
        self.asked += 1
        return self.subject if self.subject is not None and user_id == self.subject.user_id else None

    async def granted(self, session: ReadSession, user_id: int) -> tuple[Grant, ...]:
        return self.grants


@asynccontextmanager
async def no_database() -> AsyncIterator[ReadSession]:
    yield object()  # type: ignore[misc]  # the directory in memory reads nothing


def authenticator_of(people: People, database: Database | None = None) -> Authenticator:
    directory = Directory(people.by_name, people.by_id, people.granted)
    return Authenticator(TokenVerifier(CONFIG), directory, no_database if database is None else database.read)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_000.0]
    monkeypatch.setattr(authenticate, "monotonic", lambda: now[0])
    return now


def bearer(subject: str = "pat") -> str:
    return "Bearer " + mint_development_token(CONFIG, subject)


async def refused(authenticator: Authenticator, header: str | None) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await authenticator.authenticate(header)
    assert caught.value.message == REFUSED
    assert caught.value.details == {}


async def test_a_token_makes_a_principal_with_its_grants() -> None:
    principal = await authenticator_of(People()).authenticate(bearer())
    assert (principal.user_id, principal.name, principal.grants) == (7, "pat", (Grant(Role.PLANNER),))
    assert (principal.method, principal.suspended, principal.key_id) == (AuthMethod.DEV, False, None)
    assert principal.expires_at is not None


async def test_the_scheme_is_read_whatever_its_case() -> None:
    assert (await authenticator_of(People()).authenticate(bearer().replace("Bearer ", "bEARER   "))).user_id == 7


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic cGF0OnB3",
        "pat",
        "Bearer a.b.c",
        "Bearer é",
        "Bearer \ud800",
        "Bearer etm_",
    ],
)
async def test_headers_without_credentials_are_refused_alike(header: str | None) -> None:
    await refused(authenticator_of(People()), header)


async def test_a_token_alone_is_no_credential() -> None:
    await refused(authenticator_of(People()), bearer().removeprefix("Bearer "))


async def test_strangers_and_former_users_are_refused_alike() -> None:
    people = People()
    await refused(authenticator_of(people), bearer("stranger"))
    people.subject = Subject(7, "pat", active=False, suspended=False)
    await refused(authenticator_of(people), bearer())


async def test_the_suspended_are_known_and_marked() -> None:
    people = People()
    people.subject = Subject(7, "pat", active=True, suspended=True)
    assert (await authenticator_of(people).authenticate(bearer())).suspended


async def test_a_principal_is_remembered_for_two_seconds(clock: list[float]) -> None:
    people, header = People(), bearer()
    authenticator = authenticator_of(people)
    await authenticator.authenticate(header)
    people.grants = ()
    assert (await authenticator.authenticate(header)).grants == (Grant(Role.PLANNER),)
    assert people.asked == 1
    clock[0] += FRESH_S
    assert (await authenticator.authenticate(header)).grants == ()
    assert FRESH_S <= 5


async def test_what_is_forgotten_is_looked_up_again() -> None:
    people, header = People(), bearer()
    authenticator = authenticator_of(people)
    await authenticator.authenticate(header)
    people.grants = ()
    authenticator.forget()
    assert (await authenticator.authenticate(header)).grants == ()


async def test_memory_of_principals_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authenticate, "REMEMBERED_MAX", 3)
    authenticator = authenticator_of(People())
    for hours in range(1, 9):
        await authenticator.authenticate("Bearer " + mint_development_token(CONFIG, "pat", timedelta(hours=hours)))
        assert len(authenticator._remembered) <= 3


async def test_a_refresh_notices_grants_and_suspension(clock: list[float]) -> None:
    people = People()
    authenticator = authenticator_of(people)
    principal = await authenticator.authenticate(bearer())
    people.grants = (Grant(Role.VIEWER),)
    people.subject = Subject(7, "pat", active=True, suspended=True)
    clock[0] += FOLLOWED_S
    assert await authenticator.refresh(principal) == replace(principal, grants=(Grant(Role.VIEWER),), suspended=True)


async def test_a_refresh_turns_former_users_away(clock: list[float]) -> None:
    people = People()
    authenticator = authenticator_of(people)
    principal = await authenticator.authenticate(bearer())
    people.subject = None
    clock[0] += FOLLOWED_S
    with pytest.raises(Unauthenticated):
        await authenticator.refresh(principal)


async def test_a_refresh_ends_with_the_token_even_when_it_is_remembered() -> None:
    authenticator = authenticator_of(People())
    principal = await authenticator.authenticate(bearer())
    over = replace(principal, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    with pytest.raises(Unauthenticated):
        await authenticator.refresh(over)


async def test_those_who_presented_nothing_are_not_taken_for_each_other() -> None:
    people = People()
    authenticator = authenticator_of(people)
    first = Principal(7, "pat", (), suspended=False, method=AuthMethod.SYSTEM)
    await authenticator.refresh(first)
    people.subject = Subject(8, "sam", active=True, suspended=False)
    second = await authenticator.refresh(Principal(8, "sam", (), suspended=False, method=AuthMethod.SYSTEM))
    assert (second.user_id, second.name) == (8, "sam")


async def make_key(database: Database) -> tuple[People, str]:
    user = await make_user(database, "tool")
    async with database.write() as session:
        key = await create_api_key(session, user.user_id, "Forecast tool", now=datetime.now(UTC))
    return People(user.user_id), key


async def test_a_key_makes_a_principal_with_the_rights_of_its_user(database: Database) -> None:
    people, key = await make_key(database)
    principal = await authenticator_of(people, database).authenticate(f"Bearer {key}")
    assert (principal.method, principal.grants) == (AuthMethod.API_KEY, people.grants)
    assert principal.key_id == key.split("_")[2]
    assert key not in repr(principal)


async def test_a_key_that_is_not_the_one_is_refused_alike(database: Database) -> None:
    people, key = await make_key(database)
    authenticator = authenticator_of(people, database)
    await refused(authenticator, f"Bearer {key[:-1]}{'A' if key[-1] != 'A' else 'B'}")
    await refused(authenticator, f"Bearer etm_live_{'a' * 8}_{'A' * 43}")


async def test_a_revoked_key_is_refused_and_an_open_subscription_does_not_keep_it_alive(
    database: Database, clock: list[float]
) -> None:
    people, key = await make_key(database)
    authenticator = authenticator_of(people, database)
    principal = await authenticator.authenticate(f"Bearer {key}")
    async with database.write() as session:
        await revoke_api_key(session, str(principal.key_id), datetime.now(UTC))
    clock[0] += FOLLOWED_S
    with pytest.raises(Unauthenticated):
        await authenticator.refresh(principal)
    await refused(authenticator, f"Bearer {key}")
