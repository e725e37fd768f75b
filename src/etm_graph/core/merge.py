"""Three-way merge of structures (docs/domain.md, "Collaboration on drafts").

Undo is a merge, too: of the present with what was before the change set, on the base of what was after it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from etm_graph.core.changes import EntityType
from etm_graph.core.facts import (
    PARENT,
    Fact,
    Fields,
    Reference,
    Structure,
    find_cycle,
    parents,
    references,
)


class ConflictKind(StrEnum):
    """Why two sides cannot both have their way."""

    FIELD_CHANGED_TWICE = "FIELD_CHANGED_TWICE"
    DELETED_AND_CHANGED = "DELETED_AND_CHANGED"
    ADDED_TWICE = "ADDED_TWICE"
    MOVED_TWICE = "MOVED_TWICE"
    CYCLE_BY_TWO_MOVES = "CYCLE_BY_TWO_MOVES"
    NEEDED_BUT_DELETED = "NEEDED_BUT_DELETED"


class Side(StrEnum):
    """Whose way a conflict goes."""

    OURS = "OURS"
    THEIRS = "THEIRS"
    VALUE = "VALUE"


@dataclass(frozen=True, slots=True)
class Choice:
    """How a person resolves a conflict; value: with VALUE, what the field is to be."""

    side: Side
    value: object = None


@dataclass(frozen=True, slots=True)
class MergeConflict:
    """One conflict. field: None when it is about the whole fact. facts: others that are involved, by key."""

    kind: ConflictKind
    fact: Fact
    field: str | None
    base: object
    ours: object
    theirs: object
    facts: tuple[str, ...] = ()
    resolved: Side | None = None

    @property
    def key(self) -> str:
        """Names it for its resolution: ENTITY:key, or ENTITY:key:field."""
        return conflict_key(self.fact, self.field)


def conflict_key(fact: Fact, name: str | None) -> str:
    """The name of a conflict about a fact or one of its fields."""
    return ":".join([fact[0].value, fact[1], *([] if name is None else [name])])


@dataclass(slots=True)
class Merge:
    """What came out. structure: complete and free of dangling references once every conflict is resolved."""

    structure: dict[Fact, Fields]
    conflicts: list[MergeConflict]

    @property
    def open(self) -> list[MergeConflict]:
        """The conflicts that nobody has resolved."""
        return [conflict for conflict in self.conflicts if conflict.resolved is None]


@dataclass(slots=True)
class _Merging:
    """A merge under way; what is not resolved goes provisionally the way of ours."""

    base: Structure
    ours: Structure
    theirs: Structure
    choices: Mapping[str, Choice]
    merged: dict[Fact, Fields] = field(default_factory=dict)
    conflicts: dict[str, MergeConflict] = field(default_factory=dict)
    let_go: dict[Fact, Structure] = field(default_factory=dict)
    reparented: set[Fact] = field(default_factory=set)

    def conflict(
        self, kind: ConflictKind, fact: Fact, name: str | None, values: tuple[object, object, object], *facts: str
    ) -> Choice:
        """Note a conflict; how it goes."""
        key = conflict_key(fact, name)
        choice = self.choices.get(key)
        side = None if choice is None else choice.side
        self.conflicts[key] = MergeConflict(kind, fact, name, *values, facts=facts, resolved=side)
        return choice or Choice(Side.OURS)

    def _has(self, side: Side) -> Structure:
        return self.theirs if side is Side.THEIRS else self.ours

    def fact(self, fact: Fact) -> Fields | None:
        """One fact, as far as it can be decided alone."""
        base, ours, theirs = self.base.get(fact), self.ours.get(fact), self.theirs.get(fact)
        if theirs in (ours, base):
            return ours
        if base == ours:
            return theirs
        if base is not None and ours is not None and theirs is not None:
            return self._fields(fact, base, ours, theirs)
        kind = ConflictKind.ADDED_TWICE if base is None else ConflictKind.DELETED_AND_CHANGED
        return self._has(self.conflict(kind, fact, None, (base, ours, theirs)).side).get(fact)

    def _fields(self, fact: Fact, base: Fields, ours: Fields, theirs: Fields) -> Fields:
        merged: dict[str, object] = {}
        for name in dict.fromkeys([*base, *ours, *theirs]):
            values = base.get(name), ours.get(name), theirs.get(name)
            if values[1] == values[2] or values[0] == values[2]:
                merged[name] = values[1]
            elif values[0] == values[1]:
                merged[name] = values[2]
            else:
                kind = ConflictKind.MOVED_TWICE if name == PARENT else ConflictKind.FIELD_CHANGED_TWICE
                choice = self.conflict(kind, fact, name, values)
                merged[name] = {Side.OURS: values[1], Side.THEIRS: values[2], Side.VALUE: choice.value}[choice.side]
        return merged

    def mend_references(self) -> bool:
        """Settle facts that need what the other side deleted; False when there are none."""
        found = False
        for fact in list(self.merged):
            for reference in references(fact, self.merged.get(fact, {})):
                if fact in self.merged and reference.needs not in self.merged:
                    self._settle(fact, reference)
                    found = True
        return found

    def _settle(self, fact: Fact, reference: Reference) -> None:
        needs = reference.needs
        values = self.base.get(needs), self.ours.get(needs), self.theirs.get(needs)
        if needs in self.let_go:
            self._let_go(fact, reference, self.let_go[needs])  # it follows what a person chose to be without
            return
        if values[1] is None and values[2] is None:
            self._let_go(fact, reference, self.base)  # a value that a person chose names what nobody has
            return
        known = self.conflicts.get(conflict_key(needs, None))
        others = (*(known.facts if known else ()), f"{fact[0].value}:{fact[1]}")
        choice = self.conflict(ConflictKind.NEEDED_BUT_DELETED, needs, None, values, *dict.fromkeys(others))
        kept = self._has(choice.side).get(needs)
        if kept is not None:
            self.merged[needs] = kept
        else:
            self._let_go(fact, reference, self._has(choice.side))

    def _let_go(self, fact: Fact, reference: Reference, side: Structure) -> None:
        """Make a fact do without what it needs: as that side has it, without the value, or not at all."""
        standing = side.get(fact)
        elsewhere = standing is not None and standing.get(PARENT) != reference.needs[1]
        if reference.field is not None and reference.field != PARENT:
            self.merged[fact] = {**self.merged[fact], reference.field: None}
        elif reference.field == PARENT and standing is not None and elsewhere and fact not in self.reparented:
            self.reparented.add(fact)
            self.merged[fact] = {**self.merged[fact], PARENT: standing.get(PARENT)}
        else:
            del self.merged[fact]
            self.let_go[fact] = side

    def mend_cycle(self) -> bool:
        """Settle one cycle that two moves make together; False when there is none."""
        cycle = find_cycle(parents(self.merged))
        if not cycle:
            return False
        facts = [(EntityType.TERRITORY, name) for name in cycle]
        ours, theirs = parents(self.ours), parents(self.theirs)
        first = next((fact for fact in facts if ours.get(fact[1]) != theirs.get(fact[1])), facts[0])
        values = self.base.get(first, {}).get(PARENT), ours.get(first[1]), theirs.get(first[1])
        choice = self.conflict(ConflictKind.CYCLE_BY_TWO_MOVES, first, PARENT, values, *cycle)
        tree = theirs if choice.side is Side.THEIRS else ours
        for fact in facts:
            if fact[1] in tree:
                self.merged[fact] = {**self.merged[fact], PARENT: tree[fact[1]]}
        return True


def merge(base: Structure, ours: Structure, theirs: Structure, choices: Mapping[str, Choice] | None = None) -> Merge:
    """Merge two structures that came from one; see `ConflictKind` for what a person must decide.

    Laws: merge(b, x, b) = x; merge(b, b, y) = y; merge(b, x, x) = x; without conflict merge(b, x, y) = merge(b, y, x).
    """
    merging = _Merging(base, ours, theirs, choices or {})
    for fact in dict.fromkeys([*base, *ours, *theirs]):
        fields = merging.fact(fact)
        if fields is not None:
            merging.merged[fact] = fields
    menders: list[Callable[[], bool]] = [merging.mend_references, merging.mend_cycle]
    rounds = 4 * (len(merging.merged) + 1)
    while rounds and any(mend() for mend in menders):
        rounds -= 1
    return Merge(merging.merged, list(merging.conflicts.values()))
