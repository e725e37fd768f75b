"""Decisions about one object: which grants reach it, and what a refusal says."""

from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.access.people import ACCESS, GRANTS, NOW, PATHS, PEOPLE, person

from etm_graph.access.lint import OUTSIDE_MODELS
from etm_graph.core.access import Act, Grant, Kind, Role, StateGroup
from etm_graph.core.errors import Forbidden
from etm_graph.identity.principal import Principal

PLANNING = StateGroup.PLANNING
HOUR = timedelta(hours=1)


def may_edit(principal: Principal, model_id: int = 1, path: str = "/A/B/") -> bool:
    return ACCESS.allows(principal, Act.UPDATE, Kind.TERRITORY, state=PLANNING, model_id=model_id, path=path, now=NOW)


@pytest.mark.parametrize(
    ("grant", "reached"),
    [
        (Grant(Role.PLANNER), True),
        (Grant(Role.PLANNER, 1), True),
        (Grant(Role.PLANNER, 2), False),
        (Grant(Role.PLANNER, None, "/A/"), True),
        (Grant(Role.PLANNER, 1, "/A/B/"), True),
        (Grant(Role.PLANNER, 1, "/A/B/C/"), False),
        (Grant(Role.PLANNER, 1, "/AB/"), False),
        (Grant(Role.PLANNER, 1, "/a/"), False),
        (Grant(Role.VIEWER), False),
    ],
)
def test_a_grant_reaches_its_model_and_subtree(grant: Grant, reached: bool) -> None:
    assert may_edit(person(grant)) is reached


def test_a_sibling_with_the_same_beginning_is_not_reached() -> None:
    assert not may_edit(person(Grant(Role.PLANNER, 1, "/A/B/")), path="/A/B2/")


@pytest.mark.parametrize(("expires", "live"), [(NOW + HOUR, True), (NOW, False), (NOW - HOUR, False)])
def test_a_grant_ends_when_it_says(expires: object, live: bool) -> None:
    assert may_edit(person(Grant(Role.PLANNER, expires_at=expires))) is live  # type: ignore[arg-type]


def test_a_grant_on_a_subtree_lets_its_model_be_read_but_not_changed() -> None:
    principal = person(Grant(Role.ADMIN, 1, "/A/"))
    ask = {"state": PLANNING, "model_id": 1, "now": NOW}
    assert ACCESS.allows(principal, Act.READ, Kind.MODEL, **ask)  # type: ignore[arg-type]
    for act in (Act.UPDATE, Act.ACTIVATE, Act.CLONE, Act.READ_MONEY, Act.DELETE):
        assert not ACCESS.allows(principal, act, Kind.MODEL, **ask)  # type: ignore[arg-type]


def test_a_grant_on_a_subtree_of_another_model_does_not_open_this_one() -> None:
    principal = person(Grant(Role.PLANNER, 2, "/A/"))
    assert not ACCESS.allows(principal, Act.READ, Kind.MODEL, state=PLANNING, model_id=1, now=NOW)


SHARED = [Kind.CRM, Kind.ORGANISATION, Kind.JOB]


@pytest.mark.parametrize("kind", SHARED)
def test_any_grant_reads_what_the_organisation_shares_whatever_the_state(kind: Kind) -> None:
    principal = person(Grant(Role.ADMIN, 2, "/A/B/"))
    assert ACCESS.allows(principal, Act.READ, kind, now=NOW)
    assert ACCESS.allows(principal, Act.READ, kind, state=StateGroup.ARCHIVED, model_id=1, path="/Z/", now=NOW)


@pytest.mark.parametrize("grant", [Grant(Role.ADMIN, 2), Grant(Role.ADMIN, None, "/A/"), Grant(Role.ADMIN, 2, "/A/")])
def test_an_administrator_of_a_part_changes_nothing_of_the_whole(grant: Grant) -> None:
    part, whole = person(grant), person(Grant(Role.ADMIN))
    acts = [*product(SHARED, [Act.CREATE, Act.UPDATE, Act.DELETE]), (Kind.POLICY, Act.READ), (Kind.AUDIT, Act.READ)]
    acts += [(Kind.POLICY, Act.GRANT), (Kind.ORGANISATION, Act.GRANT)]
    assert [(kind, act) for kind, act in acts if ACCESS.allows(part, act, kind, own=True, now=NOW)] == []
    assert {(k, a) for k, a in acts if not ACCESS.allows(whole, a, k, own=True, now=NOW)} == {
        (Kind.JOB, Act.CREATE),
        (Kind.JOB, Act.UPDATE),
    }


@pytest.mark.parametrize("kind", sorted(set(Kind) - OUTSIDE_MODELS))
def test_a_decision_in_a_model_needs_its_state(kind: Kind) -> None:
    with pytest.raises(ValueError, match="needs the state of its model"):
        ACCESS.allows(person(Grant(Role.ADMIN)), Act.READ, kind, now=NOW)


def test_nothing_is_allowed_to_the_suspended() -> None:
    principal = person(*(Grant(role) for role in Role), suspended=True)
    questions = product(Act, Kind, StateGroup, (False, True))
    assert not any(
        ACCESS.allows(principal, act, kind, state=state, model_id=1, own=own, now=NOW)
        for act, kind, state, own in questions
    )
    assert ACCESS.explain(principal, Act.READ, Kind.CRM, now=NOW).row == ("suspended",)


def test_own_comments_may_be_edited_and_others_not() -> None:
    principal = person(Grant(Role.PLANNER))
    answers = [
        ACCESS.allows(principal, Act.UPDATE, Kind.THREAD, state=PLANNING, model_id=1, own=own, now=NOW)
        for own in (True, False)
    ]
    assert answers == [True, False]


@given(PEOPLE, GRANTS, st.sampled_from(Kind), st.sampled_from(Act), st.sampled_from(PATHS))
def test_a_further_grant_takes_nothing_away(
    principal: Principal, grant: Grant, kind: Kind, act: Act, path: str
) -> None:
    more = person(*principal.grants, grant, suspended=principal.suspended)
    for state, own in product(StateGroup, (False, True)):
        ask = {"state": state, "model_id": 1, "path": path, "own": own, "now": NOW}
        assert ACCESS.allows(more, act, kind, **ask) or not ACCESS.allows(principal, act, kind, **ask)  # type: ignore[arg-type]


def covering(principal: Principal, act: Act, kind: Kind, model_id: int, path: str) -> set[Role]:
    """What `roles_covering` must find, said plainly."""
    if principal.suspended:
        return set()
    live = [grant for grant in principal.grants if grant.expires_at is None or grant.expires_at > NOW]
    if kind in {Kind.CRM, Kind.ORGANISATION, Kind.JOB} and act in {Act.READ, Act.READ_MONEY}:
        return {grant.role for grant in live}
    here = [grant for grant in live if grant.model_id is None or grant.model_id == model_id]
    names = path.split("/")[1:-1]
    whole = (kind, act) == (Kind.MODEL, Act.READ)
    return {g.role for g in here if whole or names[: g.path.count("/") - 1] == g.path.split("/")[1:-1]}


@given(PEOPLE, st.sampled_from(Act), st.sampled_from(Kind), st.sampled_from([1, 2, 3]), st.sampled_from(PATHS))
def test_roles_covering_agrees_with_the_plain_rule(
    principal: Principal, act: Act, kind: Kind, model_id: int, path: str
) -> None:
    found = ACCESS.roles_covering(principal, act, kind, model_id=model_id, path=path, now=NOW)
    assert found == covering(principal, act, kind, model_id, path)


@given(PEOPLE, st.sampled_from(Act), st.sampled_from(Kind), st.sampled_from(PATHS), st.booleans())
def test_explain_and_require_agree_with_allows(
    principal: Principal, act: Act, kind: Kind, path: str, own: bool
) -> None:
    ask = {"state": PLANNING, "model_id": 1, "path": path, "own": own, "now": NOW}
    verdict = ACCESS.allows(principal, act, kind, **ask)  # type: ignore[arg-type]
    assert ACCESS.explain(principal, act, kind, **ask).allowed is verdict  # type: ignore[arg-type]
    try:
        ACCESS.require(principal, act, kind, **ask)  # type: ignore[arg-type]
    except Forbidden:
        assert not verdict
    else:
        assert verdict


def refusal(principal: Principal, act: Act, kind: Kind, state: StateGroup | None) -> Forbidden:
    with pytest.raises(Forbidden) as caught:
        ACCESS.require(principal, act, kind, state=state, model_id=1, now=NOW)
    return caught.value


def test_a_refusal_says_what_and_which_role_it_takes() -> None:
    error = refusal(person(Grant(Role.VIEWER)), Act.MOVE, Kind.TERRITORY, PLANNING)
    assert error.message == (
        "You may not move territories in a model that is planning: it takes the role planner or admin there."
    )
    assert error.details == {
        "act": "move",
        "kind": "territory",
        "state": "planning",
        "roles": ["planner", "admin"],
    }


def test_a_refusal_outside_models_speaks_of_no_state() -> None:
    error = refusal(person(Grant(Role.VIEWER)), Act.READ_MONEY, Kind.CRM, None)
    assert error.message == (
        "You may not see the amounts of CRM records: it takes the role planner or manager or forecaster or admin."
    )


def test_a_refusal_says_that_only_authors_may() -> None:
    error = refusal(person(Grant(Role.ADMIN)), Act.UPDATE, Kind.THREAD, PLANNING)
    assert error.message == (
        "You may not change threads in a model that is planning: "
        "only their author may, with the role planner or manager or admin there."
    )


def test_a_refusal_says_that_no_role_may() -> None:
    error = refusal(person(Grant(Role.ADMIN)), Act.UPDATE, Kind.TERRITORY, StateGroup.ARCHIVED)
    assert error.message == "You may not change territories in a model that is archived: no role allows it."


def test_the_suspended_are_told_so() -> None:
    error = refusal(person(Grant(Role.ADMIN), suspended=True), Act.READ, Kind.CRM, None)
    assert error.message == "Your account is suspended; ask an administrator."
