"""`verify` with no more than Python has on Windows; what else is asked for there is answered in one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.transfer.verify_only import can_install
from tests.fixtures.benches.workbench import Workbench, bundled

# What the library reference says is not available on Windows, taken away.
WINDOWS = """
import ctypes, getpass, os, pathlib, runpy, selectors, shutil, signal, socket, subprocess, sys, tempfile

GONE = {"curses", "fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"}

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in GONE:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

for name in GONE & sys.modules.keys():
    del sys.modules[name]
sys.meta_path.insert(0, Finder())
for name in (
    "O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_NONBLOCK chown copy_file_range fchmod fchown fork forkpty getegid geteuid "
    "getgid getpgid getuid killpg mkfifo mknod posix_fadvise posix_fallocate posix_spawn pread preadv pwrite "
    "register_at_fork sched_getaffinity sendfile setpgid setsid splice statvfs sync uname wait4 waitid"
).split():
    if hasattr(os, name):
        delattr(os, name)
for name in "SIGALRM SIGCHLD SIGHUP SIGKILL SIGPIPE SIGQUIT SIGTSTP SIGUSR1 pthread_kill pthread_sigmask".split():
    delattr(signal, name)

def refuse(*args, **kwargs):
    raise TypeError("CDLL(None)")

ctypes.CDLL = refuse
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def windows(program: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-c", WINDOWS, str(program), *words]
    env = {**os.environ, "HOME": str(program.parent)}
    done = subprocess.run(argv, cwd=program.parent, env=env, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize("layout", ["oci", "docker-archive"])
def test_a_directory_its_parts_and_a_damaged_one(bench: Workbench, layout: str) -> None:
    bench.spec["bundle"] = {"name": "app", "version": "1.0", "archive": True, "split": "1MiB", "layout": layout}
    bench.write()
    program = bundled(bench).bundle / "airgap.pyz"
    for words in ([], ["bundle=../app-1.0.tar.001"]):
        done = windows(program, "verify", *words)
        assert done.returncode == 0, done.stderr
        assert "all checksums match" in done.stdout
        assert "who made it is not known" in done.stdout
    note = bench.bundle / "files/note.txt"
    note.chmod(0o644)
    note.write_text("changed\n")
    done = windows(program, "verify")
    assert done.returncode == 1
    assert "damaged: files/note.txt" in done.stderr


def test_help_works_and_all_else_is_one_line(bench: Workbench) -> None:
    program = bundled(bench).bundle / "airgap.pyz"
    assert "Air-gapped side" in windows(program, "help").stdout
    for words in (["install", "site=x"], ["bundle"], ["verify", "trust=x"], ["list"]):
        done = windows(program, *words)
        assert done.returncode == 3
        first, following = done.stderr.splitlines()
        assert "does not work on this system (Windows)" in first
        assert "airgap.pyz verify bundle=PATH" in following


def test_this_system_can() -> None:
    assert can_install()
