"""The schema that is committed is the schema that is served, and everything in it is described."""

from pathlib import Path

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    build_schema,
)

from etm_graph.api import print_schema

COMMITTED = Path(__file__).parents[1] / "schema.graphql"


def test_the_committed_schema_is_current() -> None:
    assert COMMITTED.read_text() == print_schema(), "run `make schema`"


def undescribed(named: GraphQLNamedType) -> list[str]:
    missing = [] if named.description else [named.name]
    if isinstance(named, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
        for name, field in named.fields.items():
            missing += [] if field.description else [f"{named.name}.{name}"]
            if isinstance(named, GraphQLInputObjectType):
                continue
            arguments = getattr(field, "args", {})
            missing += [
                f"{named.name}.{name}({argument})" for argument, given in arguments.items() if not given.description
            ]
    if isinstance(named, GraphQLEnumType):
        missing += [f"{named.name}.{name}" for name, value in named.values.items() if not value.description]
    return missing


def test_everything_is_described() -> None:
    schema = build_schema(COMMITTED.read_text())
    own = [named for name, named in schema.type_map.items() if not name.startswith("__")]
    builtin = {"String", "Int", "Float", "Boolean", "ID", "Date", "DateTime", "Decimal"}
    assert [text for named in own if named.name not in builtin for text in undescribed(named)] == []
