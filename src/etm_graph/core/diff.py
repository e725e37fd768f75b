"""What differs between two structures, and structures from differences (docs/domain.md, "Preview and compare").

A difference carries an entity whole, before and after, so that `apply(diff(a, b), a)` is b, its inverse leads back, and
merges have what they need.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from etm_graph.core.changes import EntityType
from etm_graph.core.structure import ENTITY_ORDER, Entities, Fields, Structure

PARENT, NAME = "parent", "name"


class DifferenceKind(StrEnum):
    """How an entity differs."""

    ADDED = "ADDED"
    REMOVED = "REMOVED"
    MOVED = "MOVED"
    RENAMED = "RENAMED"
    CHANGED = "CHANGED"


@dataclass(frozen=True, slots=True)
class Difference:
    """One entity that is not the same in two structures.

    before: its fields in the first, None when it is not there. after: in the second.
    """

    entity_type: EntityType
    key: str
    before: Fields | None
    after: Fields | None

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields whose values differ, in alphabetical order; all of them when one side has none."""
        before, after = self.before or {}, self.after or {}
        if self.before is None or self.after is None:
            return tuple(sorted({*before, *after}))
        return tuple(name for name in sorted({*before, *after}) if before.get(name) != after.get(name))

    @property
    def kinds(self) -> tuple[DifferenceKind, ...]:
        """ADDED or REMOVED, or all of MOVED (the parent), RENAMED (the name) and CHANGED (any other field) that hold."""
        if self.before is None:
            return (DifferenceKind.ADDED,)
        if self.after is None:
            return (DifferenceKind.REMOVED,)
        differing = self.fields
        found = {PARENT: DifferenceKind.MOVED, NAME: DifferenceKind.RENAMED}
        kinds = {found.get(name, DifferenceKind.CHANGED) for name in differing}
        return tuple(kind for kind in DifferenceKind if kind in kinds)


def _differences(entity_type: EntityType, first: Entities, second: Entities) -> Iterable[Difference]:
    for key in sorted({*first, *second}):
        before, after = first.get(key), second.get(key)
        if not _same(before, after):
            yield Difference(entity_type, key, before, after)


def _same(before: Fields | None, after: Fields | None) -> bool:
    """Whether an entity is there in both and no field differs; a field that is absent is null."""
    if before is None or after is None:
        return before is after
    return before == after or all(before.get(name) == after.get(name) for name in {*before, *after})


def diff(first: Structure, second: Structure) -> tuple[Difference, ...]:
    """What makes `second` of `first`, by type and key."""
    return tuple(
        difference
        for entity_type in ENTITY_ORDER
        for difference in _differences(entity_type, first.get(entity_type, {}), second.get(entity_type, {}))
    )


def invert(differences: Iterable[Difference]) -> tuple[Difference, ...]:
    """The differences that lead back."""
    return tuple(Difference(item.entity_type, item.key, item.after, item.before) for item in differences)


def apply(differences: Iterable[Difference], structure: Structure) -> Structure:
    """The structure with differences made; raises `ValueError` where it is not what they were found from."""
    made = {entity_type: dict(entities) for entity_type, entities in structure.items()}
    for item in differences:
        entities = made.setdefault(item.entity_type, {})
        if not _same(entities.get(item.key), item.before):
            raise ValueError(f"{item.entity_type} {item.key} is not as the difference found it")
        if item.after is None:
            del entities[item.key]
        else:
            entities[item.key] = item.after
    return made


def count_kinds(differences: Iterable[Difference]) -> Mapping[EntityType, Mapping[DifferenceKind, int]]:
    """How many differences there are of each type and kind; one that is moved and renamed counts in both."""
    counts: dict[EntityType, dict[DifferenceKind, int]] = {}
    for item in differences:
        of_type = counts.setdefault(item.entity_type, dict.fromkeys(DifferenceKind, 0))
        for kind in item.kinds:
            of_type[kind] += 1
    return counts
