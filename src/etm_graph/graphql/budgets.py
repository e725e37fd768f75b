"""What each caller may use: a bucket of cost that refills with time, one for each principal, in this process."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from math import ceil
from time import monotonic

_SWEPT_ABOVE = 10_000
"""Callers remembered before those with a full bucket are forgotten."""


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A caller's bucket after an operation.

    allowed: whether the operation may run. cost: what it was to cost. remaining: what is left. capacity: the full bucket.
    per_second: what comes back each second. wait_s: seconds until the operation could run, 0 when it may.
    """

    allowed: bool
    cost: int
    remaining: int
    capacity: int
    per_second: int
    wait_s: int

    @property
    def full_in_s(self) -> int:
        """Seconds until the bucket is full again."""
        return ceil((self.capacity - self.remaining) / self.per_second)

    @property
    def window_s(self) -> int:
        """Seconds in which an empty bucket fills."""
        return ceil(self.capacity / self.per_second)


class Budgets:
    """Every caller's bucket. An operation that finds too little takes nothing."""

    def __init__(self, capacity: int, per_second: int, clock: Callable[[], float] = monotonic) -> None:
        self._capacity = capacity
        self._per_second = per_second
        self._clock = clock
        self._levels: dict[Hashable, tuple[float, float]] = {}

    def take(self, caller: Hashable, cost: int) -> BudgetState:
        """Take the cost from the caller's bucket. One that exceeds the whole bucket needs a full one."""
        now = self._clock()
        at, level = self._levels.get(caller, (now, float(self._capacity)))
        level = min(self._capacity, level + (now - at) * self._per_second)
        wanted = min(cost, self._capacity)
        allowed = level >= wanted
        wait = 0 if allowed else ceil((wanted - level) / self._per_second)
        level -= wanted if allowed else 0
        self._levels[caller] = (now, level)
        if len(self._levels) > _SWEPT_ABOVE:
            self._sweep(now)
        return BudgetState(allowed, cost, int(level), self._capacity, self._per_second, wait)

    def _sweep(self, now: float) -> None:
        """Forget who has a full bucket again; it is what a newcomer gets."""
        self._levels = {
            caller: (at, level)
            for caller, (at, level) in self._levels.items()
            if level + (now - at) * self._per_second < self._capacity
        }
