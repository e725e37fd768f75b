"""Random schemas, each twice (for graphql-core, all resolvers synchronous; for the engine, a mixture), with their data.

Data is not stored: what a field of a node gives is a function of the node's seed, the field and the arguments. A field's
name decides its type in every type that has it, so that any two selections can be merged.
"""

import asyncio
from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLFloat,
    GraphQLID,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    GraphQLUnionType,
)

from etm_graph.graphql.breadth import Attribute, Batch, Call, Column, Property, Resolution

MASK = 2**61 - 1


def mix(*parts: int) -> int:
    found = 0x9E3779B9
    for part in parts:
        found = ((found ^ (part & MASK)) * 6364136223846793005 + 1442695040888963407) & MASK
        found ^= found >> 29
    return found


class Broken(Exception):
    """What resolvers raise."""


@dataclass(frozen=True)
class FieldSpec:
    name: str
    number: int
    wrappers: tuple[str, ...]
    """Outermost first: "!" or "[]"."""
    named: str
    arguments: bool
    kind: str


@dataclass
class Spec:
    fields: dict[str, FieldSpec]
    objects: dict[str, list[str]]
    interfaces: dict[str, tuple[list[str], list[str]]]
    """Fields, implementing objects."""
    unions: dict[str, list[str]]
    told_by_class: set[str]
    """Object types with `is_type_of`."""
    trouble: int
    """How many of 1,000 values are null, an error or wrong."""
    members: dict[str, list[str]] = field(default_factory=dict)


class Node:
    """An object: its type's name and a seed."""

    def __init__(self, world: "Spec", typename: str, seed: int) -> None:
        self.__dict__.update(world=world, typename=typename, seed=seed)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return value_of(self, self.world.fields[name], {})


LEAVES = ("Int", "String", "Float", "Boolean", "ID", "Colour", "Odd")


def _leaf(named: str, seed: int, wrong: bool) -> Any:
    if wrong:
        return {"Int": "x", "Boolean": "y", "Float": float("nan"), "Colour": "PINK", "Odd": 2}.get(named, 1j)
    return {
        "Int": seed % 1000 if seed % 5 else True,
        "String": f"s{seed % 97}" if seed % 7 else seed % 3,
        "Float": seed % 7 / 2 if seed % 3 else seed % 11,
        "Boolean": seed % 2 == 0,
        "ID": f"id{seed % 50}" if seed % 4 else seed % 50,
        "Colour": seed % 3,
        "Odd": 2 * (seed % 40) + 1,
    }[named]


def _make(world: Spec, spec: FieldSpec, wrappers: tuple[str, ...], seed: int) -> Any:
    luck = mix(seed, 1) % 1000
    if luck < world.trouble:
        what = luck % 4
        if what == 0:
            return None
        if what == 1:
            return Broken(f"broken {seed % 10}")
        if what == 2 and spec.named in LEAVES and "[]" not in wrappers:
            return _leaf(spec.named, seed, wrong=True)
        if what == 3 and "[]" in wrappers:
            return 7
    inner = wrappers[1:] if wrappers[:1] == ("!",) else wrappers
    if inner[:1] == ("[]",):
        items = [_make(world, spec, inner[1:], mix(seed, 2, place)) for place in range(mix(seed, 3) % 4)]
        return tuple(items) if seed % 5 == 0 else items
    if spec.named in LEAVES:
        return _leaf(spec.named, mix(seed, 4), wrong=False)
    possible = world.members.get(spec.named, [spec.named])
    if luck > 995:
        possible = list(world.objects)
    return Node(world, possible[mix(seed, 5) % len(possible)], mix(seed, 6) % 40)


def _argued(value: Any) -> int:
    if isinstance(value, dict):
        return mix(*(_argued(value[name]) for name in sorted(value)), 17)
    return 13 if value is None else int(value)


def value_of(node: Any, spec: FieldSpec, arguments: dict[str, Any]) -> Any:
    seed = node.seed if isinstance(node, Node) else 0
    found = _make(node.world, spec, spec.wrappers, mix(seed, spec.number, _argued(arguments)))
    if isinstance(found, Exception) and mix(seed, 8) % 2:
        raise found
    return found


def random_spec(random: Random) -> Spec:
    objects = [f"T{number}" for number in range(random.randint(2, 5))]
    interfaces = [f"I{number}" for number in range(random.randint(0, 2))]
    unions = [f"U{number}" for number in range(random.randint(0, 2))]
    composites = [*objects, *interfaces, *unions]
    fields = {}
    for number in range(random.randint(8, 16)):
        wrappers: list[str] = []
        for _ in range(random.choice([0, 0, 0, 1, 1, 2])):
            wrappers += [*random.choice([[], ["!"]]), "[]"]
        wrappers += random.choice([[], [], ["!"]])
        named = random.choice(LEAVES) if random.random() < 0.55 else random.choice(composites)
        arguments = random.random() < 0.3
        kinds = (
            ["call", "async", "batch"] if arguments else ["property", "attribute", "call", "async", "batch", "column"]
        )
        name = f"f{number}"
        fields[name] = FieldSpec(name, number + 1, tuple(wrappers), named, arguments, random.choice(kinds))
    names = list(fields)
    spec = Spec(
        fields,
        {name: random.sample(names, random.randint(2, len(names))) for name in objects},
        {},
        {name: random.sample(objects, random.randint(1, len(objects))) for name in unions},
        {name for name in objects if random.random() < 0.4},
        random.choice([0, 5, 40, 150]),
    )
    for name in interfaces:
        implementing = random.sample(objects, random.randint(1, len(objects)))
        shared = random.sample(names, random.randint(1, 4))
        for each in implementing:
            spec.objects[each] += [one for one in shared if one not in spec.objects[each]]
        spec.interfaces[name] = (shared, implementing)
    spec.members = dict(spec.unions) | {name: found[1] for name, found in spec.interfaces.items()}
    return spec


def _odd(value: Any) -> Any:
    if value % 2 == 0:
        raise ValueError(f"{value} is even")
    return value if value % 9 else None


class Built:
    """A spec as a schema. mixed: with the kinds of resolvers that the spec says, else synchronous ones alone."""

    def __init__(self, spec: Spec, *, mixed: bool) -> None:
        self.spec = spec
        self.mixed = mixed
        self.types: dict[str, Any] = {
            "Int": GraphQLInt,
            "String": GraphQLString,
            "Float": GraphQLFloat,
            "Boolean": GraphQLBoolean,
            "ID": GraphQLID,
            "Colour": GraphQLEnumType("Colour", {"RED": 0, "GREEN": 1, "BLUE": 2}),
            "Odd": GraphQLScalarType("Odd", coerce_output_value=_odd),
        }
        self.input = GraphQLInputObjectType(
            "Bag", {"a": GraphQLInputField(GraphQLInt, default_value=3), "b": GraphQLInputField(GraphQLInt)}
        )
        for name, (shared, _) in spec.interfaces.items():
            self.types[name] = GraphQLInterfaceType(
                name, lambda shared=shared: self._fields(shared), resolve_type=self._resolve_type(name)
            )
        for name, own in spec.objects.items():
            implemented = [self.types[one] for one, (_, found) in spec.interfaces.items() if name in found]
            self.types[name] = GraphQLObjectType(
                name, lambda own=own: self._fields(own), implemented, is_type_of=self._is_type_of(name)
            )
        for name, members in spec.unions.items():
            self.types[name] = GraphQLUnionType(
                name, [self.types[one] for one in members], resolve_type=self._resolve_type(name)
            )
        roots = list(spec.fields)
        self.schema = GraphQLSchema(
            GraphQLObjectType("Query", lambda: self._fields(roots)),
            GraphQLObjectType("Mutation", lambda: self._fields(roots)),
            types=[self.types[name] for name in spec.objects],
        )

    def _resolve_type(self, name: str) -> Any:
        members = self.spec.members[name]
        if set(members) <= self.spec.told_by_class:
            return None
        waits = self.mixed and len(members) % 2 == 0

        def resolve_type(node: Any, _info: Any, _type: Any) -> Any:
            return _later(node.typename) if waits else node.typename

        return resolve_type

    def _is_type_of(self, name: str) -> Any:
        if name not in self.spec.told_by_class:
            return None
        waits = self.mixed and name == "T1"

        def is_type_of(node: Any, _info: Any) -> Any:
            return _later(node.typename == name) if waits else node.typename == name

        return is_type_of

    def _fields(self, names: list[str]) -> dict[str, GraphQLField]:
        return {name: self._field(self.spec.fields[name]) for name in names}

    def _field(self, spec: FieldSpec) -> GraphQLField:
        declared = self.types[spec.named]
        for wrapper in reversed(spec.wrappers):
            declared = GraphQLNonNull(declared) if wrapper == "!" else GraphQLList(declared)
        arguments = {}
        if spec.arguments:
            arguments = {
                "n": GraphQLArgument(GraphQLInt, default_value=1),
                "bag": GraphQLArgument(self.input),
                "must": GraphQLArgument(GraphQLNonNull(GraphQLInt), default_value=5),
            }

        def resolve(node: Any, _info: Any, **given: Any) -> Any:
            return value_of(node, spec, given)

        async def resolve_later(node: Any, _info: Any, **given: Any) -> Any:
            await asyncio.sleep(0)
            return value_of(node, spec, given)

        resolver = resolve_later if self.mixed and spec.kind == "async" else resolve
        if self.mixed and spec.kind == "property":
            return GraphQLField(declared, arguments)
        return GraphQLField(declared, arguments, resolve=resolver, extensions={"spec": spec})

    def classify(self, _parent: Any, name: str, declared: GraphQLField) -> Resolution:
        spec = declared.extensions.get("spec")
        if spec is None:
            return Property(name) if declared.resolve is None else Call(declared.resolve)
        if spec.kind == "attribute":
            return Attribute(name)
        if spec.kind == "column":
            return Column(lambda parents: [_caught(parent, spec, {}) for parent in parents])
        if spec.kind == "batch":
            return Batch(_load, spec, lambda given: {"given": given, "spec": spec})
        return Call(declared.resolve)  # type: ignore[arg-type]  # it has one


async def _load(parents: Any, _context: Any, arguments: Any, _selection: Any) -> list[Any]:
    await asyncio.sleep(0)
    return [_caught(parent, arguments["spec"], arguments["given"]) for parent in parents]


def _caught(parent: Any, spec: FieldSpec, given: dict[str, Any]) -> Any:
    try:
        return value_of(parent, spec, given)
    except Broken as error:
        return error


async def _later(value: Any) -> Any:
    return value
