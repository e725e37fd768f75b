"""Principals, grants and objects to decide about."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from etm_graph.access.decisions import Access
from etm_graph.access.snapshot import default_policy_folder
from etm_graph.core.access import Grant, Role
from etm_graph.identity.principal import AuthMethod, Principal

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ACCESS = Access(default_policy_folder())
ME, SOMEBODY = 7, 8
PATHS = ["/", "/A/", "/A/B/", "/A/B/C/", "/A/B2/", "/A0/", "/AB/", "/a/", "/Z/"]


def person(*grants: Grant, suspended: bool = False) -> Principal:
    return Principal(ME, "me", grants, suspended, AuthMethod.JWT)


GRANTS = st.builds(
    Grant,
    role=st.sampled_from(Role),
    model_id=st.sampled_from([None, None, 1, 2]),
    path=st.sampled_from(["/", *PATHS]),
    expires_at=st.sampled_from([None, None, NOW + timedelta(hours=1), NOW, NOW - timedelta(hours=1)]),
)
PEOPLE = st.builds(
    lambda grants, suspended: person(*grants, suspended=suspended),
    st.lists(GRANTS, max_size=5),
    st.sampled_from([False] * 9 + [True]),
)
