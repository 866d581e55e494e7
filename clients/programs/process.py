"""The one way to run a program: an argv list, never a shell, in its own process group, gone at the latest at its time.

helm may be waited for a quarter of an hour, and must go with all its children when the time is up, when the operator
interrupts, or (`tied`) when this process is killed outright.
"""

import base64
import html
import json
import os
import re
import selectors
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, Self
from urllib.parse import quote, quote_plus

from bundle.errors import MissingToolError, ProgramError
from clients.programs._child import Child

STDERR_TAIL = 64 * 1024  # bytes kept of what a program says on standard error
GRACE = 10.0  # seconds between TERM and KILL
_DRAIN = 1.0  # seconds for what a program's own children still have to say after its end
_POLL = 0.1  # seconds
Ending = Literal["by itself", "late", "cancelled", "interrupted"]
_SHORTEST_CODE = 6  # letters of base64 that no other text has by chance
_CODE = re.compile("%[0-9A-F]{2}")
_SHORTEST_SECRET = 4  # characters; masking "1" or "yes" would only make a message unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """How a program ended: its exit code (negative: the signal that ended it), output, and the end of its errors."""

    code: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.stdout.decode(errors="replace")


class Runner(Protocol):
    """Runs programs; `run` is the real one."""

    def __call__(
        self,
        argv: Sequence[str],
        *,
        subject: str,
        timeout: float,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        on_output: Callable[[str], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        grace: float = GRACE,
        tied: bool = False,
        terminal: bool = False,
    ) -> Completed:
        """As `run`."""


def find_program(name: str, *, directories: Sequence[Path] = (), path: str | None = None) -> Path:
    """The program `name` in `directories` (those of the bundle's tools come first), else on PATH (`path` instead).

    A MissingToolError says where was looked.
    """
    search = os.environ.get("PATH", os.defpath) if path is None else path
    found = shutil.which(name, path=os.pathsep.join([*map(str, directories), search]))
    if not found:
        places = [*map(str, directories), f"PATH ({search})"]
        raise MissingToolError(
            f"{name} is not installed; looked in {', '.join(places)}",
            hint=f"install {name} on this machine, or have the bundle carry it: files: [{{name: {name}, source: ..., "
            "tool: true}] in its spec",
        )
    return Path(found)


def run(
    argv: Sequence[str],
    *,
    subject: str,
    timeout: float,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    on_output: Callable[[str], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    grace: float = GRACE,
    tied: bool = False,
    terminal: bool = False,
) -> Completed:
    """Run a program to its end, whatever its exit code; `env` is its whole environment (default: ours).

    One that may ask for something keeps our terminal and, unless it is given some, our standard input (`terminal`);
    only it is ended then, and not what it started.

    Secrets go by `stdin` or `env`: other users of the machine can read an argv. `on_output` gets each line of both
    streams as it comes. `timeout` in seconds; afterwards, or as soon as `cancelled` is true, the whole process group
    gets TERM, and KILL `grace` seconds later. Raises ProgramError (quoting `subject`) when the time was up, and when
    the program can't be started; a cancelled one returns like any other.
    """
    ending: Ending = "interrupted"
    with _Pump(on_output) as pump, Child() as child:
        with pump.ends(stdin) as (fed, out, err):
            child.start(
                argv, subject=subject, stdin=fed, stdout=out, stderr=err, env=env, cwd=cwd, tied=tied, terminal=terminal
            )
        try:
            ending = pump.until_end(child, time.monotonic() + timeout, cancelled)
            if ending != "by itself":
                child.signal(signal.SIGTERM)
                pump.until_end(child, time.monotonic() + grace, None)
        finally:
            if ending != "by itself":
                child.signal(signal.SIGKILL)
        code = child.wait()
    done = Completed(code=code, stdout=bytes(pump.stdout), stderr=pump.stderr.decode(errors="replace"))
    if ending == "late":
        raise ProgramError(
            f"{subject}: {Path(argv[0]).name} did not end within {timeout:.0f} s{_last_words(done)}",
            reason=f"no answer in {timeout:.0f} s",
        )
    return done


@contextmanager
def background(argv: Sequence[str], *, subject: str, log: Path, grace: float = GRACE) -> Iterator[Callable[[], bool]]:
    """Run a program beside us, what it says added to `log`; what is given tells whether it still runs.

    It is tied to us, and gone with all its children in the end: TERM, and KILL at the latest `grace` seconds later.
    """
    with Child() as child:
        with log.open("ab") as output:
            child.start(argv, subject=subject, stdout=output.fileno(), stderr=output.fileno(), tied=True)
        try:
            yield lambda: child.runs
        finally:
            child.signal(signal.SIGTERM)
            try:
                child.ends_within(grace)
            finally:
                child.signal(signal.SIGKILL)


def masked(text: str, secrets: Iterable[str]) -> str:
    """`text` with each of the secrets replaced by ***, also as base64, hexadecimal, quoted and in addresses.

    Of a secret of several lines, each line counts. What is shorter than four characters stays: it occurs everywhere.
    """
    forms = {form for secret in secrets for form in _forms(secret)}
    if not forms:
        return text
    return re.sub("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)), "***", text)


def _forms(secret: str) -> Iterable[str]:
    for part in {secret, secret.strip(), *secret.splitlines()}:
        if len(part.strip()) >= _SHORTEST_SECRET:
            raw = part.encode(errors="surrogateescape")
            yield from (part, raw.hex(), raw.hex().upper(), repr(part)[1:-1])
            for plain in (json.dumps(part)[1:-1], json.dumps(part, ensure_ascii=False)[1:-1]):
                yield from (plain, plain.replace("/", "\\/"), json.dumps(plain)[1:-1])
            yield from (part.replace("'", "''"), part.replace("'", "'\\''"))  # as YAML and as a shell quote it
            yield from (html.escape(part), html.escape(part, quote=False), html.escape(part).replace("&#x27;", "&#39;"))
            for encoded in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
                yield from (encoded, _CODE.sub(lambda code: code[0].lower(), encoded))
            yield from _base64_forms(raw)


def _base64_forms(raw: bytes) -> Iterable[str]:
    """Alone, and within something longer, where it begins at any of three places of a group."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        alone = encode(raw).decode()
        yield from (alone, alone.rstrip("="))
        for before in range(3):
            size = before + len(raw)
            within = encode(bytes(before) + raw).decode()[(0, 2, 3)[before] : size * 4 // 3]
            if len(within) >= _SHORTEST_CODE:
                yield within


def _last_words(done: Completed) -> str:
    words = " ".join(done.stderr.split()[-60:])
    return f": {words}" if words else ""


class _Pump:
    """Moves bytes to and from a program in one thread."""

    def __init__(self, on_output: Callable[[str], None] | None) -> None:
        self.stdout = bytearray()
        self.stderr = bytearray()
        self._on_output = on_output
        self._input = memoryview(b"")
        self._partial: dict[int, bytes] = {}
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the pipes, and give away a last line without its end."""
        try:
            for rest in self._partial.values():
                self._say(rest)
        finally:
            for key in list(self._selector.get_map().values()):
                self._close(key.fd)
            self._selector.close()

    @contextmanager
    def ends(self, stdin: bytes | None) -> Iterator[tuple[int | None, int, int]]:
        """The program's ends of its pipes, open for as long as it is being started: input (if any), output, errors."""
        with ExitStack() as stack:
            theirs = []
            for kept in (self.stdout, self.stderr):
                ours, end = os.pipe()
                stack.callback(os.close, end)
                self._register(ours, selectors.EVENT_READ, kept)
                theirs.append(end)
            fed = None
            if stdin is not None:
                fed, ours = os.pipe()
                stack.callback(os.close, fed)
                self._register(ours, selectors.EVENT_WRITE, None)
                self._input = memoryview(stdin)
            yield fed, theirs[0], theirs[1]

    def until_end(self, child: Child, deadline: float, cancelled: Callable[[], bool] | None) -> Ending:
        """Pump until the program has ended and said all, or the deadline or `cancelled` comes first."""
        while child.runs:
            if cancelled and cancelled():
                return "cancelled"
            if time.monotonic() >= deadline:
                return "late"
            if self._selector.get_map():
                self._turn(min(_POLL, max(0.0, deadline - time.monotonic())))
            else:
                child.ends_within(min(_POLL, max(0.0, deadline - time.monotonic())))
        # A child left in the background may hold the pipes open for ever.
        drained = time.monotonic() + _DRAIN
        while self._selector.get_map() and time.monotonic() < drained:
            self._turn(_POLL)
        return "by itself"

    def _register(self, handle: int, event: int, kept: bytearray | None) -> None:
        self._selector.register(handle, event, kept)
        os.set_blocking(handle, False)

    def _close(self, handle: int) -> None:
        self._selector.unregister(handle)
        os.close(handle)

    def _turn(self, wait: float) -> None:
        for key, _ in self._selector.select(wait):
            if key.data is None:
                self._write(key.fd)
            else:
                self._read(key.fd, key.data)

    def _write(self, handle: int) -> None:
        try:
            self._input = self._input[os.write(handle, self._input[:65536]) :]
        except BrokenPipeError:
            self._input = self._input[:0]
        if not self._input:
            self._close(handle)

    def _read(self, handle: int, kept: bytearray) -> None:
        data = os.read(handle, 65536)
        if not data:
            self._close(handle)
            return
        kept += data
        if kept is self.stderr:
            del kept[:-STDERR_TAIL]
        if self._on_output:
            *lines, self._partial[handle] = (self._partial.get(handle, b"") + data).split(b"\n")
            for line in lines:
                self._say(line)

    def _say(self, line: bytes) -> None:
        if self._on_output and (text := line.decode(errors="replace").rstrip()):
            self._on_output(text)
