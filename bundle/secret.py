"""Values that must not be shown, and the memory of them that error texts are masked with."""

import hmac
import threading
from collections.abc import Iterator
from typing import NoReturn

_WORDS = ("", "true", "false", "null", "none")


class Secret:
    """A text that shows as *** wherever it is formatted, logged or part of a repr; only `reveal` gives it.

    It can't be pickled or changed, and compares in constant time.
    """

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """The text itself, for where it is used."""
        return self.__value

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__value.encode(), other.__value.encode())

    def __hash__(self) -> int:
        return hash(self.__value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is never pickled")


class KnownSecrets:
    """Every secret that this run has seen, to be masked in what is shown. Safe for several threads.

    Iterating gives the texts that are known by then.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: set[str] = set()

    def add(self, value: str) -> Secret:
        """Remember a text as secret; words of every program's output are none."""
        if value.lower() not in _WORDS:
            with self._lock:
                self._values.add(value)
        return Secret(value)

    def __iter__(self) -> Iterator[str]:
        with self._lock:
            return iter(tuple(self._values))

    def __repr__(self) -> str:
        return "KnownSecrets(***)"
