"""What breadth-first buys: one call a level, whatever the width, and nothing that depends on the stack."""

import asyncio
import inspect
from collections.abc import Sequence
from typing import Any

from graphql import GraphQLField, build_schema, parse

from etm_graph.graphql.breadth import (
    Attribute,
    Batch,
    Column,
    Engine,
    Outcome,
    Property,
    Request,
    Resolution,
    Selection,
)

SCHEMA = """type Query { roots(first: Int = 3): [Node] other: [Node] }
type Node { key: Int! name: String owner: Owner children(first: Int): [Node] kind: Kind }
type Owner { name: String email: String }
type Kind { label: String }"""


class Node:
    def __init__(self, key: int) -> None:
        self.key = key


KINDS = [{"label": "even"}, {"label": "odd"}]


class World:
    """Batches that note how they were called."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int, dict[str, Any], list[str]]] = []
        self.labelled = 0

    async def load(self, name: str, parents: Sequence[Any], given: dict[str, Any], selection: Selection) -> list[Any]:
        self.calls.append((name, len(parents), given, sorted(selection)))
        await asyncio.sleep(0)
        width = given.get("first") or 2
        answers = {
            "roots": lambda _: [Node(key) for key in range(1, width + 1)],
            "other": lambda _: [Node(8)],
            "owner": lambda node: ValueError("no owner") if node.key == 2 else {"name": f"o{node.key}", "email": "e"},
            "children": lambda node: [Node(node.key * 10 + place) for place in range(width)],
            "kind": lambda node: KINDS[node.key % 2],
        }
        return [answers[name](parent) for parent in parents]

    def labels(self, kinds: Sequence[Any]) -> list[str]:
        self.labelled += len(kinds)
        return [kind["label"] for kind in kinds]

    def classify(self, parent: Any, name: str, _field: GraphQLField) -> Resolution:
        if parent.name == "Kind":
            return Column(self.labels)
        if parent.name in {"Query", "Node"} and name not in {"key", "name"}:

            async def load(parents: Any, _context: Any, given: Any, selection: Selection) -> Any:
                return await self.load(name, parents, given, selection)

            return Batch(load, name)
        return Attribute(name) if name == "key" else Property(name)


async def answer(query: str) -> tuple[World, Outcome]:
    world = World()
    engine = Engine(build_schema(SCHEMA), classify=world.classify)
    return world, await engine.execute(Request(parse(query), query))


async def test_a_level_costs_one_call_however_wide() -> None:
    world, found = await answer("{ roots(first: 5) { key children(first: 4) { key children(first: 3) { key } } } }")
    assert [(name, count) for name, count, _, _ in world.calls] == [("roots", 1), ("children", 5), ("children", 20)]
    assert found.data is not None
    assert [len(node["children"]) for node in found.data["roots"]] == [4] * 5


async def test_equal_batches_of_one_level_are_one_call_and_see_all_that_is_selected() -> None:
    world, found = await answer(
        "{ roots { a: children { key } b: children { owner { name } } c: children(first: 1) { key } owner { name } }"
        "  other { children { kind { label } } owner { email } } }"
    )
    assert found.data is not None
    assert world.calls == [
        ("roots", 1, {"first": 3}, ["children", "owner"]),
        ("other", 1, {}, ["children", "owner"]),
        ("children", 7, {}, ["key", "kind", "owner"]),
        ("children", 3, {"first": 1}, ["key"]),
        ("owner", 4, {}, ["email", "name"]),
        ("owner", 6, {}, ["name"]),
        ("kind", 2, {}, ["label"]),
    ]


async def test_one_answer_of_a_batch_may_fail_alone() -> None:
    _, found = await answer("{ roots { key owner { name } } }")
    assert found.data == {
        "roots": [
            {"key": 1, "owner": {"name": "o1"}},
            {"key": 2, "owner": None},
            {"key": 3, "owner": {"name": "o3"}},
        ]
    }
    assert [(error.path, error.message) for error in found.errors] == [(["roots", 1, "owner"], "no owner")]


async def test_an_object_that_occurs_often_is_answered_once() -> None:
    world, found = await answer("{ roots(first: 100) { kind { label } } }")
    assert found.data is not None
    assert [node["kind"]["label"] for node in found.data["roots"][:3]] == ["odd", "even", "odd"]
    assert world.labelled == 2


async def test_a_batch_that_fails_or_miscounts_fails_every_parent() -> None:
    async def raising(*_: Any) -> Any:
        raise RuntimeError("no database")

    async def short(*_: Any) -> Any:
        return []

    for load, message in (raising, "no database"), (short, "roots: 0 answers for 1 parents"):
        engine = Engine(build_schema(SCHEMA), classify=lambda *_, load=load: Batch(load, 0))
        found = await engine.execute(Request(parse("{ roots { key } }"), "x"))
        assert found.data == {"roots": None}
        assert [error.message for error in found.errors] == [message]


async def test_a_deep_answer_needs_no_deep_stack() -> None:
    depths: list[int] = []
    schema = build_schema("type Query { q: Query d: Int }")

    async def load(parents: Sequence[Any], *_: Any) -> list[Any]:
        depths.append(len(inspect.stack(0)))
        return [{} for _ in parents]

    engine = Engine(schema, classify=lambda _p, name, _f: Batch(load, name) if name == "q" else Property(name))
    query = "{ q " * 60 + "{ d }" + " }" * 60
    found = await engine.execute(Request(parse(query), query))
    assert found.errors == []
    assert len(depths) == 60
    assert len(set(depths)) == 1


def test_a_selection_is_seen_through_fragments_and_aliases() -> None:
    seen: list[Selection] = []

    async def load(parents: Sequence[Any], _c: Any, _g: Any, selection: Selection) -> list[Any]:
        seen.append(selection)
        return [None for _ in parents]

    query = """{ roots { a: key ...F ... on Node { owner { name } } } }
      fragment F on Node { children { owner { email } kind { label } } owner { email } }"""
    engine = Engine(build_schema(SCHEMA), classify=lambda *_: Batch(load, 0))
    asyncio.run(engine.execute(Request(parse(query), query)))
    assert sorted(seen[0]) == ["children", "key", "owner"]
    assert sorted(seen[0].at("owner")) == ["email", "name"]
    assert sorted(seen[0].at("children", "owner")) == ["email"]
    assert "kind" in seen[0].at("children")
    assert sorted(seen[0].at("nothing", "here")) == []
