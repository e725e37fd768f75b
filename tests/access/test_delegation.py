"""Never more than one has oneself: against the whole policy, cell by cell."""

from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.access import oracle
from tests.access.people import ACCESS, GRANTS, NOW, PATHS

from etm_graph.access.decisions import is_live
from etm_graph.access.delegation import exceeding, holds, roles_behind
from etm_graph.core.access import Act, Grant, Kind, Role, StateGroup

LATER, SOON = NOW + timedelta(days=9), NOW + timedelta(days=1)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(Role), st.frozensets(st.sampled_from(Role)))
def test_a_role_exceeds_others_exactly_where_the_oracle_says(role: Role, own: frozenset[Role]) -> None:
    cells = product(Kind, StateGroup, Act, (False, True))
    more = [c for c in cells if oracle.allowed({role}, *c) and not (own and oracle.allowed(own, *c))]
    found = exceeding(ACCESS.snapshot, role, own)
    assert (found is None) == (more == [] or role in own)
    if found is not None:
        assert found in {cell[:3] for cell in more}


def test_what_a_manager_may_hand_on() -> None:
    manager = frozenset({Role.MANAGER})
    given_on = {role for role in Role if exceeding(ACCESS.snapshot, role, manager) is None}
    assert given_on == {Role.VIEWER, Role.REP, Role.MANAGER}


@pytest.mark.parametrize(
    ("own", "wanted", "expected"),
    [
        (Grant(Role.MANAGER), Grant(Role.REP, 1, "/A/"), True),
        (Grant(Role.MANAGER, 1, "/A/"), Grant(Role.REP, 1, "/A/B/"), True),
        (Grant(Role.MANAGER, 1, "/A/"), Grant(Role.REP, 1, "/A/"), True),
        (Grant(Role.MANAGER, 1, "/A/"), Grant(Role.REP, 1, "/A0/"), False),
        (Grant(Role.MANAGER, 1, "/A/"), Grant(Role.REP, 1, "/"), False),
        (Grant(Role.MANAGER, 1, "/A/"), Grant(Role.REP, 2, "/A/"), False),
        (Grant(Role.MANAGER, 1, "/A/"), Grant(Role.REP, None, "/A/"), False),
        (Grant(Role.MANAGER, None, "/", SOON), Grant(Role.REP, 1, "/A/"), False),
        (Grant(Role.MANAGER, None, "/", SOON), Grant(Role.REP, 1, "/A/", LATER), False),
        (Grant(Role.MANAGER, None, "/", SOON), Grant(Role.REP, 1, "/A/", SOON), True),
        (Grant(Role.MANAGER, None, "/", None), Grant(Role.REP, 1, "/A/", LATER), True),
    ],
)
def test_a_grant_holds_another_only_within_its_model_path_and_time(own: Grant, wanted: Grant, expected: bool) -> None:
    assert holds(own, wanted) is expected


@settings(deadline=None)
@given(st.lists(GRANTS, max_size=4), GRANTS, st.sampled_from([1, 2, 3]), st.sampled_from(PATHS))
def test_roles_behind_a_grant_are_had_wherever_it_reaches(
    own: list[Grant], wanted: Grant, model_id: int, path: str
) -> None:
    behind = roles_behind(own, wanted, NOW)
    if (wanted.model_id in {None, model_id}) and path.startswith(wanted.path):
        there = {g.role for g in own if is_live(g, NOW) and g.model_id in {None, model_id} and path.startswith(g.path)}
        assert behind <= there
