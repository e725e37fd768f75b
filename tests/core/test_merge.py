"""The laws of merging, and each kind of conflict."""

from hypothesis import given
from hypothesis import strategies as st

from etm_graph.core.changes import ChangeKind, EntityType
from etm_graph.core.facts import Fact, Fields, Step, Structure, differences, find_cycle, paths, rewind, violations
from etm_graph.core.merge import Choice, ConflictKind, Side, merge

T, R, L, M = EntityType.TERRITORY, EntityType.RULE, EntityType.RULE_LINK, EntityType.MEMBERSHIP
NAMES = "ABCDE"
NODES = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.sampled_from([None, *NAMES]),
        st.sampled_from("xy"),
        st.sampled_from([None, "u", "v"]),
        st.booleans(),
    ),
    max_size=5,
    unique_by=lambda node: node[0],
)
RULES = st.lists(
    st.tuples(st.sampled_from("PQ"), st.sampled_from("xy"), st.sampled_from(NAMES), st.booleans()),
    max_size=2,
    unique_by=lambda rule: rule[0],
)


@st.composite
def structures(draw: st.DrawFn) -> dict[Fact, Fields]:
    """Valid structures over few names, so that two of them meet."""
    facts: dict[Fact, Fields] = {}
    for name, above, text, user, managed in draw(NODES):
        parent = above if (T, above) in facts else None
        manager = user if managed else None
        facts[T, name] = {"name": text, "parent": parent, "forecast_manager": manager}
        if user:
            facts[M, f"{name}/{user}"] = {"role": text}
    for rule, text, node, down in draw(RULES):
        facts[R, rule] = {"logic": text}
        if (T, node) in facts:
            facts[L, f"{rule}/{node}"] = {"down": down}
    return facts


def test_the_strategy_makes_valid_structures() -> None:
    @given(structures())
    def check(facts: Structure) -> None:
        assert violations(facts) == []

    check()


@given(structures(), structures())
def test_merging_with_an_unchanged_side_gives_the_other(base: Structure, other: Structure) -> None:
    first, second = merge(base, other, base), merge(base, base, other)
    assert (first.structure, first.conflicts) == (other, [])
    assert (second.structure, second.conflicts) == (other, [])


@given(structures(), structures())
def test_merging_the_same_change_twice_gives_it_once(base: Structure, other: Structure) -> None:
    merged = merge(base, other, other)
    assert (merged.structure, merged.conflicts) == (other, [])


@given(structures(), structures(), structures())
def test_without_conflict_the_sides_can_be_exchanged(base: Structure, ours: Structure, theirs: Structure) -> None:
    one, other = merge(base, ours, theirs), merge(base, theirs, ours)
    assert bool(one.conflicts) == bool(other.conflicts)
    if not one.conflicts:
        assert one.structure == other.structure
        assert violations(one.structure) == []


@given(structures(), structures(), structures(), st.data())
def test_when_every_conflict_is_resolved_the_result_is_valid(
    base: Structure, ours: Structure, theirs: Structure, data: st.DataObject
) -> None:
    choices: dict[str, Choice] = {}
    merged = merge(base, ours, theirs)
    for _ in range(50):
        if not merged.open:
            break
        key = merged.open[0].key
        choices[key] = Choice(data.draw(st.sampled_from([Side.OURS, Side.THEIRS])))
        merged = merge(base, ours, theirs, choices)
    assert merged.open == []
    assert violations(merged.structure) == []


@given(structures(), structures())
def test_rewinding_what_was_done_gives_what_was(before: Structure, after: Structure) -> None:
    steps = []
    for found in differences(before, after):
        if found.before is None:
            steps.append(Step(found.fact, ChangeKind.CREATED, {}, found.after or {}))
        elif found.after is None:
            steps.append(Step(found.fact, ChangeKind.DELETED, found.before, {}))
        else:
            changed = {name for name in found.before if found.before[name] != found.after[name]}
            steps.append(
                Step(
                    found.fact,
                    ChangeKind.UPDATED,
                    {name: found.before[name] for name in changed},
                    {name: found.after[name] for name in changed},
                )
            )
    assert rewind(after, steps) == before


def node(parent: str | None = None, name: str = "x") -> Fields:
    return {"name": name, "parent": parent, "forecast_manager": None}


BASE: Structure = {(T, "A"): node(), (T, "B"): node("A"), (T, "C"): node("A")}


def kinds(ours: Structure, theirs: Structure, **choices: Side) -> tuple[list[tuple[ConflictKind, str]], Structure]:
    merged = merge(BASE, ours, theirs, {key.replace("_", ":"): Choice(side) for key, side in choices.items()})
    return [(found.kind, found.key) for found in merged.open], merged.structure


def test_different_fields_of_one_territory_are_both_kept() -> None:
    ours = {**BASE, (T, "B"): node("A", "ours")}
    theirs = {**BASE, (T, "B"): node("C")}
    assert kinds(ours, theirs) == ([], {**BASE, (T, "B"): node("C", "ours")})


def test_a_field_changed_twice_is_a_conflict_that_each_choice_resolves() -> None:
    ours, theirs = {**BASE, (T, "B"): node("A", "ours")}, {**BASE, (T, "B"): node("A", "theirs")}
    assert kinds(ours, theirs)[0] == [(ConflictKind.FIELD_CHANGED_TWICE, "TERRITORY:B:name")]
    assert kinds(ours, theirs, TERRITORY_B_name=Side.OURS) == ([], ours)
    assert kinds(ours, theirs, TERRITORY_B_name=Side.THEIRS) == ([], theirs)
    chosen = merge(BASE, ours, theirs, {"TERRITORY:B:name": Choice(Side.VALUE, "both")})
    assert (chosen.open, chosen.structure[T, "B"]["name"]) == ([], "both")


def test_a_deletion_against_a_change_is_a_conflict() -> None:
    ours = {fact: fields for fact, fields in BASE.items() if fact != (T, "B")}
    theirs = {**BASE, (T, "B"): node("A", "theirs")}
    assert kinds(ours, theirs)[0] == [(ConflictKind.DELETED_AND_CHANGED, "TERRITORY:B")]
    assert kinds(ours, theirs, TERRITORY_B=Side.OURS) == ([], ours)
    assert kinds(ours, theirs, TERRITORY_B=Side.THEIRS) == ([], theirs)


def test_the_same_name_added_twice_is_a_conflict() -> None:
    ours, theirs = {**BASE, (T, "D"): node("A", "ours")}, {**BASE, (T, "D"): node("B", "theirs")}
    assert kinds(ours, theirs)[0] == [(ConflictKind.ADDED_TWICE, "TERRITORY:D")]
    assert kinds(ours, theirs, TERRITORY_D=Side.THEIRS) == ([], theirs)


def test_moved_to_two_places_is_a_conflict() -> None:
    ours, theirs = {**BASE, (T, "B"): node("C")}, {**BASE, (T, "B"): node(None)}
    assert kinds(ours, theirs)[0] == [(ConflictKind.MOVED_TWICE, "TERRITORY:B:parent")]


def test_two_moves_that_make_a_cycle_are_a_conflict() -> None:
    ours, theirs = {**BASE, (T, "B"): node("C")}, {**BASE, (T, "C"): node("B")}
    assert kinds(ours, theirs)[0] == [(ConflictKind.CYCLE_BY_TWO_MOVES, "TERRITORY:B:parent")]
    assert kinds(ours, theirs, TERRITORY_B_parent=Side.OURS) == ([], ours)
    assert kinds(ours, theirs, TERRITORY_B_parent=Side.THEIRS) == ([], theirs)


def test_a_child_of_a_deleted_territory_is_a_conflict() -> None:
    ours = {**BASE, (T, "D"): node("B")}
    theirs = {fact: fields for fact, fields in BASE.items() if fact != (T, "B")}
    assert kinds(ours, theirs)[0] == [(ConflictKind.NEEDED_BUT_DELETED, "TERRITORY:B")]
    assert kinds(ours, theirs, TERRITORY_B=Side.OURS) == ([], ours)
    assert kinds(ours, theirs, TERRITORY_B=Side.THEIRS) == ([], theirs)


def test_paths_and_cycles_of_trees() -> None:
    assert paths({"A": None, "C": "B", "B": "A"}) == {"A": "/A/", "B": "/A/B/", "C": "/A/B/C/"}
    assert find_cycle({"A": "B", "B": "C", "C": "B"}) == ["B", "C"]
    assert find_cycle({"A": None, "B": "A"}) == []
