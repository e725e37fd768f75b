"""Record access against a slow, obvious reference: walk up from every territory of the record."""

from hypothesis import given
from hypothesis import strategies as st

from etm_graph.core.record_access import LEVELS, Member, RecordKind, RecordTerritory, effective_access

PATHS = ["/A/", "/A/B/", "/A/B/C/", "/A/B2/", "/A0/", "/D/"]
LEVEL = st.fixed_dictionaries({kind: st.sampled_from(LEVELS) for kind in RecordKind})
PLACES = st.lists(st.tuples(st.sampled_from(PATHS), LEVEL), max_size=4, unique_by=lambda pair: pair[0]).map(
    lambda pairs: [RecordTerritory(PATHS.index(path), path, levels) for path, levels in pairs]
)
MEMBERS = st.lists(st.tuples(st.integers(1, 3), st.sampled_from(PATHS)), max_size=8, unique=True).map(
    lambda pairs: [Member(user, PATHS.index(path), path) for user, path in pairs]
)


def parents(path: str) -> list[str]:
    """The territory and those above it, one by one."""
    names = path.strip("/").split("/")
    return ["/" + "/".join(names[:depth]) + "/" for depth in range(len(names), 0, -1)]


@given(PLACES, MEMBERS)
def test_levels_are_inherited_upward_and_the_highest_counts(
    places: list[RecordTerritory], members: list[Member]
) -> None:
    expected: dict[int, dict[RecordKind, int]] = {}
    for place in places:
        for above in parents(place.path):
            for member in members:
                if member.path == above:
                    best = expected.setdefault(member.user_id, dict.fromkeys(RecordKind, 0))
                    for kind in RecordKind:
                        best[kind] = max(best[kind], LEVELS.index(place.levels[kind]))
    found = effective_access(places, members)
    assert {user: {k: LEVELS.index(v) for k, v in access.levels.items()} for user, access in found.items()} == expected


def test_a_parent_gets_what_the_childs_territory_says_not_its_own() -> None:
    read, edit = dict.fromkeys(RecordKind, "READ"), dict.fromkeys(RecordKind, "EDIT")
    california, san_francisco = RecordTerritory(1, "/CA/", edit), RecordTerritory(2, "/CA/SF/", read)
    boss, rep = Member(7, 1, "/CA/"), Member(8, 2, "/CA/SF/")
    in_san_francisco = effective_access([san_francisco], [boss, rep])
    assert {user: access.levels[RecordKind.ACCOUNT] for user, access in in_san_francisco.items()} == {
        7: "READ",
        8: "READ",
    }
    in_california = effective_access([california], [boss, rep])
    assert {user: access.levels[RecordKind.ACCOUNT] for user, access in in_california.items()} == {7: "EDIT"}
    both = effective_access([california, san_francisco], [boss])[7]
    assert (both.levels[RecordKind.CASE], len(both.ways)) == ("EDIT", 2)
