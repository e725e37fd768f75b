"""Documents, variables, directives, serial mutations and subscriptions."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from graphql import build_schema, parse
from tests.graphql.breadth.asking import ask, errors_of

from etm_graph.graphql.breadth import Engine, Outcome, Request

AB = "type Query { a: String b: String q: Query l: [Query] }"
ROOT = {"a": "A", "b": "B", "q": {"a": "QA", "b": "QB"}, "l": [{"a": "1"}, {"a": "2"}]}


@pytest.mark.parametrize(
    "query",
    [
        "{ a b @include(if: true) }",
        "{ a @include(if: false) b }",
        "{ a @skip(if: true) b @skip(if: false) }",
        "{ a ...F @skip(if: true) } fragment F on Query { b }",
        "{ a ...F @include(if: true) } fragment F on Query { b q { ...G } } fragment G on Query { a }",
        "{ a ... on Query @include(if: false) { b } ... @skip(if: false) { q { a } } }",
        "{ a b @include(if: true) @skip(if: true) q { a @skip(if: true) } }",
        "{ a @skip(if: true) }",
        "{ q { a } q { b } l { b } l { a } }",
        "{ z: a a y: q { x: a } __typename t: __typename }",
        "{ l { ...F } ...F } fragment F on Query { a b }",
    ],
)
async def test_fields_are_collected_in_graphql_cores_order(query: str) -> None:
    await ask(AB, query, ROOT)


async def test_a_plan_is_kept_for_each_value_of_a_condition() -> None:
    schema = build_schema(AB)
    engine = Engine(schema, plans_max=2)
    query = "query($with: Boolean! = true, $not: Boolean!) { a @include(if: $with) q { b @skip(if: $not) a } }"
    for variables in ({"not": False}, {"not": True}, {"with": False, "not": True}, {"not": False}):
        await ask(schema, query, ROOT, engine, variables=variables)


VARIABLES = """type Query { f(n: Int = 7, bag: Bag, all: [Int!], must: Int! = 2): String  g(must: Int!): String }
input Bag { a: Int = 3 b: [String] c: Bag }"""


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("query($n: Int) { f(n: $n) }", {}),
        ("query($n: Int) { f(n: $n) }", {"n": None}),
        ("query($n: Int = 5) { f(n: $n) f2: f }", {}),
        ("query($n: Int!) { f(n: $n) }", {}),
        ("query($n: Int!) { f(n: $n) }", {"n": "x"}),
        ("query($bag: Bag) { f(bag: $bag) }", {"bag": {"b": ["x", None], "c": {"a": 1}}}),
        ("query($bag: Bag) { f(bag: $bag) }", {"bag": {"z": 1}}),
        ("query($s: String) { f(bag: {b: [$s]}) }", {"s": "x"}),
        ("query($n: Int) { f(all: [1, 2], must: $n) }", {"n": None}),
        ("query($n: Int) { g(must: $n) }", {}),
        ("query A { f } query B { g(must: 1) }", {}),
    ],
)
async def test_variables_and_arguments_reach_resolvers(query: str, variables: dict[str, Any]) -> None:
    root = {"f": lambda _info, **given: repr(given), "g": lambda _info, **given: repr(given)}
    await ask(VARIABLES, query, root, variables=variables)


async def test_the_named_operation_is_executed() -> None:
    found = await ask(AB, "query A { a } query B { b }", ROOT, name="B")
    assert found.data == {"b": "B"}
    unknown = await ask(AB, "query A { a } query B { b }", ROOT, name="C")
    assert (unknown.executed, errors_of(unknown)) == (False, [(None, "Unknown operation named 'C'.")])


class Counter:
    def __init__(self) -> None:
        self.number = 0
        self.running = 0

    def change(self, _info: Any, to: int) -> "Counter":
        self.number = to
        return self

    async def changeLater(self, _info: Any, to: int) -> "Counter":
        self.running += 1
        assert self.running == 1
        await asyncio.sleep(0)
        self.running -= 1
        self.number = to
        return self

    def fail(self, _info: Any) -> None:
        raise RuntimeError("refused")

    async def later(self, _info: Any) -> int:
        await asyncio.sleep(0)
        return self.number


MUTATIONS = """type Query { x: Int } type Counter { number: Int later: Int }
type Mutation { change(to: Int!): Counter changeLater(to: Int!): Counter fail: Counter mustFail: Counter! }"""


async def test_mutations_run_one_after_the_other_each_to_its_end() -> None:
    query = """mutation { one: change(to: 1) { number later } two: changeLater(to: 2) { later number }
      fail { number } three: changeLater(to: 3) { number later } __typename }"""
    found = await ask(MUTATIONS, query, Counter())
    assert found.data == {
        "one": {"number": 1, "later": 1},
        "two": {"later": 2, "number": 2},
        "fail": None,
        "three": {"number": 3, "later": 3},
        "__typename": "Mutation",
    }
    assert errors_of(found) == [(["fail"], "refused")]


async def test_a_mutation_that_may_not_be_null_stops_those_after_it() -> None:
    query = "mutation { change(to: 1) { number } mustFail { number } late: change(to: 9) { number } }"
    counter = Counter()
    found = await Engine(build_schema(MUTATIONS)).execute(Request(parse(query), query, root=counter))
    assert (found.data, counter.number) == (None, 1)
    assert errors_of(found) == [(["mustFail"], "Cannot return null for non-nullable field Mutation.mustFail.")]


def events(*payloads: Any, closed: list[bool] | None = None) -> Any:
    async def subscribe(_info: Any, **_given: Any) -> AsyncIterator[Any]:
        try:
            for payload in payloads:
                yield {"tick": payload}
        finally:
            if closed is not None:
                closed.append(True)

    return subscribe


TICKS = "type Query { x: Int } type Tick { n: Int! later: Int } type Subscription { tick(every: Int): Tick }"


async def stream(root: Any, query: str = "subscription { tick { n } }", **more: Any) -> list[Outcome]:
    found = await Engine(build_schema(TICKS)).subscribe(Request(parse(query), query, root=root, **more))
    return [found] if isinstance(found, Outcome) else [outcome async for outcome in found]


async def test_every_event_is_executed_by_itself() -> None:
    found = await stream({"tick": events({"n": 1}, {"n": None}, None, {"n": 4})})
    assert [outcome.data for outcome in found] == [
        {"tick": {"n": 1}},
        {"tick": None},
        {"tick": None},
        {"tick": {"n": 4}},
    ]
    assert errors_of(found[1]) == [(["tick", "n"], "Cannot return null for non-nullable field Tick.n.")]


async def test_a_subscription_that_cannot_start_says_why() -> None:
    def refuse(_info: Any) -> Any:
        raise RuntimeError("refused")

    async def refuse_later(_info: Any) -> Any:
        raise RuntimeError("refused later")

    for root, message in ({"tick": refuse}, "refused"), ({"tick": refuse_later}, "refused later"):
        (found,) = await stream(root)
        assert (found.data, found.executed, errors_of(found)) == (None, False, [(["tick"], message)])
    (found,) = await stream({"tick": 5})
    assert errors_of(found) == [(["tick"], "Subscription field must return AsyncIterable. Received: 5.")]
    (found,) = await stream({"tick": events()}, "subscription($n: Int!) { tick(every: $n) { n } }")
    assert (found.executed, len(found.errors)) == (False, 1)


async def test_closing_the_answers_closes_the_events() -> None:
    closed: list[bool] = []
    query = "subscription { tick { n } }"
    engine = Engine(build_schema(TICKS))
    found = await engine.subscribe(
        Request(parse(query), query, root={"tick": events({"n": 1}, {"n": 2}, closed=closed)})
    )
    assert not isinstance(found, Outcome)
    async for _ in found:
        break
    await found.aclose()
    assert closed == [True]


async def test_what_the_engine_cannot_do_is_left_to_graphql_core_and_counted() -> None:
    told: list[str] = []
    schema = build_schema(AB)
    engine = Engine(schema, fell_back=told.append)
    query = "query @experimental_disableErrorPropagation { a l { b } }"
    assert (await ask(schema, query, ROOT, engine)).data == {"a": "A", "l": [{"b": None}, {"b": None}]}
    assert told == ["@experimental_disableErrorPropagation"]
