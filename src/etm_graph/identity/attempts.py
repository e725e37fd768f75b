"""Failed sign-ins: an address that fails too often has to wait, so that guessing and flooding cost the guesser."""

from collections import OrderedDict, deque
from collections.abc import Callable
from time import monotonic

from etm_graph.core.errors import TooManyFailures

WINDOW_S = 60.0
"""Seconds over which failures are counted, and the longest that an address has to wait."""

ADDRESSES_MAX = 10_000
"""Most addresses that are remembered; the one that failed longest ago is forgotten first."""

GOOD_MAX = 10_000
"""Most credentials that are remembered as good: those are let in from a blocked address too."""


class FailedSignIns:
    """Counts failures by address (IPv6 by the /64 that a customer has).

    most: failures in a minute that are put up with; 0 puts up with any number.
    """

    def __init__(self, most: int, *, clock: Callable[[], float] = monotonic) -> None:
        self._most = most
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._good: OrderedDict[str, None] = OrderedDict()
        self.total = 0
        """Failures since the process began."""

    def check(self, address: str, credential: str) -> None:
        """Pass unless the address failed too often and the credential was never good; raises `TooManyFailures`."""
        failures = self._failures.get(_network(address))
        if not self._most or failures is None or credential in self._good:
            return
        now = self._clock()
        while failures and now - failures[0] >= WINDOW_S:
            failures.popleft()
        if len(failures) >= self._most:
            wait = int(WINDOW_S - (now - failures[0])) + 1
            raise TooManyFailures(
                f"Too many failed sign-ins from your address: at most {self._most} a minute "
                f"(sign_in_failures_max); come back in {wait} s.",
                details={"retryAfter": wait},
            )

    def failed(self, address: str) -> None:
        """A credential from the address was refused."""
        self.total += 1
        failures = self._failures.setdefault(_network(address), deque(maxlen=max(self._most, 1)))
        failures.append(self._clock())
        self._failures.move_to_end(_network(address))
        if len(self._failures) > ADDRESSES_MAX:
            self._failures.popitem(last=False)

    def succeeded(self, credential: str) -> None:
        """A credential was good."""
        self._good[credential] = None
        self._good.move_to_end(credential)
        if len(self._good) > GOOD_MAX:
            self._good.popitem(last=False)


def _network(address: str) -> str:
    return ":".join(address.split(":")[:4]) if address.count(":") > 1 else address
