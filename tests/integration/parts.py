"""The real programs that tests and benchmarks talk to: each with its own data, and stopped for sure."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 60.0


class PartError(Exception):
    """A real part is not installed, or did not come up; the message says which and shows the end of its log."""


@contextmanager
def running(argv: Sequence[str], log: Path, *, ready: Callable[[], bool]) -> Iterator[None]:
    """Run a program in its own process group, its output in `log`; it is gone with all its children at the end.

    setpriv makes the kernel stop it even when the test session is killed outright.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            [program("setpriv"), "--pdeathsig", "TERM", "--", *argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                state = f"ended with {process.returncode}" if process.returncode is not None else "did not come up"
                raise PartError(f"{argv[0]} {state}:\n{_tail(log)}")
            time.sleep(0.02)
        yield
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def program(*names: str) -> str:
    """The path of the first of these programs that is installed; a PartError when none is."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    raise PartError(f"{' or '.join(names)} is not installed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A Docker Engine of our own, without networks; nobody else's images are in it."""

    socket: Path
    pid_file: Path

    @property
    def host(self) -> str:
        """What DOCKER_HOST has to be."""
        return f"unix://{self.socket}"

    @property
    def env(self) -> Mapping[str, str]:
        """This process's environment with DOCKER_HOST added."""
        return {**os.environ, "DOCKER_HOST": self.host}

    def docker(self, *args: str, stdin: Path | bytes = b"") -> str:
        """Run the docker command and return its output; a CalledProcessError carries what it said on failure."""
        argv = [program("docker"), "--host", self.host, *args]
        if isinstance(stdin, Path):
            with stdin.open("rb") as file:
                done = subprocess.run(argv, stdin=file, capture_output=True, check=False)
        else:
            done = subprocess.run(argv, input=stdin, capture_output=True, check=False)
        return _output(done)

    def clear(self) -> None:
        """Remove all containers and images."""
        if containers := self.docker("ps", "--all", "--quiet").split():
            self.docker("rm", "--force", *containers)
        if images := set(self.docker("images", "--all", "--quiet").split()):
            self.docker("rmi", "--force", *images)


@contextmanager
def docker_engine(*, data: Path | None = None, options: Sequence[str] = ()) -> Iterator[Engine]:
    """Start a Docker Engine with its own socket and data root; leaves iptables and the machine's own engine alone.

    With `data` its images are kept there, for a disk of its own or a restart; `options` are more of dockerd's.
    """
    if os.geteuid() != 0:
        raise PartError("a Docker Engine needs root to start")
    argv = [program("dockerd")]
    program("docker")
    # Not below pytest's directory: the path of a socket may have 107 bytes only.
    root = Path(tempfile.mkdtemp(prefix="airgap-engine-"))
    engine = Engine(socket=root / "docker.sock", pid_file=root / "pid")
    argv += ["--host", engine.host, "--data-root", f"{data or root / 'data'}", "--exec-root", f"{root}/exec"]
    argv += ["--pidfile", f"{root}/pid", "--config-file", f"{root}/none.json", "--storage-driver", "vfs", *options]
    argv += ["--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"]
    (root / "none.json").write_text("{}")
    try:
        with running(argv, root / "log", ready=lambda: _answers(engine)):
            yield engine
    finally:
        _unmount_below(root, *([data] if data else ()))
        shutil.rmtree(root, ignore_errors=True)


def _unmount_below(*places: Path) -> None:
    """An Engine that was killed leaves mounts, its data root among them, that nobody could remove then."""
    mounts = [Path(line.split()[1]) for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in reversed([each for each in mounts if any(each.is_relative_to(place) for place in places)]):
        subprocess.run([program("umount"), "--lazy", str(mount)], stdin=subprocess.DEVNULL, check=False)


def _answers(engine: Engine) -> bool:
    if not engine.socket.exists():
        return False
    with contextlib.suppress(subprocess.CalledProcessError):
        return bool(engine.docker("version", "--format", "{{.Server.Version}}"))
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Skopeo:
    """Debian's skopeo, with no signature policy and nobody's logins."""

    path: str
    home: Path

    @property
    def version(self) -> tuple[int, ...]:
        """For example (1, 9, 3)."""
        found = re.search(r"(\d+)\.(\d+)\.(\d+)", self.run("--version"))
        return tuple(int(part) for part in found.groups()) if found else ()

    def run(self, *args: str) -> str:
        """Run skopeo and return its output; a CalledProcessError carries what it said on failure."""
        env = {**os.environ, "HOME": str(self.home), "REGISTRY_AUTH_FILE": str(self.home / "auth.json")}
        argv = [self.path, "--insecure-policy", *args]
        return _output(subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, env=env, check=False))

    def copy(self, source: str, target: str, *options: str) -> None:
        """`skopeo copy`; options such as --src-tls-verify=false or --all come first."""
        self.run("copy", "--quiet", *options, source, target)


@contextmanager
def tmpfs(place: Path, megabytes: int) -> Iterator[Path]:
    """Mount a file system of this size (MiB) at `place`; a PartError where mounting is not permitted."""
    place.mkdir(parents=True, exist_ok=True)
    argv = [program("mount"), "-t", "tmpfs", "-o", f"size={megabytes}m", "airgap-test", str(place)]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PartError(f"can't mount a tmpfs here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run([program("umount"), "--lazy", str(place)], check=True)


class CommandError(subprocess.CalledProcessError):
    """A command that failed, with what it said."""

    def __str__(self) -> str:
        return f"{super().__str__()}\n{self.stderr}"


def _output(done: subprocess.CompletedProcess[bytes]) -> str:
    if done.returncode != 0:
        raise CommandError(done.returncode, done.args, done.stdout, done.stderr.decode(errors="replace"))
    return done.stdout.decode()
