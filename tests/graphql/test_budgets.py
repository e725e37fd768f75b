"""Token buckets against the obvious account of every second."""

from hypothesis import given
from hypothesis import strategies as st

from etm_graph.graphql.budgets import Budgets


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_empties_refuses_and_refills() -> None:
    clock = Clock()
    budgets = Budgets(100, 10, clock)
    first, second, third = budgets.take("a", 60), budgets.take("a", 60), budgets.take("b", 60)
    assert (first.allowed, first.remaining, first.full_in_s, first.window_s) == (True, 40, 6, 10)
    assert (second.allowed, second.remaining, second.wait_s) == (False, 40, 2)
    assert (third.allowed, third.remaining) == (True, 40)
    clock.now = 2.0
    again = budgets.take("a", 60)
    assert (again.allowed, again.remaining, again.wait_s) == (True, 0, 0)
    clock.now = 1_000.0
    assert budgets.take("a", 0).remaining == 100


def test_an_operation_above_the_whole_bucket_needs_a_full_one() -> None:
    clock = Clock()
    budgets = Budgets(100, 10, clock)
    assert budgets.take("a", 1_000).allowed
    assert budgets.take("a", 1_000).wait_s == 10
    clock.now = 10.0
    assert budgets.take("a", 1_000).allowed


def test_callers_with_a_full_bucket_are_forgotten() -> None:
    clock = Clock()
    budgets = Budgets(100, 10, clock)
    for caller in range(10_000):
        budgets.take(caller, 100)
    clock.now = 9.0
    budgets.take("late", 1)
    assert len(budgets._levels) == 10_001
    clock.now = 10.0
    budgets.take("later", 1)
    assert set(budgets._levels) == {"later"}


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 150)), max_size=40))
def test_buckets_hold_what_the_slow_account_says(steps: list[tuple[int, int]]) -> None:
    clock, level = Clock(), 100
    budgets = Budgets(100, 10, clock)
    for seconds, cost in steps:
        clock.now += seconds
        for _ in range(seconds):
            level = min(100, level + 10)
        state = budgets.take("a", cost)
        expected = min(cost, 100) <= level
        level -= min(cost, 100) if expected else 0
        assert (state.allowed, state.remaining) == (expected, level)
