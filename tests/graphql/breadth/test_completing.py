"""Nulls, lists, leaves and abstract types: the cases of graphql-js's own execution tests, asked of the engine."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
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
from tests.graphql.breadth.asking import ask, errors_of

NESTED = """type Query { sync: String  required: String!  nest: Nest  requiredNest: Nest!  nests: [Nest!] }
type Nest { sync: String  required: String!  nest: Nest  requiredNest: Nest! }"""


def broken(_info: Any) -> Any:
    raise RuntimeError("broken")


async def broken_later(_info: Any) -> Any:
    await asyncio.sleep(0)
    raise RuntimeError("broken")


@pytest.mark.parametrize("fail", [broken, broken_later])
async def test_an_error_in_a_nullable_field_is_null_there(fail: Any) -> None:
    found = await ask(NESTED, "{ sync nest { sync } }", {"sync": "a", "nest": {"sync": fail}})
    assert found.data == {"sync": "a", "nest": {"sync": None}}
    assert errors_of(found) == [(["nest", "sync"], "broken")]


@pytest.mark.parametrize("fail", [broken, broken_later, None])
async def test_what_may_not_be_null_takes_its_parent_with_it(fail: Any) -> None:
    message = "Cannot return null for non-nullable field Nest.required." if fail is None else "broken"
    found = await ask(NESTED, "{ sync nest { required } }", {"sync": "a", "nest": {"required": fail}})
    assert found.data == {"sync": "a", "nest": None}
    assert errors_of(found) == [(["nest", "required"], message)]


async def test_an_error_goes_up_to_the_first_place_that_may_be_null() -> None:
    root = {"nest": {"requiredNest": {"requiredNest": {"required": broken}}}}
    found = await ask(NESTED, "{ nest { requiredNest { requiredNest { required } } } }", root)
    assert found.data == {"nest": None}
    assert errors_of(found) == [(["nest", "requiredNest", "requiredNest", "required"], "broken")]


async def test_an_error_that_reaches_the_top_leaves_no_data() -> None:
    found = await ask(NESTED, "{ sync required }", {"sync": "a", "required": broken})
    assert (found.data, found.executed) == (None, True)
    assert errors_of(found) == [(["required"], "broken")]


async def test_errors_below_what_was_nulled_before_are_not_reported_and_earlier_ones_are() -> None:
    root = {"nest": {"sync": broken, "required": broken, "nest": {"sync": broken}}}
    found = await ask(NESTED, "{ nest { sync required nest { sync } } }", root)
    assert errors_of(found) == [(["nest", "sync"], "broken"), (["nest", "required"], "broken")]


async def test_a_failing_item_of_required_items_nulls_the_list() -> None:
    found = await ask(NESTED, "{ nests { sync required } }", {"nests": [{"required": "x"}, {"required": broken}]})
    assert found.data == {"nests": None}
    assert errors_of(found) == [(["nests", 1, "required"], "broken")]


def numbers() -> Iterator[int]:
    yield from (1, 2)


def broken_numbers() -> Iterator[int]:
    yield 1
    raise RuntimeError("broken")


async def later(value: Any) -> Any:
    await asyncio.sleep(0)
    if isinstance(value, Exception):
        raise value
    return value


async def stream() -> AsyncIterator[int]:
    yield 1
    yield 2


async def broken_stream() -> AsyncIterator[int]:
    yield 1
    raise RuntimeError("broken")


LISTS = {
    "list": (lambda: [1, 2], [1, 2]),
    "tuple": (lambda: (1, 2), [1, 2]),
    "set": (lambda: {1}, [1]),
    "generator": (numbers, [1, 2]),
    "broken generator": (broken_numbers, None),
    "text": (lambda: "abc", None),
    "number": (lambda: 5, None),
    "empty": (list, []),
    "null": (lambda: None, None),
    "null inside": (lambda: [1, None, 2], [1, None, 2]),
    "error inside": (lambda: [1, ValueError("bad"), 2], [1, None, 2]),
    "wrong inside": (lambda: [1, "x"], [1, None]),
    "awaited": (lambda: later([1, 2]), [1, 2]),
    "awaited inside": (lambda: [later(1), later(None), later(ValueError("bad")), 2], [1, None, None, 2]),
    "stream": (stream, [1, 2]),
    "broken stream": (broken_stream, None),
}


@pytest.mark.parametrize("declared", ["[Int]", "[Int]!", "[Int!]", "[Int!]!"])
@pytest.mark.parametrize("name", LISTS)
async def test_lists_of_every_kind(name: str, declared: str) -> None:
    make, expected = LISTS[name]
    found = await ask(f"type Query {{ f: {declared} }}", "{ f }", {"f": lambda _info: make()})
    if declared == "[Int]":
        assert found.data == {"f": expected}


async def test_lists_in_lists_keep_their_shape_and_place() -> None:
    rows = [[{"n": 1}], None, [], [{"n": None}, None, {"n": broken}]]
    found = await ask("type Query { f: [[A]] } type A { n: Int }", "{ f { n } }", {"f": rows})
    assert found.data == {"f": [[{"n": 1}], None, [], [{"n": None}, None, {"n": None}]]}
    assert errors_of(found) == [(["f", 3, 2, "n"], "broken")]


@pytest.mark.parametrize(
    ("named", "values"),
    [
        ("Int", [1, True, "3", 2.0, 2.5, 2**31, -(2**31), "x", "", [], None]),
        ("Float", [1, 1.5, True, "2.5", float("inf"), float("nan"), "x", None]),
        ("String", ["a", 1, 1.5, True, {}, None]),
        ("Boolean", [True, 1, 0.0, "x", None]),
        ("ID", ["a", 1, 1.5, 2.0, True, None]),
    ],
)
async def test_scalars_are_coerced_value_by_value(named: str, values: list[Any]) -> None:
    for value in values:
        await ask(f"type Query {{ f: {named} }}", "{ f }", {"f": value})
    await ask(f"type Query {{ f: [{named}] }}", "{ f }", {"f": values})


async def test_custom_scalars_and_enums() -> None:
    def even(value: Any) -> Any:
        if value % 2:
            raise ValueError(f"{value} is odd")
        return None if value == 4 else value

    colour = GraphQLEnumType("Colour", {"RED": 0, "GREEN": 1})
    schema = GraphQLSchema(
        GraphQLObjectType(
            "Query",
            {
                "even": GraphQLField(GraphQLList(GraphQLScalarType("Even", coerce_output_value=even))),
                "colour": GraphQLField(GraphQLList(colour)),
                "again": GraphQLField(GraphQLList(colour)),
            },
        )
    )
    root = {"even": [2, 3, 4, 6], "colour": [0, 1, 7, [], None], "again": [1, 0, 1, True]}
    found = await ask(schema, "{ even colour again }", root)
    assert found.data == {
        "even": [2, None, None, 6],
        "colour": ["RED", "GREEN", None, None, None],
        "again": ["GREEN", "RED", "GREEN", "GREEN"],
    }


def animals(*, waits: bool, by_class: bool) -> GraphQLSchema:
    def told(name: str) -> Any:
        def is_type_of(value: Any, _info: Any) -> Any:
            answer = value["kind"] == name
            return later(answer) if waits else answer

        return is_type_of if by_class else None

    def resolve(value: Any, _info: Any, _type: Any) -> Any:
        return later(value["kind"]) if waits else value["kind"]

    named = GraphQLInterfaceType(
        "Named", {"name": GraphQLField(GraphQLString)}, resolve_type=None if by_class else resolve
    )
    kinds = [
        GraphQLObjectType(
            kind, {"name": GraphQLField(GraphQLString), extra: GraphQLField(GraphQLInt)}, [named], is_type_of=told(kind)
        )
        for kind, extra in (("Cat", "lives"), ("Dog", "tricks"))
    ]
    pet = GraphQLUnionType("Pet", kinds, resolve_type=None if by_class else resolve)
    stray = GraphQLObjectType("Stray", {"x": GraphQLField(GraphQLInt)}, is_type_of=told("Stray"))
    fields = {
        "named": GraphQLField(GraphQLList(named)),
        "pets": GraphQLField(GraphQLNonNull(GraphQLList(pet))),
        "cat": GraphQLField(kinds[0]),
    }
    return GraphQLSchema(GraphQLObjectType("Query", fields), types=[*kinds, stray])


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("by_class", [False, True])
async def test_interfaces_and_unions_are_told_apart(by_class: bool, waits: bool) -> None:
    cats = [{"kind": "Cat", "name": "Tom", "lives": 9}, {"kind": "Dog", "name": "Rex", "tricks": 2}]
    wrong = [{"kind": kind, "name": "?"} for kind in ("Stray", "Nobody", "Int", None, 5)]
    query = """{ named { __typename name ... on Cat { lives } ...D } pets { ...D ... on Named { name } } cat { name } }
      fragment D on Dog { tricks again: name }"""
    root = {"named": cats + wrong, "pets": wrong + cats, "cat": cats[1] if by_class else cats[0]}
    found = await ask(animals(waits=waits, by_class=by_class), query, root)
    assert found.data is not None
    assert found.data["named"][:2] == [
        {"__typename": "Cat", "name": "Tom", "lives": 9},
        {"__typename": "Dog", "name": "Rex", "tricks": 2, "again": "Rex"},
    ]
    assert len(found.errors) == 11 if by_class else 10


async def test_introspection() -> None:
    from graphql import get_introspection_query

    found = await ask(animals(waits=False, by_class=False), get_introspection_query(descriptions=True))
    assert found.errors == []
    await ask(animals(waits=False, by_class=False), '{ __type(name: "Cat") { name interfaces { name } } }')
