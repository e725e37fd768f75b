"""A model's structure as facts by name: what change sets, undo, restore and rebase compare and merge.

Names survive cloning and deletion, numbers do not. A fact is an entity with its key (developerName, or parts joined by
"/"), its fields hold JSON values; a field that refers to something does it by name.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from etm_graph.core.changes import ChangeKind, EntityType
from etm_graph.core.hierarchy import DEPTH_MAX, child_path

Fact = tuple[EntityType, str]
Fields = Mapping[str, object]
Structure = Mapping[Fact, Fields]

PARENT = "parent"
FORECAST_MANAGER = "forecast_manager"


@dataclass(frozen=True, slots=True)
class Step:
    """One change of a fact, in the log's order; before and after are in terms of facts."""

    fact: Fact
    kind: ChangeKind
    before: Fields
    after: Fields


def rewind(now: Structure, steps: Sequence[Step]) -> dict[Fact, Fields]:
    """The structure as it was before `steps`, which led from there to `now`."""
    facts = dict(now)
    for step in reversed(steps):
        if step.kind is ChangeKind.CREATED:
            facts.pop(step.fact, None)
        elif step.kind is ChangeKind.DELETED:
            facts[step.fact] = dict(step.before)
        elif step.fact in facts:
            facts[step.fact] = {**facts[step.fact], **step.before}
    return facts


@dataclass(frozen=True, slots=True)
class Reference:
    """That a fact needs another: as a part of its being, or (`field`) as a value that could be empty."""

    needs: Fact
    field: str | None = None


def references(fact: Fact, fields: Fields) -> list[Reference]:
    """The facts that a fact needs."""
    entity, key = fact
    first, _, second = key.partition("/")
    if entity is EntityType.TERRITORY:
        found = []
        if fields.get(PARENT) is not None:
            found.append(Reference((EntityType.TERRITORY, str(fields[PARENT])), PARENT))
        if fields.get(FORECAST_MANAGER) is not None:
            member = (EntityType.MEMBERSHIP, f"{key}/{fields[FORECAST_MANAGER]}")
            found.append(Reference(member, FORECAST_MANAGER))
        return found
    if entity is EntityType.RULE_LINK:
        return [Reference((EntityType.RULE, first)), Reference((EntityType.TERRITORY, second))]
    if entity in {EntityType.MEMBERSHIP, EntityType.ASSIGNMENT, EntityType.EXCLUSION}:
        return [Reference((EntityType.TERRITORY, first))]
    return []


def parents(structure: Structure) -> dict[str, str | None]:
    """The tree: each territory's parent, by name."""
    return {
        key: None if fields.get(PARENT) is None else str(fields[PARENT])
        for (entity, key), fields in structure.items()
        if entity is EntityType.TERRITORY
    }


def find_cycle(tree: Mapping[str, str | None]) -> list[str]:
    """The territories of some cycle in a tree, sorted; empty when there is none."""
    settled: set[str] = set()
    for start in sorted(tree):
        trail: list[str] = []
        seen: set[str] = set()
        name: str | None = start
        while name is not None and name not in settled and name not in seen:
            trail.append(name)
            seen.add(name)
            name = tree.get(name)
        if name in seen:
            return sorted(trail[trail.index(str(name)) :])
        settled |= seen
    return []


def paths(tree: Mapping[str, str | None]) -> dict[str, str]:
    """The path of every territory of a tree without cycles, parents before children."""
    found: dict[str, str] = {}
    for start in tree:
        trail: list[str] = []
        name: str | None = start
        while name is not None and name not in found:
            trail.append(name)
            name = tree.get(name)
        for step in reversed(trail):
            parent = tree[step]
            found[step] = child_path(None if parent is None else found[parent], step)
    return dict(sorted(found.items(), key=lambda item: item[1].count("/")))


def violations(structure: Structure) -> list[str]:
    """What makes a structure impossible, for people; empty when it can be written."""
    found = [
        f"{fact[0].value} {fact[1]} needs {reference.needs[0].value} {reference.needs[1]}, which is not there."
        for fact, fields in structure.items()
        for reference in references(fact, fields)
        if reference.needs not in structure
    ]
    tree = parents(structure)
    cycle = find_cycle(tree)
    if cycle:
        return [*found, f"The territories {', '.join(cycle)} would be their own ancestors."]
    if found:
        return found
    deepest = max((path.count("/") - 2 for path in paths(tree).values()), default=0)
    if deepest > DEPTH_MAX:
        return [f"A territory tree is at most {DEPTH_MAX} levels below its root; this one would have {deepest}."]
    return []


@dataclass(frozen=True, slots=True)
class Difference:
    """A fact that differs between two structures: None where it is not there."""

    fact: Fact
    before: Fields | None
    after: Fields | None


def differences(before: Structure, after: Structure) -> list[Difference]:
    """What leads from one structure to another, in the order of keys."""
    found: Iterable[Fact] = sorted({*before, *after}, key=lambda fact: (fact[0].value, fact[1]))
    return [
        Difference(fact, before.get(fact), after.get(fact)) for fact in found if before.get(fact) != after.get(fact)
    ]
