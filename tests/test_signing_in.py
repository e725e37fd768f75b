"""Signing in with a provider's token: roles by allow-listed groups, users on first sight, a `sub` that stays bound."""

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from sqlalchemy import select, update
from tests.factories.world import make_user, make_world

from etm_graph.core.access import Grant, Role
from etm_graph.core.errors import TooManyFailures, Unauthenticated
from etm_graph.db.sessions import Database
from etm_graph.features.crm.tables import app_user
from etm_graph.identity.api_keys import create_api_key
from etm_graph.identity.attempts import FailedSignIns
from etm_graph.identity.authenticate import Authenticator
from etm_graph.identity.principal import Principal
from etm_graph.identity.tables import api_key
from etm_graph.identity.tokens import TokenConfig, TokenVerifier
from etm_graph.settings import Settings
from etm_graph.signing_in import guarded, make_sign_in, roles_of_groups
from etm_graph.wiring import DIRECTORY

KEY = generate_private_key(SECP256R1())
PRIVATE = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
ISSUER = "https://id.example.com"


def authenticator(database: Database, *, name_claim: str = "upn", **given: Any) -> Authenticator:
    config = TokenConfig(ISSUER, "etm-graph", public_key=PUBLIC, name_claim=name_claim, roles_claim="groups")
    writer = make_world(database).writer
    sign_in = make_sign_in(Settings(**given), database, writer)
    return Authenticator(TokenVerifier(config), DIRECTORY, database.read, sign_in)


def token(**claims: Any) -> str:
    now = datetime.now(UTC)
    whole = {"iss": ISSUER, "aud": "etm-graph", "iat": now, "exp": now + timedelta(hours=1), "sub": "s-1", **claims}
    return "Bearer " + jwt.encode(whole, PRIVATE, algorithm="ES256")


async def roles(found: Principal) -> set[tuple[Role, str, bool]]:
    return {(grant.role, grant.path, grant.expires_at == found.expires_at) for grant in found.grants}


async def test_groups_give_only_the_roles_on_the_list_and_until_the_token_ends(database: Database) -> None:
    await make_user(database, "pat", Role.VIEWER)
    asked = authenticator(database, jwt_roles={"ops": "planner", "emea": "manager@/EMEA/"})
    found = await asked.authenticate(token(upn="pat", groups=["ops", "admin", "emea", 7]))
    planner, manager = (Role.PLANNER, "/", True), (Role.MANAGER, "/EMEA/", True)
    assert await roles(found) == {(Role.VIEWER, "/", False), planner, manager}
    asked.forget()
    assert await roles(await asked.refresh(found)) == {(Role.VIEWER, "/", False), planner, manager}
    assert await roles(await asked.authenticate(token(upn="pat", groups="ops other"))) == {
        (Role.VIEWER, "/", False),
        planner,
    }
    assert await roles(await asked.authenticate(token(upn="pat"))) == {(Role.VIEWER, "/", False)}


@pytest.mark.parametrize("wrong", ["owner", "planner@EMEA", "planner@/EMEA", "planner@x", ""])
def test_a_map_of_groups_with_an_unknown_role_or_path_does_not_start(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"jwt_roles|is not a valid Role"):
        roles_of_groups({"group": wrong})
    assert roles_of_groups({"group": "viewer"}) == {"group": (Grant(Role.VIEWER),)}


async def test_an_unknown_user_is_turned_away_or_made_as_configured(database: Database) -> None:
    stranger = token(upn="new", sub="s-9", name="New Person", email="new@example.com")
    with pytest.raises(Unauthenticated):
        await authenticator(database).authenticate(stranger)
    made = await authenticator(database, jwt_provision=True).authenticate(stranger)
    assert (made.name, made.grants) == ("new", ())
    async with database.read() as session:
        row = await session.row(select(app_user))
    assert row is not None
    assert (row.user_name, row.subject, row.name, row.email) == ("new", "s-9", "New Person", "new@example.com")
    again = await authenticator(database, jwt_provision=True).authenticate(token(upn="renamed", sub="s-9"))
    assert again.user_id == made.user_id


async def test_whoever_takes_over_a_user_name_does_not_become_the_user_bound_to_another_sub(database: Database) -> None:
    pat = await make_user(database, "pat", Role.ADMIN)
    async with database.write() as session:
        await session.execute(update(app_user).where(app_user.c.id == pat.user_id).values(subject="s-pat"))
    for provisions in (False, True):
        with pytest.raises(Unauthenticated):
            await authenticator(database, jwt_provision=provisions).authenticate(token(upn="pat", sub="s-thief"))
    assert (await authenticator(database).authenticate(token(upn="whoever", sub="s-pat"))).user_id == pat.user_id


@pytest.mark.parametrize("claims", [{}, {"upn": ""}, {"upn": 7}, {"upn": ["pat"]}])
async def test_a_token_without_a_user_name_is_refused(database: Database, claims: dict[str, Any]) -> None:
    await make_user(database, "pat")
    with pytest.raises(Unauthenticated):
        await authenticator(database).authenticate(token(**claims))


async def test_the_use_of_a_key_is_noted_and_its_scopes_hold(database: Database) -> None:
    tool = await make_user(database, "tool", Role.PLANNER, Role.VIEWER)
    now = datetime.now(UTC)
    async with database.write() as session:
        scopes = [Grant(Role.PLANNER, None, "/EMEA/"), Grant(Role.ADMIN)]
        key = await create_api_key(session, tool.user_id, "Tool", now=now, scopes=scopes)
    found = await authenticator(database).authenticate(f"Bearer {key}")
    assert found.grants == (Grant(Role.PLANNER, None, "/EMEA/"),)
    async with database.read() as session:
        used = await session.scalar(select(api_key.c.last_used_at))
    assert now <= used <= datetime.now(UTC)


async def test_failures_are_counted_but_not_requests_without_credentials(database: Database) -> None:
    await make_user(database, "pat")
    sign_in = guarded(authenticator(database), FailedSignIns(2))
    good = token(upn="pat")
    await sign_in(good)
    for header in (None, "", "Bearer nonsense", None, "Bearer etm_live_aaaaaaaa_x"):
        with pytest.raises(Unauthenticated):
            await sign_in(header)
    with pytest.raises(TooManyFailures):
        await sign_in(token(upn="nobody"))
    assert (await sign_in(good)).name == "pat"
