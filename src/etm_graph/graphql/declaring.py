"""What a field, mutation or subscription needs: the act and the kind that access is decided by, declared beside it.

    @strawberry.field(description="…")
    @needs(Act.READ, Kind.CRM)
    async def account(self, …) -> Account | None: …

    @strawberry.type(description="…")
    @needs(Act.READ, Kind.TERRITORY)
    class Territory(Node): …

Declared are all root fields, all types that can be fetched by id, and all fields that a feature adds to another's type
(unless they lead to a declared type). A plain field has its type's declaration, and a type without one (a payload, a
page) that of the fields which lead to it. A schema in which something comes to nothing is not served.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import strawberry
from graphql import GraphQLField, GraphQLInterfaceType, GraphQLObjectType, GraphQLUnionType, get_named_type
from strawberry.types.field import StrawberryField

from etm_graph.core.access import Act, Kind
from etm_graph.graphql.extending import is_added

Declared = TypeVar("Declared", bound=Callable[..., Any])

ROOTS = ("Query", "Mutation", "Subscription")
_ATTRIBUTE = "__needs__"
_DEFINITION = "strawberry-definition"


class Undeclared(Exception):
    """Something in the schema does not say what it needs, so nobody may have it."""


@dataclass(frozen=True, slots=True)
class Need:
    """An act on a kind; both None when every caller who is let in may, for the reason given."""

    act: Act | None
    kind: Kind | None
    reason: str = ""

    def __str__(self) -> str:
        return self.reason if self.act is None or self.kind is None else f"{self.act.value} {self.kind.value}"


def needs(act: Act, kind: Kind) -> Callable[[Declared], Declared]:
    """Declare what a resolver or a type needs; stands directly above the function or class."""
    return _marked(Need(act, kind))


def needing(act: Act, kind: Kind) -> dict[str, Need]:
    """The same for a field without a resolver: `strawberry.field(description="…", metadata=needing(…))`."""
    return {_ATTRIBUTE: Need(act, kind)}


def open_to_callers(reason: str) -> Callable[[Declared], Declared]:
    """Declare that every caller who is not suspended may, and why that is right."""
    return _marked(Need(None, None, reason))


def _marked(need: Need) -> Callable[[Declared], Declared]:
    def mark(declared: Declared) -> Declared:
        setattr(declared, _ATTRIBUTE, need)
        return declared

    return mark


def need_of(declared: object) -> Need | None:
    """What a function or class declares itself; classes do not inherit it."""
    found = vars(declared).get(_ATTRIBUTE)
    return found if isinstance(found, Need) else None


@dataclass(frozen=True, slots=True)
class Declarations:
    """fields: what every field needs, by "Type.field". missing: what comes to nothing, with what to do about it."""

    fields: Mapping[str, frozenset[Need]]
    missing: tuple[str, ...]


@dataclass(slots=True)
class _Walk:
    """The object types of a schema and what has been found of each."""

    objects: Mapping[str, GraphQLObjectType]
    own: dict[str, Need | None] = field(default_factory=dict)
    reached: dict[str, set[Need]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, kind in self.objects.items():
            definition = kind.extensions.get(_DEFINITION)
            need = None if definition is None or name in ROOTS else need_of(definition.origin)
            self.own[name] = need
            self.reached[name] = set() if need is None else {need}

    def needed(self, owner: str, item: GraphQLField) -> set[Need]:
        """What a field needs as far as is known."""
        need = _need_of_field(item)
        return self.reached[owner] if need is None else {need}

    def targets(self, item: GraphQLField) -> Iterator[str]:
        """The object types that a field leads to."""
        target = get_named_type(item.type)
        if isinstance(target, GraphQLUnionType):
            yield from (member.name for member in target.types)
        elif isinstance(target, GraphQLObjectType):
            yield target.name
        elif isinstance(target, GraphQLInterfaceType):
            yield from (name for name, kind in self.objects.items() if target in kind.interfaces)

    def spread(self) -> bool:
        """Carry what fields need one step further; False when nothing moved."""
        moved = False
        for owner, kind in self.objects.items():
            for item in kind.fields.values():
                carried = self.needed(owner, item)
                for target in self.targets(item):
                    if self.own[target] is None and not carried <= self.reached[target]:
                        self.reached[target] |= carried
                        moved = True
        return moved

    def leads_to_declared(self, item: GraphQLField) -> bool:
        """Whether a field's type, or the items of the page that it is, say what they need."""
        for target in self.targets(item):
            nodes = self.objects[target].fields.get("nodes")
            if self.own[target] is not None or (nodes is not None and self.leads_to_declared(nodes)):
                return True
        return False

    def missing(self) -> Iterator[str]:
        """What must be declared and is not."""
        for owner, kind in self.objects.items():
            if self.own[owner] is None and any(interface.name == "Node" for interface in kind.interfaces):
                yield f"type {owner}"
            for name, item in kind.fields.items():
                own = _need_of_field(item)
                added = _is_added(item) and not self.leads_to_declared(item)
                if (own is None and (owner in ROOTS or added)) or not self.needed(owner, item):
                    yield f"field {owner}.{name}"


def _need_of_field(item: GraphQLField) -> Need | None:
    definition = item.extensions.get(_DEFINITION)
    if not isinstance(definition, StrawberryField):
        return None
    stated = definition.metadata.get(_ATTRIBUTE)
    if isinstance(stated, Need):
        return stated
    return None if definition.base_resolver is None else need_of(definition.base_resolver.wrapped_func)


def _is_added(item: GraphQLField) -> bool:
    definition = item.extensions.get(_DEFINITION)
    return isinstance(definition, StrawberryField) and is_added(definition)


def declarations(schema: strawberry.Schema) -> Declarations:
    """Walk a schema."""
    objects = {
        name: kind
        for name, kind in schema._schema.type_map.items()
        if isinstance(kind, GraphQLObjectType) and not name.startswith("__")
    }
    walk = _Walk(objects)
    while walk.spread():
        pass
    fields = {
        f"{owner}.{name}": frozenset(walk.needed(owner, item))
        for owner, kind in objects.items()
        for name, item in kind.fields.items()
    }
    return Declarations(fields, tuple(sorted(walk.missing())))


def require_declared(schema: strawberry.Schema) -> strawberry.Schema:
    """Return the schema when everything in it is declared; raise `Undeclared` otherwise."""
    missing = declarations(schema).missing
    if missing:
        raise Undeclared(
            f"These say not what they need: {', '.join(missing)}. Put @needs(Act.…, Kind.…) directly above the resolver "
            "or class, below Strawberry's decorator (graphql/declaring.py, CONTRIBUTING.md)."
        )
    return schema
