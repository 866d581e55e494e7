"""`verify` on a system that can't install: Windows, whose Python has neither locks nor what steps need."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from bundle.errors import AirgapError
from bundle.formats.sizes import human
from tasks.runtime.calling import CALLED
from tasks.runtime.console import Console, LocalWork


def can_install() -> bool:
    """Whether this Python has the system's locks, by which runs wait for each other."""
    try:
        import_module("fcntl")
    except ImportError:
        return False
    return True


def verify_only(words: Sequence[str], beside: Path | None, *, console: Console | None = None) -> int:
    """Verify the bundle that bundle= names, or that this program lies `beside`; returns the exit code.

    Any other command is answered with the one that works.
    """
    console = console or Console()
    given = dict(word.split("=", 1) for word in words if "=" in word)
    place = Path(given["bundle"]) if given.get("bundle") else beside
    if [word for word in words if "=" not in word] != ["verify"] or given.keys() - {"bundle"} or place is None:
        named = next((word for word in words if word != "verify"), "this")
        console.problem(
            f"ERROR: {named!r} does not work on this system (Windows): airgap installs and builds on Linux\n"
            f"  next: {CALLED} verify bundle=PATH compares a bundle with its checksums here"
        )
        return 3
    return _told(console, place)


def _told(console: Console, place: Path) -> int:
    from bundle.archive.parts import named_bundle
    from bundle.archive.verify import verify

    try:
        path = named_bundle(place)
        report = verify(path, meter=LocalWork(console))
        report.raise_if_bad()
    except AirgapError as err:
        console.problem(f"FAILED verify: {err}")
        return 1
    said = "; ".join((f"{report.files} files, {human(report.size)}, all checksums match", *report.notes))
    console.line(f"verify                       {path}: {said}")
    console.line("who made it is not known: check SHA256SUMS.sig by ssh-keygen as manifest.txt says, if it is signed")
    return 0
