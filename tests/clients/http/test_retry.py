"""When to try again."""

import pytest

from bundle.errors import SourceError
from clients.http.retry import Attempts, RetryPolicy, TransientError

POLICY = RetryPolicy(base=1.0, cap=8.0, random=lambda: 0.0)


@pytest.mark.parametrize(
    ("failures", "chance", "seconds"),
    [
        pytest.param(1, 1.0, 1.0, id="first"),
        pytest.param(3, 1.0, 4.0, id="grows"),
        pytest.param(3, 0.0, 2.0, id="half-by-chance"),
        pytest.param(50, 1.0, 8.0, id="capped"),
    ],
)
def test_delays_grow_up_to_a_cap(failures: int, chance: float, seconds: float) -> None:
    assert RetryPolicy(base=1.0, cap=8.0, random=lambda: chance).delay(failures) == seconds


def test_a_server_that_asks_to_wait_longer_is_obeyed() -> None:
    assert POLICY.delay(1, asked=30.0) == 30.0
    assert POLICY.delay(1, asked=0.0) == 0.5


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        pytest.param("7", 7.0, id="seconds"),
        pytest.param(" 0 ", 0.0, id="zero"),
        pytest.param("Sun, 06 Nov 1994 08:50:07 GMT", 30.0, id="date"),
        pytest.param("Sun, 06 Nov 1994 08:00:00 GMT", 0.0, id="past"),
        pytest.param("soon", None, id="words"),
        pytest.param("-3", None, id="negative"),
        pytest.param("", None, id="empty"),
        pytest.param("9" * 5000, None, id="more digits than a number has"),
        pytest.param("\u00b2", None, id="a superscript"),
        pytest.param("Sun, 99 Nov 99999 08:00:00 GMT", None, id="a date that is none"),
        pytest.param(None, None, id="absent"),
    ],
)
def test_retry_after(header: str | None, seconds: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urllib3.util.retry.time.time", lambda: 784111777.0)
    assert POLICY.asked(header) == seconds


def test_attempts_without_progress_are_counted() -> None:
    cut, slow = (TransientError(SourceError("x"), reason="x", slow=slow) for slow in (False, True))
    attempts = Attempts(100)
    assert [attempts.failed(cut) for _ in range(3)] == [1, 2, 3]
    attempts.advance(1)
    assert attempts.failed(cut) == 1, "any byte is progress after a cut"
    attempts.advance(99)
    assert [attempts.failed(slow) for _ in range(2)] == [1, 2]
    attempts.advance(50)
    assert attempts.failed(slow) == 3, "a few bytes are none after a slow answer"
    attempts.advance(100)
    assert attempts.failed(slow) == 1


def test_cuts_after_each_few_bytes_count_in_the_end() -> None:
    attempts, found = Attempts(100), list[int]()
    for _ in range(60):
        attempts.advance(1)
        found.append(attempts.failed(TransientError(SourceError("x"), reason="x")))
    assert (found[0], found[20], found[-1]) == (1, 2, 6)
