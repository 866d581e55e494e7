"""When to try again, and how long to wait before it (RFC 9110, "Retry-After")."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from urllib3 import Retry
from urllib3.exceptions import InvalidHeader

from bundle.errors import SourceError

TRANSIENT_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
_CUTS = 10  # with little progress between them, as many as one slow answer


class TransientError(Exception):
    """A fault that may be gone at the next attempt.

    `error` is what the user is told when it is not; `asked` the seconds that the server asked to wait, None when it
    did not say; `slow` where bytes came, but too slowly.
    """

    def __init__(self, error: SourceError, *, reason: str, asked: float | None = None, slow: bool = False) -> None:
        super().__init__(reason)
        self.error = error
        self.reason = reason
        self.asked = asked
        self.slow = slow


class Attempts:
    """How many attempts of one stream failed without progress; `least` bytes are so much that all before is forgotten.

    Any byte is progress after a cut. What comes too slowly, or is cut after each few bytes, is none for ever.
    """

    def __init__(self, least: int) -> None:
        self._least = least
        self._failures = self._spent = self._came = 0

    def advance(self, size: int) -> None:
        """So many bytes came."""
        self._failures = 0
        self._came += size
        if self._came >= self._least:
            self._came = self._spent = 0

    def failed(self, fault: TransientError) -> int:
        """How many failures in a row this one makes."""
        self._failures += 1
        self._spent += _CUTS if fault.slow else 1
        return max(self._failures, self._spent // _CUTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Exponential backoff with jitter; a server's own Retry-After goes first, up to a bound. All times in seconds.

    `attempts` counts those in a row without progress. `sleep` and `random` (0 to 1) are injectable.
    """

    attempts: int = 6
    base: float = 0.5
    cap: float = 20.0
    longest_asked: float = 120.0
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random

    def delay(self, failures: int, asked: float | None = None) -> float:
        """How long to wait after so many failures in a row: half of it fixed, half by chance, never less than asked."""
        backoff = min(self.cap, self.base * 2.0 ** (failures - 1))
        return max(backoff * (0.5 + 0.5 * self.random()), asked or 0.0)

    def asked(self, retry_after: str | None) -> float | None:
        """The seconds that a Retry-After header (seconds or HTTP date) asks to wait; None when it can't be read."""
        if retry_after is None:
            return None
        try:
            return float(Retry().parse_retry_after(retry_after))
        except (InvalidHeader, ValueError, OverflowError):  # the latter two for numbers that are no time
            return None
