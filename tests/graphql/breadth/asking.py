"""Asking the engine and graphql-core the same."""

import json
from collections import Counter
from typing import Any

from graphql import GraphQLError, GraphQLSchema, build_schema, execute, parse

from etm_graph.graphql.breadth import Engine, Outcome, Request


def errors_of(outcome: Any) -> list[tuple[list[Any] | None, str]]:
    return [(error.path, error.message) for error in outcome.errors or []]


def multiset(errors: list[GraphQLError] | None) -> Counter[Any]:
    return Counter((tuple(error.path or ()), error.message) for error in errors or ())


async def ask(
    schema: GraphQLSchema | str, query: str, root: Any = None, engine: Engine | None = None, **more: Any
) -> Outcome:
    """The engine's answer, after checking that graphql-core gives the same."""
    schema = build_schema(schema) if isinstance(schema, str) else schema
    document = parse(query)
    found = await (engine or Engine(schema)).execute(Request(document, query, root=root, **more))
    context, variables, name = more.get("context"), more.get("variables"), more.get("name")
    expected: Any = execute(schema, document, root, context, variables, name)
    expected = await expected if hasattr(expected, "__await__") else expected
    assert json.dumps(found.data) == json.dumps(expected.data)
    assert multiset(found.errors) == multiset(expected.errors)
    return found
