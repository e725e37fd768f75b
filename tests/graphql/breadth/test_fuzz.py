"""The engine against graphql-core: random schemas, documents and data, with nulls, errors and wrong values."""

import json
from collections import Counter
from random import Random
from typing import Any

import pytest
from graphql import ExecutionResult, GraphQLError, execute, parse, validate
from tests.graphql.breadth.random_documents import Document, Writer
from tests.graphql.breadth.random_worlds import Built, Node, Spec, random_spec

from etm_graph.graphql.breadth import Engine, Outcome, Request

CHUNKS, SCHEMAS, DOCUMENTS, ROOTS = 20, 10, 17, 6
"""20 × 10 × 17 × 6 = 20,400 cases."""


def seen(errors: list[GraphQLError] | None) -> Counter[Any]:
    return Counter((tuple(error.path or ()), error.message) for error in errors or ())


def same(spec: Spec, document: Document, expected: ExecutionResult, actual: Outcome) -> None:
    if actual.data == expected.data and not actual.errors and not expected.errors and in_order(actual, expected):
        return
    note = f"{document.text}\n{document.variables}\n{spec}"
    assert json.dumps(actual.data) == json.dumps(expected.data), note
    assert seen(actual.errors) == seen(expected.errors), note


def in_order(actual: Outcome, expected: ExecutionResult) -> bool:
    return json.dumps(actual.data) == json.dumps(expected.data)


@pytest.mark.parametrize("chunk", range(CHUNKS))
async def test_the_engine_answers_as_graphql_core_does(chunk: int) -> None:
    random = Random(chunk)
    fallen: list[str] = []
    for _ in range(SCHEMAS):
        spec = random_spec(random)
        plain, mixed = Built(spec, mixed=False), Built(spec, mixed=True)
        engine = Engine(mixed.schema, classify=mixed.classify, fell_back=fallen.append)
        for number in range(DOCUMENTS):
            document = Writer(spec, random).document()
            parsed = parse(document.text, no_location=True)
            if number == 0:
                assert validate(plain.schema, parsed) == [] or "never used" in str(validate(plain.schema, parsed))
            for root in range(ROOTS):
                node = Node(spec, "Query", root)
                expected: Any = execute(plain.schema, parsed, node, variable_values=document.variables)
                request = Request(parsed, document.text, variables=document.variables, root=node)
                same(spec, document, expected, await engine.execute(request))
    assert fallen == []
