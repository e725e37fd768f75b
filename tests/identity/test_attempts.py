"""Failed sign-ins: an address that fails too often waits; who was let in before does not."""

import pytest

from etm_graph.core.errors import TooManyFailures
from etm_graph.identity import attempts
from etm_graph.identity.attempts import FailedSignIns


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def fail(counted: FailedSignIns, address: str, times: int) -> None:
    for _ in range(times):
        counted.check(address, "bad")
        counted.failed(address)


def test_the_failure_after_the_last_that_is_put_up_with_waits_until_the_first_is_a_minute_old(clock: Clock) -> None:
    counted = FailedSignIns(3, clock=clock)
    fail(counted, "10.0.0.1", 3)
    clock.now = 20
    with pytest.raises(TooManyFailures) as caught:
        counted.check("10.0.0.1", "bad")
    assert caught.value.details == {"retryAfter": 41}
    assert "at most 3 a minute (sign_in_failures_max)" in caught.value.message
    clock.now = 60
    counted.check("10.0.0.1", "bad")
    assert counted.total == 3


def test_other_addresses_and_credentials_that_were_good_are_let_through(clock: Clock) -> None:
    counted = FailedSignIns(2, clock=clock)
    counted.succeeded("good")
    fail(counted, "10.0.0.1", 2)
    counted.check("10.0.0.2", "bad")
    counted.check("10.0.0.1", "good")


def test_addresses_of_one_customer_are_one(clock: Clock) -> None:
    counted = FailedSignIns(2, clock=clock)
    fail(counted, "2001:db8:1:2::1", 1)
    fail(counted, "2001:db8:1:2:ffff::9", 1)
    with pytest.raises(TooManyFailures):
        counted.check("2001:db8:1:2::77", "bad")
    counted.check("2001:db8:1:3::1", "bad")


def test_zero_puts_up_with_any_number(clock: Clock) -> None:
    counted = FailedSignIns(0, clock=clock)
    fail(counted, "10.0.0.1", 100)
    counted.check("10.0.0.1", "bad")


def test_memory_is_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "ADDRESSES_MAX", 2)
    monkeypatch.setattr(attempts, "GOOD_MAX", 2)
    counted = FailedSignIns(1, clock=clock)
    for number in range(4):
        counted.failed(f"10.0.0.{number}")
        counted.succeeded(f"good {number}")
    assert (list(counted._failures), list(counted._good)) == (["10.0.0.2", "10.0.0.3"], ["good 2", "good 3"])
