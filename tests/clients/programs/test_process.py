"""Running programs: output, time, cancellation, what is left of them, and masking."""

import base64
import html
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from bundle.errors import MissingToolError, ProgramError
from clients.programs.process import STDERR_TAIL, find_program, masked, run
from tests.fixtures.places import ROOT


def sh(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def gone(pid: int) -> bool:
    """Whether a process ends within some seconds (a zombie has ended)."""
    for _ in range(500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def written(path: Path) -> str:
    """The content of a file that another process is about to write."""
    for _ in range(1000):
        if path.exists() and (text := path.read_text().strip()):
            return text
        time.sleep(0.01)
    raise AssertionError(f"{path} was never written")


def test_output_code_and_environment(tmp_path: Path) -> None:
    done = run(
        sh('pwd; echo "$A-$HOME"; cat; echo no >&2; exit 3'),
        subject="s",
        timeout=20,
        stdin=b"typed",
        env={"A": "1"},
        cwd=tmp_path,
    )
    assert (done.code, done.text, done.stderr) == (3, f"{tmp_path}\n1-\ntyped", "no\n")


def test_without_stdin_there_is_nothing_to_read() -> None:
    assert run(sh("cat; echo end"), subject="s", timeout=20).text == "end\n"


def test_much_goes_in_and_out_at_once() -> None:
    data = os.urandom(3_000_000)
    assert run(["/bin/cat"], subject="s", timeout=60, stdin=data).stdout == data


def test_a_program_that_does_not_read_its_input() -> None:
    assert run(sh("exit 4"), subject="s", timeout=20, stdin=b"x" * 1_000_000).code == 4


def test_errors_are_kept_to_their_end() -> None:
    done = run(sh("head -c 300000 /dev/zero | tr '\\0' x >&2; echo last >&2"), subject="s", timeout=20)
    assert len(done.stderr) == STDERR_TAIL
    assert done.stderr.endswith("xlast\n")


def test_lines_are_told_as_they_come() -> None:
    lines: list[str] = []
    run(
        sh("echo one; sleep 0.2; echo two >&2; sleep 0.2; printf three"),
        subject="s",
        timeout=20,
        on_output=lines.append,
    )
    assert lines == ["one", "two", "three"]


def test_nothing_of_the_command_line_is_read_by_a_shell(tmp_path: Path) -> None:
    run(["/bin/echo", f"; touch {tmp_path}/made"], subject="s", timeout=20)
    assert list(tmp_path.iterdir()) == []


def test_time_is_up(tmp_path: Path) -> None:
    """The program gets TERM first; children that ignore it get KILL."""
    script = f"trap '' TERM; echo why >&2; (trap '' TERM; echo $$ >{tmp_path}/child; sleep 1000) & sleep 1000"
    with pytest.raises(ProgramError, match=r"release 'x': sh did not end within 1 s: why"):
        run(sh(script), subject="release 'x'", timeout=1, grace=0.3)
    assert gone(int(written(tmp_path / "child")))


def test_a_program_that_obeys_term_may_tidy_up(tmp_path: Path) -> None:
    script = f"trap 'echo tidy >{tmp_path}/done; exit 0' TERM; while :; do sleep 0.05; done"
    with pytest.raises(ProgramError, match="did not end within"):
        run(sh(script), subject="s", timeout=1, grace=20)
    assert written(tmp_path / "done") == "tidy"


def test_cancelled_is_an_ending_like_any_other() -> None:
    stop = threading.Event()
    script = "trap 'echo rolled back; exit 7' TERM; echo up; while :; do sleep 0.05; done"

    def heard(_line: str) -> None:
        stop.set()

    done = run(sh(script), subject="s", timeout=60, cancelled=stop.is_set, on_output=heard)
    assert (done.code, done.text) == (7, "up\nrolled back\n")


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupt(_line: str) -> None:
        raise KeyboardInterrupt

    script = f"sleep 1000 & echo $! >{tmp_path}/child; echo started; wait"
    with pytest.raises(KeyboardInterrupt):
        run(sh(script), subject="s", timeout=60, on_output=interrupt)
    assert gone(int(written(tmp_path / "child")))


def test_what_goes_on_in_the_background_does_not_hold_us_up(tmp_path: Path) -> None:
    done = run(sh(f"sleep 1000 & echo $! >{tmp_path}/child; echo ready"), subject="s", timeout=60)
    child = int(written(tmp_path / "child"))
    try:
        assert (done.code, done.text) == (0, "ready\n")
        assert not Path(f"/proc/{child}/stat").read_text().endswith("Z")
    finally:
        os.kill(child, signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's parent-death signal")
def test_a_tied_program_dies_with_us(tmp_path: Path) -> None:
    script = f"echo $$ >{tmp_path}/child; exec sleep 1000"
    call = f"run(['/bin/sh', '-c', {script!r}], subject='s', timeout=999, tied=True)"
    ours = f"from clients.programs.process import run; {call}"
    parent = subprocess.Popen([sys.executable, "-c", ours], cwd=ROOT)
    try:
        child = int(written(tmp_path / "child"))
    finally:
        parent.kill()
        parent.wait()
    assert gone(child)


def test_a_tied_program_is_run_as_it_is() -> None:
    done = run(sh('cat; echo "$0 $1"; exit 5'), subject="s", timeout=20, stdin=b"in ", tied=True)
    assert (done.code, done.text) == (5, "in /bin/sh \n")


@pytest.mark.parametrize("tied", [False, True], ids=["free", "tied"])
def test_a_program_that_is_not_there(tied: bool) -> None:
    with pytest.raises(MissingToolError, match=r"release 'x': /nowhere/helm is not there") as caught:
        run(["/nowhere/helm", "hunter2"], subject="release 'x'", timeout=20, tied=tied)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "mode", "message"),
    [
        pytest.param(
            b"\x7fELF\x02\x01\x01" + b"\0" * 100, 0o755, "helm does not run on this machine", id="other-machine"
        ),
        pytest.param(b"#!/bin/sh\n", 0o644, "helm can't be run: Permission denied", id="not-executable"),
    ],
)
def test_a_program_that_can_not_run(tmp_path: Path, content: bytes, mode: int, message: str) -> None:
    helm = tmp_path / "helm"
    helm.write_bytes(content)
    helm.chmod(mode)
    with pytest.raises(ProgramError, match=message) as caught:
        run([str(helm)], subject="release 'x'", timeout=20)
    assert caught.value.hint


def test_tools_of_the_bundle_come_first(tmp_path: Path) -> None:
    for place in ("bundle", "path"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "helm").write_text("#!/bin/sh\n")
        (tmp_path / place / "helm").chmod(0o755)
    path = str(tmp_path / "path")
    assert find_program("helm", directories=[tmp_path / "bundle"], path=path) == tmp_path / "bundle" / "helm"
    assert find_program("helm", directories=[tmp_path / "none"], path=path) == tmp_path / "path" / "helm"


def test_a_missing_tool_tells_where_was_looked(tmp_path: Path) -> None:
    with pytest.raises(
        MissingToolError, match=rf"helm is not installed; looked in {tmp_path}/b, PATH \(/p:/q\)"
    ) as caught:
        find_program("helm", directories=[tmp_path / "b"], path="/p:/q")
    assert "tool: true" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "secrets", "expected"),
    [
        pytest.param("pw=hunter2!", ["hunter2"], "pw=***!", id="plain"),
        pytest.param("data: aHVudGVyMg==", ["hunter2"], "data: ***", id="base64"),
        pytest.param(r'{"a": "hun\"ter2"}', ['hun"ter2'], '{"a": "***"}', id="json"),
        pytest.param("https://u:p%40ss%2F1@h", ["p@ss/1"], "https://u:***@h", id="address"),
        pytest.param("hunter2 and hunter22", ["hunter2", "hunter22"], "*** and ***", id="longest-first"),
        pytest.param("BEGIN\nabcd\nEND", ["-- --\nabcd\n"], "BEGIN\n***\nEND", id="a-line-of-it"),
        pytest.param("a.c and abc1", ["a.c1", "abc1"], "a.c and ***", id="no-pattern"),
        pytest.param("replicas: 1 yes", ["1", "yes", "", "    "], "replicas: 1 yes", id="too-short"),
        pytest.param("text", [], "text", id="none"),
    ],
)
def test_masking(text: str, secrets: list[str], expected: str) -> None:
    assert masked(text, secrets) == expected


SECRET = "hunter2-Secr3t/w\u00efth'\"<&>x"


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("before", [b"", b"u", b"u:", b"user:", b"usr:"])
@pytest.mark.parametrize("after", [b"", b"z", b"zz", b"\n"])
def test_a_secret_within_something_in_base64(encode: Callable[[bytes], bytes], before: bytes, after: bytes) -> None:
    raw = SECRET.encode()
    found = masked(f"Basic {encode(before + raw + after).decode()} end", [SECRET])
    assert re.fullmatch(r"Basic [\w+/-]{0,8}\*\*\*[\w+/=-]{0,8} end", found), found


@pytest.mark.parametrize(
    "text",
    [
        SECRET.encode().hex().upper(),
        html.escape(SECRET),
        html.escape(SECRET, quote=False),
        "'" + SECRET.replace("'", "''") + "'",
        "'" + SECRET.replace("'", "'\\''") + "'",
        repr(SECRET),
        json.dumps(json.dumps(SECRET)),
        json.dumps(SECRET).replace("/", "\\/"),
        quote(SECRET).replace("%C3%AF", "%c3%af").replace("%3C", "%3c").replace("%3E", "%3e"),
    ],
)
def test_a_secret_as_others_quote_it(text: str) -> None:
    found = masked(f"a {text} b", [SECRET])
    assert "***" in found
    assert "hunter2" not in found
    assert SECRET.encode().hex().upper() not in found
