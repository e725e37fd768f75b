"""A list holds exactly the rows that a row-by-row check would let through, in SQL and in Polars."""

import shutil
from collections.abc import Iterator
from itertools import product
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Column, Connection, Integer, MetaData, Table, Text, create_engine, insert, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.pool import StaticPool
from tests.access.people import ACCESS, ME, NOW, PATHS, PEOPLE, SOMEBODY, person

from etm_graph.access.decisions import Access
from etm_graph.access.filters import Region, to_polars, to_sql, visible, visible_predicate
from etm_graph.access.lint import OUTSIDE_MODELS
from etm_graph.access.snapshot import default_policy_folder
from etm_graph.core.access import Act, Grant, Kind, Role, StateGroup
from etm_graph.core.lifecycle import GROUP_OF, ModelState
from etm_graph.db.base import Bytewise
from etm_graph.db.sessions import Database
from etm_graph.identity.principal import Principal

STATES = [
    ModelState.PLANNING,
    ModelState.ACTIVE,
    ModelState.ARCHIVED,
    ModelState.ACTIVATING,
    ModelState.CLONING_FAILED,
]
ROWS: list[dict[str, Any]] = [
    {"id": number, "state": state.value, "model_id": model_id, "path": path, "owner_id": owner}
    for number, (state, model_id, path, owner) in enumerate(product(STATES, [1, 2, 3], PATHS, [None, ME, SOMEBODY]))
]
FRAME = pl.DataFrame(ROWS, schema_overrides={"owner_id": pl.Int64})
POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]  # as SQLAlchemy has it
metadata = MetaData()
thing = Table(
    "thing",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("state", Text),
    Column("model_id", BigInteger),
    Column("path", Text),
    Column("owner_id", BigInteger),
)
T = thing.c
ACTS = [Act.READ, Act.READ_MONEY, Act.UPDATE, Act.DELETE, Act.EXPORT, Act.CLONE, Act.ACTIVATE, Act.COMMENT]


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    """SQLite, whose text compares bytewise as the paths of PostgreSQL do; faster for thousands of questions."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.connect() as opened:
        metadata.create_all(opened)
        opened.execute(insert(thing), ROWS)
        yield opened
    engine.dispose()


def row_by_row(
    principal: Principal,
    kind: Kind,
    act: Act,
    *,
    has_path: bool = True,
    has_owner: bool = True,
    access: Access = ACCESS,
) -> list[int]:
    return [
        row["id"]
        for row in ROWS
        if access.allows(
            principal,
            act,
            kind,
            state=GROUP_OF[ModelState(row["state"])],
            model_id=row["model_id"],
            path=row["path"] if has_path else "/",
            own=has_owner and row["owner_id"] == principal.user_id,
            now=NOW,
        )
    ]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PEOPLE, st.sampled_from(Kind), st.sampled_from(ACTS), st.booleans(), st.booleans())
def test_the_sql_filter_is_the_row_by_row_check(
    connection: Connection, principal: Principal, kind: Kind, act: Act, has_path: bool, has_owner: bool
) -> None:
    condition = visible(
        ACCESS,
        principal,
        kind,
        act,
        now=NOW,
        state=T.state,
        model_id=T.model_id,
        path=T.path if has_path else None,
        owner=T.owner_id if has_owner else None,
    )
    found = connection.execute(select(T.id).where(condition).order_by(T.id)).scalars().all()
    assert found == row_by_row(principal, kind, act, has_path=has_path, has_owner=has_owner)


@settings(max_examples=200, deadline=None)
@given(PEOPLE, st.sampled_from(Kind), st.sampled_from(ACTS), st.booleans(), st.booleans())
def test_the_polars_filter_is_the_row_by_row_check(
    principal: Principal, kind: Kind, act: Act, has_path: bool, has_owner: bool
) -> None:
    predicate = visible_predicate(ACCESS, principal, kind, act, NOW)
    kept = FRAME.filter(
        to_polars(predicate, path="path" if has_path else None, owner="owner_id" if has_owner else None)
    )
    assert kept["id"].to_list() == row_by_row(principal, kind, act, has_path=has_path, has_owner=has_owner)


@pytest.fixture(scope="module")
def denying(tmp_path_factory: pytest.TempPathFactory) -> Access:
    """A policy with what the shipped one has not: denials of what is one's own, and of what a role more takes away."""
    folder = tmp_path_factory.mktemp("policies")
    shutil.copy(default_policy_folder() / "model.conf", folder)
    policy = (default_policy_folder() / "policy.csv").read_text(encoding="utf-8")
    denies = [
        "p, everyone, model, planning, activate, own, deny",
        "p, everyone, territory, *, read, own, deny",
        "p, manager, rule, active, read, any, deny",
        "p, rep, rule, active, read, own, deny",
    ]
    (folder / "policy.csv").write_text(policy + "\n".join(denies) + "\n", encoding="utf-8")
    return Access(folder)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    PEOPLE,
    st.sampled_from([(Kind.MODEL, Act.ACTIVATE), (Kind.TERRITORY, Act.READ), (Kind.RULE, Act.READ)]),
    st.booleans(),
)
def test_filters_are_the_row_by_row_check_where_a_policy_denies(
    connection: Connection, denying: Access, principal: Principal, asked: tuple[Kind, Act], has_owner: bool
) -> None:
    predicate = visible_predicate(denying, principal, *asked, NOW)
    owner = T.owner_id if has_owner else None
    condition = to_sql(predicate, state=T.state, model_id=T.model_id, path=T.path, owner=owner)
    expected = row_by_row(principal, *asked, has_owner=has_owner, access=denying)
    assert connection.execute(select(T.id).where(condition).order_by(T.id)).scalars().all() == expected
    kept = FRAME.filter(to_polars(predicate, owner="owner_id" if has_owner else None))
    assert kept["id"].to_list() == expected


def test_a_subtree_where_a_role_denies_is_left_out(denying: Access) -> None:
    principal = person(Grant(Role.VIEWER), Grant(Role.MANAGER, None, "/A/"), Grant(Role.MANAGER, 2))
    predicate = visible_predicate(denying, principal, Kind.RULE, Act.READ, NOW)
    active = {region for region in predicate.regions if region.states == (StateGroup.ACTIVE,)}
    assert active == {Region((StateGroup.ACTIVE,), "/", ("/A/",), None, (2,), None)}
    kept = FRAME.filter(to_polars(predicate), pl.col("state") == "ACTIVE")
    assert not kept["path"].str.starts_with("/A/").any()
    assert set(kept["model_id"]) == {1, 3}


def regions(principal: Principal, kind: Kind, act: Act = Act.READ) -> tuple[Region, ...]:
    return visible_predicate(ACCESS, principal, kind, act, NOW).regions


def test_a_grant_inside_one_that_allows_as_much_makes_no_boundary() -> None:
    outer = person(Grant(Role.PLANNER))
    nested = person(Grant(Role.PLANNER), Grant(Role.VIEWER, None, "/A/"), Grant(Role.PLANNER, None, "/A/B/"))
    assert regions(nested, Kind.TERRITORY) == regions(outer, Kind.TERRITORY)
    assert regions(outer, Kind.TERRITORY) == (Region(tuple(StateGroup), "/", (), None, (), None),)


def test_a_viewer_with_a_subtree_to_plan_sees_drafts_there_and_the_active_model_everywhere() -> None:
    principal = person(Grant(Role.VIEWER), Grant(Role.PLANNER, None, "/A/"))
    inactive = (StateGroup.PLANNING, StateGroup.ARCHIVED, StateGroup.TRANSITION)
    assert set(regions(principal, Kind.TERRITORY)) == {
        Region(inactive, "/A/", (), None, (), None),
        Region((StateGroup.ACTIVE,), "/", (), None, (), None),
    }


def test_a_boundary_is_kept_where_less_was_asked_for_outside() -> None:
    principal = person(Grant(Role.MANAGER, 1), Grant(Role.ADMIN, 1, "/A/B/"))
    found = {
        region for region in regions(principal, Kind.THREAD, Act.DELETE) if StateGroup.ACTIVE in (region.states or ())
    }
    assert found == {
        Region((StateGroup.PLANNING, StateGroup.ACTIVE), "/", ("/A/B/",), 1, (), True),
        Region((StateGroup.PLANNING, StateGroup.ACTIVE, StateGroup.TRANSITION), "/A/B/", (), 1, (), None),
    }


def test_others_objects_include_those_of_nobody() -> None:
    only_others = Region((StateGroup.ACTIVE,), "/", (), None, (), False)
    predicate = visible_predicate(ACCESS, person(), Kind.THREAD, Act.READ, NOW)
    predicate = type(predicate)((only_others,), ME)
    condition = to_sql(predicate, state=T.state, model_id=T.model_id, path=T.path, owner=T.owner_id)
    text = str(condition.compile(dialect=POSTGRESQL))
    assert "thing.owner_id IS DISTINCT FROM" in text
    kept = FRAME.filter(to_polars(predicate))["owner_id"].unique().to_list()
    assert set(kept) == {None, SOMEBODY}


def test_a_prefix_is_a_range_that_an_index_serves() -> None:
    condition = visible(
        ACCESS,
        person(Grant(Role.VIEWER, 1, "/A/B/")),
        Kind.TERRITORY,
        now=NOW,
        state=T.state,
        model_id=T.model_id,
        path=T.path,
    )
    text = str(condition.compile(dialect=POSTGRESQL, compile_kwargs={"literal_binds": True}))
    assert text == (
        "thing.state IN ('ACTIVE') AND thing.model_id = 1 AND thing.path >= '/A/B/' AND thing.path < '/A/B0'"
    )


def test_kinds_outside_models_need_no_columns_of_one() -> None:
    assert regions(person(Grant(Role.VIEWER, 1, "/A/")), Kind.CRM) == (Region(None, "/", (), None, (), None),)
    assert regions(person(Grant(Role.VIEWER, 1, "/A/")), Kind.AUDIT) == ()


@pytest.mark.parametrize("kind", sorted(set(Kind) - OUTSIDE_MODELS))
def test_the_suspended_see_nothing(kind: Kind) -> None:
    assert regions(person(Grant(Role.ADMIN), suspended=True), kind) == ()


async def test_postgresql_keeps_the_same_rows(database: Database) -> None:
    stored = Table(
        "thing",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("state", Text),
        Column("model_id", BigInteger),
        Column("path", Bytewise),
        Column("owner_id", BigInteger),
    )
    async with database.engine.begin() as connection:
        await connection.run_sync(stored.metadata.create_all)
        await connection.execute(insert(stored), ROWS)
    people = [
        person(Grant(Role.VIEWER), Grant(Role.PLANNER, 1, "/A/B/")),
        person(Grant(Role.MANAGER, None, "/A/"), Grant(Role.ADMIN, 2, "/A0/")),
        person(Grant(Role.AUDITOR, 3), Grant(Role.REP, None, "/a/"), Grant(Role.ADMIN, 1, "/A/B2/")),
    ]
    columns = stored.c
    async with database.read() as session:
        for principal, kind, act in product(people, [Kind.MODEL, Kind.TERRITORY, Kind.THREAD], ACTS):
            condition = visible(
                ACCESS,
                principal,
                kind,
                act,
                now=NOW,
                state=columns.state,
                model_id=columns.model_id,
                path=columns.path,
                owner=columns.owner_id,
            )
            rows = await session.rows(select(columns.id).where(condition).order_by(columns.id))
            assert [row.id for row in rows] == row_by_row(principal, kind, act)
