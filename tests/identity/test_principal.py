"""What a key is held to: never more than its user has, and all that both reach."""

from datetime import timedelta
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.access.people import ACCESS, GRANTS, NOW, PATHS, person

from etm_graph.access.decisions import is_live
from etm_graph.core.access import Act, Grant, Kind, Role, StateGroup
from etm_graph.identity.principal import AuthMethod, Principal, narrow

SOON = NOW + timedelta(hours=1)


@settings(deadline=None)
@given(st.lists(GRANTS, max_size=4), st.lists(GRANTS, max_size=3), st.sampled_from([1, 2, 3]), st.sampled_from(PATHS))
def test_a_cut_grant_counts_exactly_where_a_grant_and_a_scope_of_its_role_do(
    grants: list[Grant], scopes: list[Grant], model_id: int, path: str
) -> None:
    def roles(some: list[Grant] | tuple[Grant, ...]) -> set[Role]:
        return {g.role for g in some if is_live(g, NOW) and g.model_id in {None, model_id} and path.startswith(g.path)}

    assert roles(narrow(grants, scopes)) == roles(grants) & roles(scopes)


@settings(deadline=None, max_examples=50)
@given(st.lists(GRANTS, max_size=4), st.lists(GRANTS, max_size=3), st.sampled_from(Kind), st.sampled_from(PATHS))
def test_a_key_may_nothing_that_its_user_may_not(
    grants: list[Grant], scopes: list[Grant], kind: Kind, path: str
) -> None:
    user, key = person(*grants), person(*narrow(grants, scopes))
    for act, state in product(Act, StateGroup):
        if ACCESS.allows(key, act, kind, state=state, model_id=1, path=path, now=NOW):
            assert ACCESS.allows(user, act, kind, state=state, model_id=1, path=path, now=NOW)


def test_claims_add_and_scopes_cut() -> None:
    claimed = (Grant(Role.PLANNER, None, "/", SOON),)
    stored = (Grant(Role.REP, 1, "/EMEA/"),)
    both = Principal(7, "pat", (), suspended=False, method=AuthMethod.JWT, claimed=claimed)
    assert both.rights(stored) == (*stored, *claimed)
    scopes = (Grant(Role.PLANNER, 2, "/EMEA/"), Grant(Role.ADMIN))
    held = Principal(7, "pat", (), suspended=False, method=AuthMethod.API_KEY, claimed=claimed, scopes=scopes)
    assert held.rights(stored) == (Grant(Role.PLANNER, 2, "/EMEA/", SOON),)
