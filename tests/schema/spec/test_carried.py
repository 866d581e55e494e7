"""Which files cross for the installation, and that the other side finds them."""

import json
from pathlib import Path

import pytest

from bundle.errors import SpecError
from schema.spec.carried import carried_files, command_files
from schema.spec.spec import Spec
from tests.fixtures.made.installs import WITH_CHART, spec, write

KEY = "-----BEGIN RSA PRIVATE KEY-----\nx\n-----END RSA PRIVATE KEY-----\n"
TEXT = (
    WITH_CHART
    + """\
registries:
  reg.internal: {ca: certs/reg.crt, client_cert: certs/me.crt, client_key: certs/me.key}
  other.example: {ca: certs/other.crt}
install:
  secrets: [{name: tls, type: tls, certificate: '${file.tls.crt}', key: '${file.tls.key}'}]
  releases:
    - name: r
      chart: web
      namespace: n
      values: [values/a.yaml, ./b.yaml]
      health: [{url: 'https://a.example', ca: certs/health.crt}]
  actions:
    - {name: a, run: [python3, enroll.py, --config=conf/e.toml, '--url=${site.url}', nothing.py, conf]}
    - {name: b, run: [./setup.sh, values/a.yaml, 'x${site.y}']}
  checks: [{tls: a.example, ca: certs/check.crt}, {run: [python3, look.py]}]
  backup:
    commands:
      - {name: d, run: [python3, dump.py], restore: {run: [sh, restore.sh], checks: [{run: [sh, rows.sh]}]}}
"""
)
FILES: dict[str, str | bytes] = {
    "certs/reg.crt": "c",
    "certs/me.crt": "c",
    "certs/me.key": KEY,
    "certs/other.crt": "c",
    "certs/health.crt": "c",
    "certs/check.crt": "c",
    "values/a.yaml": "a: 1",
    "b.yaml": "",
    "enroll.py": "",
    "python3": "",
    "conf/e.toml": "",
    "setup.sh": "",
    "look.py": "",
    "dump.py": "",
    "restore.sh": "",
    "rows.sh": "",
    "tls.crt": "c",
    "tls.key": KEY,
}


def test_what_crosses(tmp_path: Path) -> None:
    found = carried_files(spec(tmp_path, TEXT, FILES))
    assert list(found) == [
        "install/b.yaml",
        "install/certs/check.crt",
        "install/certs/health.crt",
        "install/certs/other.crt",
        "install/certs/reg.crt",
        "install/conf/e.toml",
        "install/dump.py",
        "install/enroll.py",
        "install/look.py",
        "install/restore.sh",
        "install/rows.sh",
        "install/setup.sh",
        "install/values/a.yaml",
    ]
    assert all(path.is_file() for path in found.values())


def test_the_other_side_finds_them(tmp_path: Path) -> None:
    here = spec(tmp_path / "here", TEXT, FILES)
    there = tmp_path / "there"
    write(there, {name: path.read_bytes() for name, path in carried_files(here).items()})
    read = Spec.from_dict(json.loads(json.dumps(here.to_dict())), path=there / "install" / "airgap.yaml")
    assert all(path.is_file() for path in carried_files(read).values())
    assert list(carried_files(read)) == list(carried_files(here))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "install: {releases: [{name: r, chart: web, namespace: n, values: ['{outside}/v.yaml']}]}",
            (
                "release 'r': values: '{outside}/v.yaml' is outside of the spec's directory; "
                "put a copy below {base}, and name it relative to there"
            ),
        ),
        (
            "install: {releases: [{name: r, chart: web, namespace: n, values: [../outside/v.yaml]}]}",
            (
                "release 'r': values: '../outside/v.yaml' is written with ..; "
                "put a copy below {base}, and name it relative to there"
            ),
        ),
        (
            "install: {actions: [{name: a, run: [cat, inside.key]}]}",
            (
                "action 'a': 'run': '{base}/inside.key' holds a private key; "
                "secrets never travel: read it inside, ${file.PATH}"
            ),
        ),
        (
            "registries: {reg.internal: {ca: '{outside}/v.yaml'}}",
            (
                "registry 'reg.internal': 'ca': '{outside}/v.yaml' is outside of the spec's directory; "
                "put a copy below {base}, and name it relative to there"
            ),
        ),
    ],
)
def test_what_can_not_cross(tmp_path: Path, text: str, problem: str) -> None:
    base, outside = tmp_path / "base", tmp_path / "outside"

    def put_in(written: str) -> str:
        return written.replace("{outside}", str(outside)).replace("{base}", str(base))

    write(outside, {"v.yaml": ""})
    loaded = spec(base, WITH_CHART + put_in(text), {"inside.key": KEY})
    with pytest.raises(SpecError) as caught:
        carried_files(loaded)
    assert caught.value.problems == (put_in(problem),)


def test_a_ca_for_the_connected_side_only_may_lie_anywhere(tmp_path: Path) -> None:
    write(tmp_path / "outside", {"ca.crt": "c"})
    text = f"registries: {{quay.io: {{ca: {tmp_path}/outside/ca.crt}}}}\n"
    assert carried_files(spec(tmp_path / "base", text)) == {}


@pytest.mark.parametrize(
    ("run", "files"),
    [
        (["tool"], []),
        (["./tool", "tool"], ["./tool", "tool"]),
        (["sh", "-c", "x" * 100_000], []),
        (["sh", "a\0b"], []),
        (["sh", "${site.tool}", "dir", "", "="], []),
        (["sh", "--file=dir/f", "-f=dir/f"], ["dir/f", "dir/f"]),
    ],
    ids=["on PATH", "with a slash", "long", "zero", "no file", "option"],
)
def test_files_of_a_command(tmp_path: Path, run: list[str], files: list[str]) -> None:
    write(tmp_path, {"tool": "", "dir/f": ""})
    assert list(command_files(run, tmp_path)) == [tmp_path / name for name in files]
