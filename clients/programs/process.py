"""The one way to run a program: an argv list, never a shell, in its own process group, gone at the latest at its time.

Only the standard library's subprocess: helm may be waited for a quarter of an hour, and must go with all its children
when the time is up, when the operator interrupts, or (`tied`) when this process is killed outright.
"""

import base64
import errno
import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import quote

from bundle.errors import MissingToolError, ProgramError

STDERR_TAIL = 64 * 1024  # bytes kept of what a program says on standard error
GRACE = 10.0  # seconds between TERM and KILL
_DRAIN = 1.0  # seconds for what a program's own children still have to say after its end
_POLL = 0.1  # seconds
Ending = Literal["by itself", "late", "cancelled", "interrupted"]
_SHORTEST_SECRET = 4  # characters; masking "1" or "yes" would only make a message unreadable

# PR_SET_PDEATHSIG survives the exec. It fires at the end of the thread that started the program, which waits for it.
TIE = """
import ctypes, os, signal, sys
parent = int(sys.argv[1])
try:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
except AttributeError:
    pass
if os.getppid() != parent:
    sys.exit(1)
try:
    os.execvp(sys.argv[2], sys.argv[2:])
except OSError as err:
    sys.exit(f"not started: {err.errno}")
"""
_NOT_STARTED = re.compile(rb"not started: ([0-9]+)\s*")


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
            hint=f"install {name}, or carry it in the bundle: files: [{{name: {name}, source: ..., tool: true}}]",
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

    One that may ask for something keeps our terminal and standard input (`terminal`); only it is ended then, and not
    what it started.

    Secrets go by `stdin` or `env`: other users of the machine can read an argv. `on_output` gets each line of both
    streams as it comes. `timeout` in seconds; afterwards, or as soon as `cancelled` is true, the whole process group
    gets TERM, and KILL `grace` seconds later. Raises ProgramError (quoting `subject`) when the time was up, and when
    the program can't be started; a cancelled one returns like any other.
    """
    process = _start(argv, subject=subject, stdin=stdin is not None, env=env, cwd=cwd, tied=tied, terminal=terminal)
    pump = _Pump(process, stdin or b"", on_output)
    ending: Ending = "interrupted"
    try:
        ending = pump.until_end(time.monotonic() + timeout, cancelled)
        if ending != "by itself":
            _signal_group(process, signal.SIGTERM)
            pump.until_end(time.monotonic() + grace, None)
    finally:
        if ending != "by itself":
            _signal_group(process, signal.SIGKILL)
        process.wait()
        pump.close()
    done = Completed(code=process.returncode, stdout=bytes(pump.stdout), stderr=pump.stderr.decode(errors="replace"))
    if tied and done.code == 1 and (match := _NOT_STARTED.fullmatch(pump.stderr)):
        number = int(match[1])
        raise _not_started(argv[0], subject, OSError(number, os.strerror(number)))
    if ending == "late":
        raise ProgramError(f"{subject}: {Path(argv[0]).name} did not end within {timeout:.0f} s{_last_words(done)}")
    return done


def masked(text: str, secrets: Iterable[str]) -> str:
    """`text` with each of the secrets replaced by ***, also as base64, in JSON and in addresses.

    Of a secret of several lines, each line counts. What is shorter than four characters stays: it occurs everywhere.
    """
    forms = {form for secret in secrets for form in _forms(secret)}
    if not forms:
        return text
    return re.sub("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)), "***", text)


def _forms(secret: str) -> Iterable[str]:
    for part in {secret, secret.strip(), *secret.splitlines()}:
        if len(part.strip()) >= _SHORTEST_SECRET:
            encoded = base64.b64encode(part.encode()).decode()
            yield from (part, encoded, json.dumps(part)[1:-1], quote(part, safe=""))


def _start(
    argv: Sequence[str],
    *,
    subject: str,
    stdin: bool,
    env: Mapping[str, str] | None,
    cwd: Path | None,
    tied: bool,
    terminal: bool,
) -> subprocess.Popen[bytes]:
    full = [sys.executable, "-I", "-S", "-c", TIE, str(os.getpid()), *argv] if tied and sys.executable else list(argv)
    try:
        if full[0] != argv[0] and not shutil.which(argv[0], path=None if env is None else env.get("PATH")):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), argv[0])
        return subprocess.Popen(
            full,
            stdin=subprocess.PIPE if stdin else None if terminal else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=not terminal,
        )
    except OSError as err:
        raise _not_started(argv[0], subject, err) from err


def _not_started(name: str, subject: str, err: OSError) -> ProgramError:
    if err.errno == errno.ENOEXEC:
        return ProgramError(
            f"{subject}: {name} does not run on this machine ({os.uname().machine}): it is no program for it",
            hint="put in its place the build for this architecture",
        )
    if err.errno == errno.ENOENT:
        return MissingToolError(f"{subject}: {err.filename or name} is not there", hint=f"install {name}")
    hint = f"chmod +x {name}; is its file system mounted noexec?" if err.errno == errno.EACCES else ""
    return ProgramError(f"{subject}: {name} can't be run: {err.strerror}", hint=hint)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal what is left of the process's group: its children may live on without it. Of ours, only the process."""
    try:
        if process.poll() is None and os.getpgid(process.pid) == os.getpgrp():
            process.send_signal(number)
        else:
            os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):  # macOS says EPERM for a group of zombies
        return


def _last_words(done: Completed) -> str:
    words = " ".join(done.stderr.split()[-60:])
    return f": {words}" if words else ""


class _Pump:
    """Moves bytes to and from a process in one thread."""

    def __init__(self, process: subprocess.Popen[bytes], stdin: bytes, on_output: Callable[[str], None] | None) -> None:
        self.stdout = bytearray()
        self.stderr = bytearray()
        self._process = process
        self._input = memoryview(stdin)
        self._on_output = on_output
        self._partial: dict[int, bytes] = {}
        self._selector = selectors.DefaultSelector()
        for stream, event in (
            (process.stdin, selectors.EVENT_WRITE),
            (process.stdout, selectors.EVENT_READ),
            (process.stderr, selectors.EVENT_READ),
        ):
            if stream:
                os.set_blocking(stream.fileno(), False)
                self._selector.register(stream, event)

    def until_end(self, deadline: float, cancelled: Callable[[], bool] | None) -> Ending:
        """Pump until the process has ended and said all, or the deadline or `cancelled` comes first."""
        while self._process.poll() is None:
            if cancelled and cancelled():
                return "cancelled"
            if time.monotonic() >= deadline:
                return "late"
            if self._selector.get_map():
                self._turn(min(_POLL, max(0.0, deadline - time.monotonic())))
            else:
                time.sleep(_POLL / 10)
        # A child left in the background may hold the pipes open for ever.
        drained = time.monotonic() + _DRAIN
        while self._selector.get_map() and time.monotonic() < drained:
            self._turn(_POLL)
        return "by itself"

    def close(self) -> None:
        """Close the pipes, and give away a last line without its end."""
        for rest in self._partial.values():
            self._say(rest)
        self._selector.close()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream:
                stream.close()

    def _turn(self, wait: float) -> None:
        for key, _ in self._selector.select(wait):
            if key.fileobj is self._process.stdin:
                self._write(key.fd)
            else:
                self._read(key.fd, self.stdout if key.fileobj is self._process.stdout else self.stderr)

    def _write(self, handle: int) -> None:
        stream = self._process.stdin
        assert stream  # noqa: S101 - only a registered pipe gets here
        try:
            self._input = self._input[os.write(handle, self._input[:65536]) :]
        except BrokenPipeError:
            self._input = self._input[:0]
        if not self._input:
            self._selector.unregister(stream)
            stream.close()

    def _read(self, handle: int, kept: bytearray) -> None:
        data = os.read(handle, 65536)
        if not data:
            self._selector.unregister(handle)
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
