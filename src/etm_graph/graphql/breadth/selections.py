"""What of an answer a client will see: the names selected below a field."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from graphql import FieldNode, FragmentDefinitionNode, FragmentSpreadNode, SelectionSetNode


@dataclass(frozen=True, slots=True)
class Selection:
    """The names of the fields selected below a field, whatever the type, condition or alias, with what is below each."""

    children: Mapping[str, "Selection"]

    def __contains__(self, name: object) -> bool:
        return name in self.children

    def __iter__(self) -> Iterator[str]:
        return iter(self.children)

    def at(self, *names: str) -> "Selection":
        """What is selected further below, along a path of field names; nothing when the path is not selected."""
        here = self
        for name in names:
            here = here.children.get(name, NOTHING)
        return here

    def merged(self, other: "Selection") -> "Selection":
        """What is in either."""
        if self is other:
            return self
        names = dict.fromkeys([*self.children, *other.children])
        return Selection({name: self.at(name).merged(other.at(name)) for name in names})


NOTHING = Selection({})


def _named_below(
    sets: Iterable[SelectionSetNode], fragments: Mapping[str, FragmentDefinitionNode], seen: set[str]
) -> Iterator[FieldNode]:
    for selection_set in sets:
        for node in selection_set.selections:
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, FragmentSpreadNode):
                name = node.name.value
                if name in fragments and name not in seen:
                    seen.add(name)
                    yield from _named_below([fragments[name].selection_set], fragments, seen)
            else:
                yield from _named_below([node.selection_set], fragments, seen)  # type: ignore[attr-defined]  # inline


def selection_below(nodes: Iterable[FieldNode], fragments: Mapping[str, FragmentDefinitionNode]) -> Selection:
    """What is selected below a field that stands in the document as these nodes."""
    grouped: dict[str, list[FieldNode]] = {}
    sets = [node.selection_set for node in nodes if node.selection_set is not None]
    for node in _named_below(sets, fragments, set()):
        grouped.setdefault(node.name.value, []).append(node)
    if not grouped:
        return NOTHING
    return Selection({name: selection_below(found, fragments) for name, found in grouped.items()})
