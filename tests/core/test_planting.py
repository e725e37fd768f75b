"""Trees out of a management hierarchy and out of a table."""

from hypothesis import given
from hypothesis import strategies as st

from etm_graph.core.names import DEVELOPER_NAME
from etm_graph.core.planting import BadRow, Person, plant_hierarchy, plant_table

PEOPLE = [
    Person("ceo", "Ceo", None),
    Person("vp.east", "East", "ceo"),
    Person("vp-west", "West", "ceo", active=False),
    Person("anna", "Anna", "vp.east"),
    Person("ben", "Ben", "vp-west"),
    Person("gone", "Gone", "vp.east", active=False),
    Person("solo", "Solo", None),
]


def test_every_manager_gets_a_territory_below_that_of_the_managers_own() -> None:
    planted = plant_hierarchy(PEOPLE, "Geo")
    assert [(p.developer_name, p.parent, p.forecast_manager, dict(p.members)) for p in planted] == [
        ("ceo", None, "ceo", {"ceo": "Manager", "vp.east": None}),
        ("vp_east", "ceo", "vp.east", {"vp.east": "Manager", "anna": None}),
        ("vp_west", "ceo", None, {"ben": None}),
    ]


def test_only_a_part_of_the_hierarchy() -> None:
    assert [p.developer_name for p in plant_hierarchy(PEOPLE, "Geo", "vp.east")] == ["vp_east"]


@given(st.lists(st.tuples(st.text(max_size=90), st.integers(0, 30), st.booleans()), max_size=30))
def test_any_hierarchy_makes_a_tree_that_a_model_can_have(raw: list[tuple[str, int, bool]]) -> None:
    names = list(dict.fromkeys(name for name, _, _ in raw))
    people = [
        Person(name, name or "x", names[at] if at < place else None, active)
        for place, (name, (_, at, active)) in enumerate(zip(names, raw, strict=False))
    ]
    planted = plant_hierarchy(people, "Geo")
    seen: set[str] = set()
    for node in planted:
        assert DEVELOPER_NAME.fullmatch(node.developer_name)
        assert node.developer_name not in seen
        assert node.parent is None or node.parent in seen
        assert node.forecast_manager is None or node.forecast_manager in node.members
        seen.add(node.developer_name)
    leading = {p.manager for p in people if p.active}
    assert leading - {None} <= {name for node in planted for name in [next(iter(node.members), None)]} | {
        p.user_name for p in people if not p.active
    }


def test_a_table_in_any_order_makes_a_tree() -> None:
    text = (
        "developerName,parent,type,name,forecastManager,members\n"
        "Denver,West,Geo,,anna,ben:Overlay; cara\nWest,World,Geo,The West,,\nWorld,,Geo,,,\n"
    )
    planted, bad = plant_table(text, {"Geo"}, {"anna", "ben", "cara"})
    assert bad == []
    assert [(p.developer_name, p.parent, p.name, dict(p.members)) for p in planted] == [
        ("World", None, "World", {}),
        ("West", "World", "The West", {}),
        ("Denver", "West", "Denver", {"ben": "Overlay", "cara": None, "anna": None}),
    ]


def test_every_bad_row_is_told_with_its_line_and_reason() -> None:
    text = "developerName,parent,type,forecastManager\n1bad,,Geo,\nA,B,Geo,\nB,A,Geo,\nC,Nowhere,Geo,\nC,,Geo,\nD,,Odd,nobody\nE,,Geo,,x\n"
    planted, bad = plant_table(text, {"Geo"}, {"anna"})
    assert planted == []
    assert {(row.line, row.column) for row in bad} == {
        (2, "developerName"), (3, "parent"), (4, "parent"), (5, "parent"), (6, "developerName"), (7, "type"),
        (7, "forecastManager"), (8, None),
    }  # fmt: skip
    assert BadRow(5, "parent", "There is no territory Nowhere in the file.") in bad
    assert BadRow(3, "parent", "It is its own ancestor.") in bad
