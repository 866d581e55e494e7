"""How the long-running steps say what they do, without knowing who shows it."""

from typing import Protocol


class Meter(Protocol):
    """Receives progress; called from several threads at once."""

    def expect(self, subject: str, size: int, parts: int = 0) -> None:
        """`subject` (an image, a chart, an archive) will move `size` more bytes, in `parts` (layers) if it has any."""

    def advance(self, subject: str, size: int) -> None:
        """`size` bytes of `subject` came in or went out."""

    def reuse(self, subject: str, size: int) -> None:
        """`size` bytes of `subject` were already present."""

    def say(self, subject: str, message: str) -> None:
        """One line worth telling: a retry, a resumed transfer, a healed blob."""


class SilentMeter:
    """Shows nothing."""

    def expect(self, subject: str, size: int, parts: int = 0) -> None:
        """Ignore."""

    def advance(self, subject: str, size: int) -> None:
        """Ignore."""

    def reuse(self, subject: str, size: int) -> None:
        """Ignore."""

    def say(self, subject: str, message: str) -> None:
        """Ignore."""
