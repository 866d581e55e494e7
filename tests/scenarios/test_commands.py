"""The command line: exit codes, errors without traceback, and commands that need no spec."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.benches.receiving import make_carried
from tests.fixtures.benches.workbench import Workbench, bundled, make
from tests.fixtures.places import ROOT


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("registry=:::", "registry=:::: ':::' is no place in a registry"),
        ("registry=https://registry.internal/team", "'https://registry.internal/team' is an address"),
        ("site=nowhere.yaml", "there is no such file"),
    ],
)
def test_what_an_install_is_given(bench: Workbench, given: str, said: str) -> None:
    ran = bench.doit("install", given)
    assert (ran.code, ran.out) == (3, "")
    assert said in ran.err


def test_an_unknown_task(bench: Workbench) -> None:
    assert bench.doit("bundel").code == 3
    assert bench.doit("plan", "bundel").code == 3
    assert bench.doit("lock", "three").code == 3
    assert bench.doit("info", "pin:three").code == 3


@pytest.mark.parametrize(
    ("command", "said"),
    [("publish", "to=oci://"), ("fetch", "from=oci://"), ("backup", "key=FILE.crt")],
)
def test_what_the_command_line_lacks(bench: Workbench, command: str, said: str) -> None:
    ran = bench.doit(command)
    assert (ran.code, said in ran.err) == (3, True), ran.err


def test_help_lists_the_commands(tmp_path: Path) -> None:
    out = Workbench(place=tmp_path).doit("help").out
    for command in ("plan", "lock", "schema", "list", "clean", "forget", "info", "completion"):
        assert f" {command} " in out


# Runs doit and leaves behind where it connected to, and its peak of memory in MB.
MEASURED = """
import os, resource, runpy, sys
asked = []
def hook(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen"):
        asked.append(event)
sys.addaudithook(hook)
place = sys.argv.pop(1)
sys.argv[0] = "doit"
try:
    runpy.run_module("doit", run_name="__main__", alter_sys=True)
finally:
    open(place, "w").write(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} {len(asked)}")
"""


def test_the_state_of_all_steps_asks_nobody_inside_and_takes_little_memory(tmp_path: Path) -> None:
    """The steps of the air-gapped side are listed here too; of 1000 images they take no more than their number."""
    peaks = []
    for count in (1, 1000):
        bench = make(tmp_path / str(count), images=["one"])
        bench.spec["install"] = {"secrets": [{"name": "s", "namespaces": ["a"], "generate": "hex64"}]}
        bench.write()
        bundled(bench)
        bench.spec["images"] = [
            {"name": f"i{number}", "source": "oci:images/one", "target": f"i{number}:1.0"} for number in range(count)
        ]
        bench.write()
        given, env = bench.command("list", "--all", "--status")
        argv = [sys.executable, "-c", MEASURED, str(tmp_path / "peak"), *given]
        done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=True, timeout=300)
        assert sum(" push:i" in line for line in done.stdout.splitlines()) == count
        peak, asked = (tmp_path / "peak").read_text().split()
        assert asked == "0"
        peaks.append(int(peak))
    assert peaks[1] < peaks[0] + 100, "MB"


# One bundle whose entries are repeated over a list of the site.

TEAM = {"for_each": {"list": "${site.teams}", "first": "${site.main}"}}
INSTALL = {
    "secrets": [{"name": "key", "generate": "hex8", **TEAM}],
    "releases": [
        {"name": "web", "chart": "app", "namespace": "web${item.suffix}", "values": ["values.yaml"], **TEAM},
    ],
    "actions": [{"name": "enroll", "run": ["./enroll.sh", "--host=${item.host}"], "after": ["web"], **TEAM}],
}
MEMBERS = {"name": {"type": "string", "example": "blue"}, "host": {"type": "string", "example": "h.x"}}


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """The bundle is made once, without any site."""
    return make_carried(
        tmp_path_factory.mktemp("lists") / "project",
        values="host: ${item.host}\nreplicas: ${item.size}\n",
        install=INSTALL,
        site={"teams": {"type": "array", "default": [], "items": MEMBERS}, "main.host": {"type": "string"}},
    )


def steps(lists: Workbench, place: Path, text: str) -> set[str]:
    """The steps of an installation at this site that are named after something, as `list` shows them."""
    (place / "site.yaml").write_text(text)
    ran = lists.doit("list", "--all", f"bundle={lists.bundle}", f"site={place / 'site.yaml'}", f"state={place / 's'}")
    assert ran.code == 0, ran.err
    names = {line.split()[0] for line in ran.out.splitlines() if line.strip()}
    return {name for name in names if name.startswith(("namespace:", "secret:", "helm:", "health:", "action:"))}


def of(*suffixes: str) -> set[str]:
    steps = ("namespace:web", "secret:key", "helm:web", "health:web", "action:enroll")
    return {f"{step}{suffix}" for step in steps for suffix in suffixes}


def test_every_entrys_steps_are_listed_from_one_bundle(lists: Workbench, tmp_path: Path) -> None:
    main, two = (
        "main: {host: m.x, size: 1}\n",
        "teams: [{name: a, host: a.x, size: 1}, {name: b-1, host: b.x, size: 2}]\n",
    )
    assert steps(lists, tmp_path, main) == of("")
    assert steps(lists, tmp_path, main + two) == of("", "-a", "-b-1")
    assert steps(lists, tmp_path, two) == of("-a", "-b-1")


def test_the_template_and_the_schema_show_an_entry(lists: Workbench) -> None:
    template = (lists.bundle / "site.example.yaml").read_text()
    assert "# teams:\n#   -\n#     # string\n#     name: blue\n" in template
    assert '"teams"' in lists.doit("schema", "site").out
    assert '"^web-[a-z0-9-]+$"' in (lists.bundle / "site.schema.json").read_text()


def test_all_that_is_wrong_is_told_at_once_before_anything_is_done(lists: Workbench, tmp_path: Path) -> None:
    """Before the first change, and without a traceback."""
    (tmp_path / "site.yaml").write_text(
        "main: {host: m.x, size: 1}\nteams: [{name: a, host: 5, size: 1}, {name: a, sise: 2}, {name: B}, {host: x}]\n"
        "overrides: {web-c: {replicas: 1}, web-a: {host: '${image.onee.ref}'}}\n"
    )
    ran = lists.doit("preflight", f"bundle={lists.bundle}", f"site={tmp_path / 'site.yaml'}", f"state={tmp_path / 's'}")
    assert ran.code == 1
    for told in (
        "'teams', entry 1: setting 'host' is the number 5, expected text",
        "'teams', entry 2: unknown setting 'sise'; did you mean 'size'?",
        "'teams', entry 2: the name 'a' is taken",
        "'teams', entry 3 has the name 'B'",
        "'teams', entry 4 has no 'name'",
        "no release is called 'web-c'; expected one of: web, web-a; did you mean 'web-a'?",
        "no image is called 'onee'; expected one of: one, two; did you mean 'one'?",
    ):
        assert told in ran.err, ran.err
    assert "'main" not in ran.err, "nothing is wrong with what is no entry of the list"
