"""A program of the machine: started by sh, in its own process group, ended with all that it started.

The one place that starts programs, and the only one that imports sh. sh forks, sets up and waits; bytes go by
descriptors of ours, because what sh reads itself it cuts into lines and keeps in queues.
"""

import codecs
import concurrent.futures.thread  # noqa: F401 - has locks taken around forks: must not come while another thread forks
import errno
import gc
import os
import re
import selectors
import shutil
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import cache, partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Self

from bundle.errors import MissingToolError, ProgramError

if TYPE_CHECKING:
    from sh import RunningCommand

_START = 10.0  # seconds for a start that was interrupted to come to its end
_LONG = 3600.0  # seconds
_ERRNO = re.compile(r"\[Errno ([0-9]+)\]")
_ENCODING = "airgap-argv"
_PR_SET_PDEATHSIG = 1  # of prctl(2); it survives the exec, and fires at the end of the thread that started the program


class Child:
    """A program, from its start to its end: when its `with` is left it does not run any more.

    Whoever uses it may be interrupted at any instant by a signal's handler, which raises. In the midst of sh that would
    leave a lock held, or a fork that nobody knows of. Python calls handlers in the main thread only: so all of sh is
    done in a thread of the program's own, which says by a pipe that it runs (a byte), and that it has ended.
    """

    def __init__(self) -> None:
        self._asked = self._begun = self._leads = False
        self._pid = 0
        self._code: int | None = None
        self._failure: Exception | None = None
        self._heard = self._told = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._asked and not self._begun:
            self._asked = False
            self._says_within(_START)
        if self._pid:
            if self.runs:
                self.signal(signal.SIGKILL)
            self.wait()
        if self._heard >= 0:
            os.close(self._heard)

    @property
    def runs(self) -> bool:
        """Whether it has not ended yet; what it started may live on."""
        return self._code is None

    def start(
        self,
        argv: Sequence[str],
        *,
        subject: str,
        stdout: int,
        stderr: int,
        stdin: int | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        tied: bool = False,
        terminal: bool = False,
    ) -> None:
        """Start it on these descriptors, which stay the caller's; without `stdin` it has nothing to read.

        A name without a slash is looked for on the PATH of `env` (default: ours). One that is `tied` is killed when
        this process ends, however that happens; where the system can't do that (macOS), it is not. One at our
        `terminal` stays in our process group, and without `stdin` reads ours. Raises ProgramError, quoting `subject`.
        """
        self._leads = not terminal
        try:
            with ExitStack() as stack:
                if stdin is None and not terminal:
                    stdin = os.open(os.devnull, os.O_RDONLY)
                    stack.callback(os.close, stdin)
                fork = partial(
                    _forked,
                    _place(argv[0], env, cwd),
                    argv[1:],
                    tied=tied,
                    mask=signal.pthread_sigmask(signal.SIG_BLOCK, ()),
                    _in=0 if stdin is None else stdin,
                    _out=stdout,
                    _err=stderr,
                    _env=None if env is None else dict(env),
                    _cwd=cwd,
                    _new_session=self._leads,
                )
                self._begin(fork)
        except OSError as err:
            raise _not_started(argv[0], subject, err, cwd) from err

    def ends_within(self, seconds: float) -> bool:
        """Wait for its end, so long at most."""
        return not self.runs or (self._says_within(seconds) and not os.read(self._heard, 1))

    def wait(self) -> int:
        """Wait for its end; its exit code (negative: the signal that ended it)."""
        while self._code is None:
            self.ends_within(_LONG)
        return self._code

    def signal(self, number: signal.Signals) -> None:
        """Signal its process group, or what is left of that after its end. One at our terminal is in ours: only it."""
        with suppress(ProcessLookupError, PermissionError):  # macOS says EPERM for a group of zombies
            if self._leads and self._pid:
                os.killpg(self._pid, number)
            elif self._pid and self.runs:
                os.kill(self._pid, number)

    def _begin(self, fork: Callable[[], "RunningCommand"]) -> None:
        thread = Thread(target=self._keep, args=(fork,), name="program", daemon=True)
        self._heard, self._told = os.pipe()
        self._asked = True
        try:
            thread.start()
        except RuntimeError as err:  # no more threads
            os.close(self._told)
            self._asked = False
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from err
        os.read(self._heard, 1)
        self._begun = True
        if self._failure:
            raise self._failure

    def _keep(self, fork: Callable[[], "RunningCommand"]) -> None:
        """From its start to its end. The tie to us holds as long as this thread is there.

        Nobody traces it (a debugger, coverage): in the fork a lock of theirs may be held by a thread that is not there.
        """
        sys.settrace(None)
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            running = fork()
            self._pid = running.pid
        except Exception as err:
            self._failure = err
        if not self._asked:
            self.signal(signal.SIGKILL)
        with suppress(BrokenPipeError):  # nobody waits any more
            os.write(self._told, b".")
        if self._failure is None:
            # No such child: we were started with SIGCHLD ignored, and the system keeps no code; subprocess says 0 too.
            # No more threads: sh wants one to read what is left, and nothing is left to it here.
            try:
                with suppress(ChildProcessError, RuntimeError):
                    running.process.wait()  # not running.wait(), which raises for most codes
            finally:
                self._code = running.process.exit_code or 0
        os.close(self._told)

    def _says_within(self, seconds: float) -> bool:
        """Whether the thread says something, or all is said, within so many seconds."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._heard, selectors.EVENT_READ)
            return bool(selector.select(seconds))


def _forked(place: str, arguments: Sequence[str], *, tied: bool, mask: Iterable[int], **how: Any) -> "RunningCommand":
    """The program as sh starts it. An OSError for what can't be started, without its arguments."""
    sh, tie = _engine()
    collecting = gc.isenabled()
    ours = [number for number in signal.valid_signals() if callable(signal.getsignal(number))]
    report, told = os.pipe()
    running: RunningCommand | None = None
    reason = 0
    try:
        running = sh.Command(place)(
            *arguments,
            **how,
            _tty_out=False,
            _async=True,  # it runs beside us; `_bg` would let it live on when its terminal is closed
            _encoding=_ENCODING,
            _preexec_fn=partial(_before_exec, told, os.getpid(), tie if tied else None, ours, mask),
        )
    except sh.ForkException as err:
        reason = int((_ERRNO.findall(str(err)) or [errno.EINVAL])[-1])
    except sh.CommandNotFound:  # it has gone since we looked
        reason = errno.ENOENT
    except RuntimeError:  # no more threads
        reason = errno.EAGAIN
    finally:
        os.close(told)
        if running is None:
            _abandon(report, leads=how["_new_session"])
            if collecting:
                gc.enable()  # sh turns it off while it forks
        os.close(report)
    if running is None:
        raise OSError(reason, os.strerror(reason))
    return running


def _before_exec(
    told: int, parent: int, tie: Callable[..., object] | None, ours: Iterable[int], mask: Iterable[int]
) -> None:
    """What the new process does before it becomes the program: say who it is, and be tied. After a fork: no more.

    Until now all signals wait. Our handlers raise, which here would make a second one of us, tidying up and going on.
    """
    os.write(told, str(os.getpid()).encode())
    for number in (*ours, signal.SIGXFSZ):  # Python ignores it, as SIGPIPE, which sh sets back
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    if tie:
        tie(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def _abandon(report: int, *, leads: bool) -> None:
    """End the process that a start left behind when it broke off after its fork. sh forgets about it."""
    said = os.read(report, 20)  # nothing when there was no fork; the other end closes with the exec at the latest
    if said:
        number = int(said)
        with suppress(ProcessLookupError, PermissionError):
            (os.killpg if leads else os.kill)(number, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(number, 0)


def _place(name: str, env: Mapping[str, str] | None, cwd: Path | None) -> str:
    """Where a program is, as an absolute path, which sh takes as it is. An OSError says why it can't be one."""
    if os.sep in name:
        found = os.path.join(cwd or "", name)
    else:
        path = (os.environ if env is None else env).get("PATH", os.defpath)
        found = shutil.which(name, path=path) or shutil.which(name, mode=os.F_OK, path=path) or ""
        if not found:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    os.stat(found)
    if not os.path.isfile(found) or not os.access(found, os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), name)
    return os.path.abspath(found)


def _not_started(name: str, subject: str, err: OSError, cwd: Path | None) -> ProgramError:
    reason = os.strerror(err.errno or 0)
    if err.errno == errno.ENOEXEC:
        return ProgramError(
            f"{subject}: {name} does not run on this machine ({os.uname().machine}): it is no program for it",
            reason=reason,
            hint="put in its place the build for this architecture",
        )
    if err.errno == errno.ENOENT:
        if cwd and not cwd.is_dir():
            return ProgramError(f"{subject}: the directory {cwd} is not there", reason=reason)
        return MissingToolError(f"{subject}: {name} is not there", reason=reason, hint=f"install {name}")
    hint = f"chmod +x {name}; is its file system mounted noexec?" if err.errno == errno.EACCES else ""
    return ProgramError(f"{subject}: {name} can't be run: {reason}", reason=reason, hint=hint)


@cache
def _engine() -> tuple[Any, Callable[..., object] | None]:
    """sh, and prctl(2) where there is one. Loaded when the first program runs: most runs start none."""
    import sh  # noqa: PLC0415

    prctl = None
    with suppress(ImportError):  # a Python without libffi ties nothing
        import ctypes  # noqa: PLC0415

        prctl = getattr(ctypes.CDLL(None), "prctl", None)
    # From 3.12 on Python warns of a fork in a process with threads, because what is forked could wait for a lock that a
    # thread held. Between fork and exec none is taken: docs/adr/0019.
    warnings.filterwarnings("ignore", "This process .*is multi-threaded", DeprecationWarning, "sh")
    codecs.register(_argv_codec)
    codecs.lookup(_ENCODING)  # remembered now, not looked up after the fork
    return sh, prctl


def _argv_codec(name: str) -> codecs.CodecInfo | None:
    """Arguments as the system wants them: sh's own way fails at file names that are no text."""
    if name.replace("_", "-") != _ENCODING:
        return None
    return codecs.CodecInfo(
        lambda text, _errors="strict": (os.fsencode(text), len(text)),
        lambda data, _errors="strict": (os.fsdecode(bytes(data)), len(data)),
        name=_ENCODING,
    )
