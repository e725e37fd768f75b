"""What operations cost: exact sums, and that nothing in the whole schema is free."""

from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLUnionType,
    build_schema,
    get_named_type,
    parse,
)

from etm_graph.api import make_schema
from etm_graph.graphql.cost import Sizes, _Reckoning, find_operation, is_connection, operation_cost
from etm_graph.settings import Settings

SDL = build_schema("""
  type Query { a: A list: [A!]! page(first: Int, last: Int): AConnection! nodes(ids: [ID!]!): [A] any: U names: [String!] }
  type Mutation { write(n: Int): A }
  type Subscription { live: A }
  type A { n: Int a: A list: [A] page(first: Int): AConnection! }
  type B { n: Int m: Int o: Int }
  union U = A | B
  type AConnection { edges: [AEdge!]! nodes: [A!]! pageInfo: PageInfo! totalCount: Int! }
  type AEdge { node: A! cursor: String! }
  type PageInfo { hasNextPage: Boolean! }
""")
SIZES = Sizes(page=50, items=10)


def cost(document: str, name: str | None = None, **variables: Any) -> int:
    parsed = parse(document)
    operation = find_operation(parsed, name)
    assert operation is not None
    return operation_cost(SDL, parsed, operation, variables, SIZES) - 10


@pytest.mark.parametrize(
    ("document", "variables", "expected"),
    [
        ("{ a { n } }", {}, 2),
        ("{ a { n n x: n __typename } }", {}, 5),
        ("{ list { n } }", {}, 10 * 2),
        ("{ names }", {}, 10),
        ("{ list { list { n } } }", {}, 10 * (1 + 10 * 2)),
        ("{ page { nodes { n } } }", {}, 10 + 1 + 50 * 2),
        ("{ page(first: 3) { totalCount nodes { n } edges { cursor node { n } } } }", {}, 10 + 1 + 1 + 3 * 2 + 3 * (1 + 1 + 2)),
        ("{ page(first: 3) { nodes { page(first: 4) { nodes { n } } } } }", {}, 10 + 1 + 3 * (1 + 10 + 1 + 4 * 2)),
        ("query ($n: Int) { page(last: $n) { nodes { n } } }", {"n": 7}, 10 + 1 + 7 * 2),
        ("query ($n: Int = 5) { page(first: $n) { nodes { n } } }", {}, 10 + 1 + 5 * 2),
        ("query ($n: Int) { page(first: $n) { nodes { n } } }", {"n": None}, 10 + 1 + 50 * 2),
        ("query ($n: Int) { page(first: $n) { nodes { n } } }", {"n": -9}, 10 + 1),
        ('{ nodes(ids: ["a", "b"]) { n } }', {}, 2 * 2),
        ("query ($ids: [ID!]!) { nodes(ids: $ids) { n } }", {"ids": ["a"] * 4}, 4 * 2),
        ("mutation { write { n } }", {}, 102),
        ("mutation { a: write { n } b: write { n } }", {}, 204),
        ("subscription { live { n } }", {}, 2),
        ("{ any { ... on A { n } ... on B { n m o } __typename } }", {}, 1 + 1 + 3),
        ("{ a { ...F } list { ...F } } fragment F on A { n a { n } }", {}, 1 + 3 + 10 * (1 + 3)),
        ("{ a { ...F } } fragment F on B { n }", {}, 1),
        ("{ a { ...F } } fragment F on A { n ...F }", {}, 2),
        ("{ a { n @skip(if: true) a @include(if: false) { n } } }", {}, 1),
        ("query ($s: Boolean!) { a { n @skip(if: $s) } }", {"s": True}, 1),
        ("query ($s: Boolean!) { a { n @skip(if: $s) } }", {"s": False}, 2),
        ("{ __schema { types { name } } }", {}, 1 + 10 * 2),
        ("{ nonsense { a } }", {}, 1),
    ],
)  # fmt: skip
def test_exact_costs(document: str, variables: dict[str, Any], expected: int) -> None:
    assert cost(document, **variables) == expected


def test_a_product_of_pages_is_counted_without_growing_beyond_bounds() -> None:
    deep = "{ page(first: 1000000) " + "{ nodes { page(first: 1000000) " * 12 + "{ nodes { n } }" + " } }" * 12 + " }"
    assert cost(deep) == 10**12


SCHEMA = make_schema(Settings())._schema
OBJECTS = [
    named
    for name, named in sorted(SCHEMA.type_map.items())
    if isinstance(named, GraphQLObjectType) and not name.startswith("__")
]
FIELDS = [(owner, name) for owner in OBJECTS for name in owner.fields]


def selecting(name: str, field: GraphQLField, size: int | None = None) -> str:
    """The smallest selection of a field, with `first` where it has one."""
    given = f"(first: {size})" if size is not None and "first" in field.args else ""
    named = get_named_type(field.type)
    if isinstance(named, GraphQLScalarType | GraphQLEnumType):
        return f"{name}{given}"
    if is_connection(named):
        return f"{name}{given} {{ nodes {{ __typename }} }}"
    return f"{name}{given} {{ __typename }}"


def selection_cost(owner: GraphQLNamedType, selection: str, items: int = 10) -> int:
    operation = find_operation(parse(f"{{ {selection} }}"), None)
    assert operation is not None
    return _Reckoning(SCHEMA, Sizes(50, items), {}, {}).selections(operation.selection_set, owner, None)


def test_no_field_of_the_schema_is_free() -> None:
    free = [
        f"{owner.name}.{name}"
        for owner, name in FIELDS
        if selection_cost(owner, selecting(name, owner.fields[name])) < 1
    ]
    assert free == []
    assert len(FIELDS) > 300


def test_every_connection_of_the_schema_costs_its_page_size() -> None:
    connections = [(o, n) for o, n in FIELDS if is_connection(get_named_type(o.fields[n].type))]
    wrong = [
        f"{owner.name}.{name}"
        for owner, name in connections
        if "first" not in owner.fields[name].args
        or selection_cost(owner, selecting(name, owner.fields[name], 30))
        - selection_cost(owner, selecting(name, owner.fields[name], 10))
        != 20 * 2
    ]
    assert wrong == []
    assert len(connections) > 10


def test_every_other_list_of_the_schema_costs_its_items() -> None:
    def is_list(field: GraphQLField) -> bool:
        bare = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
        return isinstance(bare, GraphQLList)

    lists = [(o, n) for o, n in FIELDS if is_list(o.fields[n])]
    wrong = [
        f"{owner.name}.{name}"
        for owner, name in lists
        if selection_cost(owner, selecting(name, owner.fields[name]), items=20)
        <= selection_cost(owner, selecting(name, owner.fields[name]), items=10)
    ]
    assert wrong == []
    assert len(lists) > 30


def test_every_mutation_of_the_schema_costs_a_write() -> None:
    assert SCHEMA.mutation_type is not None
    for name, field in SCHEMA.mutation_type.fields.items():
        assert selection_cost(SCHEMA.mutation_type, selecting(name, field)) >= 100


def test_an_interface_costs_its_dearest_type() -> None:
    for named in SCHEMA.type_map.values():
        if isinstance(named, GraphQLInterfaceType | GraphQLUnionType):
            possible = SCHEMA.get_possible_types(named)
            dearest = max(selection_cost(one, "__typename id name") for one in possible)
            assert selection_cost(named, "__typename id name") == dearest
