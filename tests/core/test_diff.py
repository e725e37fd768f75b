"""Differences of structures: found, counted, made and taken back."""

import pytest
from hypothesis import given, settings
from tests.strategies import structures

from etm_graph.core.changes import EntityType
from etm_graph.core.diff import Difference, DifferenceKind, apply, count_kinds, diff, invert
from etm_graph.core.structure import Structure, name_of_territory, paths_of, rest_of_key

TERRITORY, LINK = EntityType.TERRITORY, EntityType.RULE_LINK


def plain(structure: Structure) -> dict[EntityType, dict[str, dict[str, object]]]:
    """Without empty types and null fields, which mean the same as absent ones."""
    full = {
        entity_type: {
            key: {name: value for name, value in fields.items() if value is not None} for key, fields in found.items()
        }
        for entity_type, found in structure.items()
    }
    return {entity_type: found for entity_type, found in full.items() if found}


@settings(deadline=None)
@given(structures(), structures())
def test_made_differences_lead_to_the_other_structure_and_inverted_ones_back(a: Structure, b: Structure) -> None:
    found = diff(a, b)
    assert plain(apply(found, a)) == plain(b)
    assert plain(apply(invert(found), b)) == plain(a)
    assert [(item.entity_type, item.key) for item in diff(b, a)] == [(item.entity_type, item.key) for item in found]


@settings(deadline=None)
@given(structures())
def test_a_structure_does_not_differ_from_itself(a: Structure) -> None:
    assert diff(a, a) == ()


@settings(deadline=None)
@given(structures(), structures())
def test_every_difference_has_a_kind_and_counts_add_up(a: Structure, b: Structure) -> None:
    found = diff(a, b)
    assert all(item.kinds for item in found)
    total = sum(number for counts in count_kinds(found).values() for number in counts.values())
    assert total == sum(len(item.kinds) for item in found)


def test_a_territory_is_moved_renamed_and_changed_at_once_field_by_field() -> None:
    before = {"name": "Old", "parent": "World", "inherit_only": False, "type": "Geo"}
    after = {"name": "New", "parent": "Europe", "inherit_only": True, "type": "Geo"}
    (found,) = diff({TERRITORY: {"DE": before}}, {TERRITORY: {"DE": after}})
    assert found == Difference(TERRITORY, "DE", before, after)
    assert found.kinds == (DifferenceKind.MOVED, DifferenceKind.RENAMED, DifferenceKind.CHANGED)
    assert found.fields == ("inherit_only", "name", "parent")


def test_what_is_in_one_only_is_added_or_removed_with_all_its_fields() -> None:
    found = diff({LINK: {"R/DE": {"applies_to_descendants": True}}}, {TERRITORY: {"FR": {"name": "France"}}})
    assert [(item.key, item.kinds, item.fields) for item in found] == [
        ("FR", (DifferenceKind.ADDED,), ("name",)),
        ("R/DE", (DifferenceKind.REMOVED,), ("applies_to_descendants",)),
    ]


def test_differences_are_not_made_on_a_structure_that_they_were_not_found_from() -> None:
    found = diff({TERRITORY: {"DE": {"name": "A"}}}, {TERRITORY: {"DE": {"name": "B"}}})
    with pytest.raises(ValueError, match="TERRITORY DE is not as the difference found it"):
        apply(found, {TERRITORY: {"DE": {"name": "C"}}})


@pytest.mark.parametrize(
    ("entity_type", "key", "territory", "rest"),
    [
        (TERRITORY, "DE", "DE", None),
        (LINK, "Rule/DE", "DE", "Rule"),
        (EntityType.MEMBERSHIP, "DE/ann/smith", "DE", "ann/smith"),
        (EntityType.EXCLUSION, "DE/7", "DE", "7"),
        (EntityType.RULE, "Rule", None, "Rule"),
        (EntityType.TYPE_PRIORITY, "Geo", None, "Geo"),
    ],
)
def test_keys_name_a_territory_and_something_in_it(
    entity_type: EntityType, key: str, territory: str | None, rest: str | None
) -> None:
    assert (name_of_territory(entity_type, key), rest_of_key(entity_type, key)) == (territory, rest)


def test_paths_follow_parents_and_survive_missing_ones_and_cycles() -> None:
    nodes = {"A": {"parent": None}, "B": {"parent": "A"}, "C": {"parent": "gone"}}
    assert paths_of({TERRITORY: nodes}) == {"A": "/A/", "B": "/A/B/", "C": "/C/"}
    assert set(paths_of({TERRITORY: {"A": {"parent": "B"}, "B": {"parent": "A"}}})) == {"A", "B"}
