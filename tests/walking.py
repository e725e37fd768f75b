"""Operations that together reach every field of the schema, made from the schema itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
    is_required_argument,
    is_required_input_field,
)


@dataclass(frozen=True)
class Path:
    """How to come from the query to an object type."""

    steps: tuple[str, ...] = ()
    """Fields with their arguments, and `... on` conditions."""

    def around(self, selection: str) -> str:
        for step in reversed(self.steps):
            selection = f"{step} {{ {selection} }}"
        return f"{{ {selection} }}"


@dataclass(frozen=True)
class Walk:
    """arguments: what arguments a field is given, by "Type.field". scalars: what others that must be given get."""

    schema: GraphQLSchema
    arguments: Mapping[str, str]
    scalars: Mapping[str, str]
    page: int

    def field(self, owner: str, name: str, declared: GraphQLField) -> str:
        """A field with its arguments."""
        given = self.arguments.get(f"{owner}.{name}")
        required = {key: argument for key, argument in declared.args.items() if is_required_argument(argument)}
        parts = [given] if given else [f"{key}: {self.value(argument.type)}" for key, argument in required.items()]
        if "first" in declared.args:
            parts.append(f"first: {self.page}")
        return f"{name}({', '.join(parts)})" if parts else name

    def value(self, declared: Any) -> str:
        """Some value of an input type."""
        inner = get_nullable_type(declared)
        if is_list_type(inner):
            return f"[{self.value(inner.of_type)}]"
        if isinstance(inner, GraphQLEnumType):
            return next(iter(inner.values))
        if isinstance(inner, GraphQLInputObjectType):
            needed = {key: item for key, item in inner.fields.items() if is_required_input_field(item)}
            chosen = dict(list(inner.fields.items())[:1]) if inner.is_one_of else needed
            return "{" + ", ".join(f"{key}: {self.value(item.type)}" for key, item in chosen.items()) + "}"
        return self.scalars.get(inner.name, '"x"')

    def paths(self) -> dict[str, Path]:
        """The shortest path to every object type that a query can reach."""
        assert self.schema.query_type is not None
        found = {self.schema.query_type.name: Path()}
        waiting = [self.schema.query_type]
        while waiting:
            owner = waiting.pop(0)
            for name, declared in owner.fields.items():
                target = get_named_type(declared.type)
                if not is_composite_type(target):
                    continue
                here = (*found[owner.name].steps, self.field(owner.name, name, declared))
                for member in self.members(target):
                    steps = here if member is target else (*here, f"... on {member.name}")
                    if member.name not in found:
                        found[member.name] = Path(steps)
                        waiting.append(member)
        return found

    def members(self, target: object) -> list[GraphQLObjectType]:
        if isinstance(target, GraphQLObjectType):
            return [target]
        assert isinstance(target, GraphQLInterfaceType | GraphQLUnionType)
        return list(self.schema.get_possible_types(target))

    def leaves(self, target: object, prefix: str = "") -> str:
        """Every plain field of a composite type."""
        if not isinstance(target, GraphQLObjectType):
            members = self.members(target)
            inner = " ".join(
                f"... on {member.name} {{ {self.leaves(member, f'{member.name}_')} }}" for member in members
            )
            return f"__typename {inner}"
        plain = [
            (f"{prefix}{name}: " if prefix else "") + self.field(target.name, name, declared)
            for name, declared in target.fields.items()
            if not is_composite_type(get_named_type(declared.type))
        ]
        return " ".join(["__typename", *plain])

    def whole(self) -> Iterator[tuple[str, str]]:
        """(type, operation): operations for every object type with all of its fields, and the leaves below each."""
        for owner, path in self.paths().items():
            kind = self.schema.type_map[owner]
            assert isinstance(kind, GraphQLObjectType)
            parts = []
            for name, declared in kind.fields.items():
                target = get_named_type(declared.type)
                text = self.field(owner, name, declared)
                parts.append(f"{text} {{ {self.leaves(target)} }}" if is_composite_type(target) else text)
            if path.steps:
                yield owner, path.around(" ".join(parts))
            else:  # one by one: which errors are reported when several reach the top at once is a matter of timing
                yield from ((owner, path.around(part)) for part in parts)

    def connections(self) -> Iterator[tuple[str, str, str]]:
        """(Type.field, the way to its owner alone, with the list and its count): one for every connection."""
        for owner, path in self.paths().items():
            kind = self.schema.type_map[owner]
            assert isinstance(kind, GraphQLObjectType)
            for name, declared in kind.fields.items():
                if get_named_type(declared.type).name.endswith("Connection"):
                    below = (
                        "totalCount nodes { __typename } edges { cursor node { __typename } } pageInfo { endCursor }"
                    )
                    text = path.around(f"{self.field(owner, name, declared)} {{ {below} }}")
                    yield f"{owner}.{name}", path.around("__typename"), text
