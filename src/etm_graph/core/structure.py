"""A model's structure as values: what can be compared, merged and rebuilt, by names that survive cloning.

Entities have the keys of their changes (core/changes.py): a developer name, or parts joined by "/". Their fields are JSON
values and refer to others by name too, so that structures of different models, and of one model at different times, are
of the same kind.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from etm_graph.core.changes import STRUCTURAL, EntityType
from etm_graph.core.hierarchy import SEPARATOR, child_path

Fields = Mapping[str, object]
"""An entity's fields by name."""

Entities = Mapping[str, Fields]
"""Entities of one type by key."""

Structure = Mapping[EntityType, Entities]
"""The structural entities of a model by type; a type that is absent has none."""

ENTITY_ORDER: tuple[EntityType, ...] = tuple(entity for entity in EntityType if entity in STRUCTURAL)
"""The order in which structures are told."""

EMPTY: Structure = MappingProxyType({})
"""The structure of no model."""

CUSTOM = "custom."
"""What the names of custom fields begin with."""


def name_of_territory(entity_type: EntityType, key: str) -> str | None:
    """The developer name of the territory that an entity is in; None for those of the model as a whole."""
    if entity_type is EntityType.TERRITORY:
        return key
    if entity_type is EntityType.RULE_LINK:
        return key.partition(SEPARATOR)[2]
    if entity_type in {EntityType.MEMBERSHIP, EntityType.ASSIGNMENT, EntityType.EXCLUSION}:
        return key.partition(SEPARATOR)[0]
    return None


def rest_of_key(entity_type: EntityType, key: str) -> str | None:
    """The part of a key that is not the territory: a rule, a user name, an account; None for a territory itself."""
    if entity_type is EntityType.TERRITORY:
        return None
    if entity_type in {EntityType.MEMBERSHIP, EntityType.ASSIGNMENT, EntityType.EXCLUSION}:
        return key.partition(SEPARATOR)[2]
    return key.partition(SEPARATOR)[0]


def paths_of(structure: Structure) -> dict[str, str]:
    """The path of every territory, by developer name; one whose parent is not there counts as a root."""
    nodes = structure.get(EntityType.TERRITORY, {})
    paths: dict[str, str] = {}

    def follow(name: str, seen: frozenset[str]) -> str:
        if name not in paths:
            parent = nodes[name].get("parent")
            above = parent if isinstance(parent, str) and parent in nodes and parent not in seen else None
            paths[name] = child_path(None if above is None else follow(above, seen | {name}), name)
        return paths[name]

    for name in nodes:
        follow(name, frozenset())
    return paths


def restrict(structure: Structure, keep: Callable[[EntityType, str], bool]) -> Structure:
    """The part of a structure whose (type, key) are to be kept."""
    return {
        entity_type: {key: fields for key, fields in entities.items() if keep(entity_type, key)}
        for entity_type, entities in structure.items()
    }
