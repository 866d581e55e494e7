"""A spec's own steps, run for real by the one runner."""

import base64
import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import FormatError, MissingToolError, ProgramError, SpecError
from bundle.secret import KnownSecrets, Secret
from clients.programs.process import masked, run
from schema.site.actions import ActionCall, ActionRecord, parse_outputs, record_name, run_action
from schema.site.lookup import Facts
from schema.site.secrets import read_object
from schema.spec.install import ActionSpec
from tests.fixtures.made.installs import facts, write


def action(*command: str, **given: Any) -> ActionSpec:
    return ActionSpec(
        **{"name": "act", "run": command, "after": (), "env": {}, "inputs": (), "outputs": ""} | given  # type: ignore[arg-type]
    )


def call(spec: ActionSpec, directory: Path, found: Facts | None = None) -> ActionCall:
    return ActionCall.of(spec, found or facts(directory), base=directory)


def ran(spec: ActionSpec, directory: Path, timeout: float = 30) -> Any:
    found = facts(directory)
    mask = partial(masked, secrets=found.known)
    environ = {"PATH": os.defpath, "OWN": "own"}
    return run_action(call(spec, directory, found), run, found.known, environ=environ, mask=mask, timeout=timeout)


def test_names_are_resolved_everywhere(tmp_path: Path) -> None:
    made = call(
        action("tool", "--host=${site.host}", "n=${site.n}", env={"PW": "${env.PW}"}, inputs=("${image.api.tag}",)),
        tmp_path,
    )
    assert (made.argv, dict(made.env), made.inputs) == (
        ("tool", "--host=h", "n=5"),
        {"PW": "hunter2"},
        ("1",),
    )
    assert "hunter2" not in repr(made)


def test_names_without_a_value_are_told_at_once(tmp_path: Path) -> None:
    spec = action("tool", "${site.a}", env={"B": "${env.B}"}, inputs=("${output.no.x}",))
    with pytest.raises(SpecError) as caught:
        call(spec, tmp_path)
    assert str(caught.value) == (
        "action 'act' can't run:\n"
        "  'run': undefined ${site.a}: site.yaml has no 'a'; add it to site.yaml\n"
        "  'env' B: undefined ${env.B}: the environment has no B; set it before: export B=...\n"
        "  'inputs': ${output.no.x}: no action with outputs is called 'no'; expected one of: enroll"
    )


def test_a_zero_byte_is_told_before_it_breaks_anything(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"a\0b")
    with pytest.raises(SpecError, match="'env' B: it holds a zero byte"):
        call(action("tool", env={"B": "${file.f}"}), tmp_path)


def test_a_script_of_the_bundle_runs_with_its_secrets_in_the_environment(tmp_path: Path) -> None:
    script = (
        f"#!{sys.executable}\n"
        "import json, os, sys\n"
        "print('working', file=sys.stderr)\n"
        "print(json.dumps({'args': sys.argv[1:], 'pw': os.environ['PW'], 'own': os.environ['OWN'], "
        "'here': os.path.isfile('enroll.py')}))\n"
    )
    write(tmp_path, {"enroll.py": script})
    (tmp_path / "enroll.py").chmod(0o755)
    expected = {"args": ["h"], "pw": "hunter2", "own": "own", "here": True}
    for command in ([sys.executable, "enroll.py"], ["./enroll.py"]):
        assert ran(action(*command, "${site.host}", env={"PW": "${env.PW}"}, outputs="json"), tmp_path) == expected


def test_without_outputs_what_it_prints_is_not_read(tmp_path: Path) -> None:
    assert ran(action("echo", "hello"), tmp_path) == {}


def test_outputs_count_as_secrets(tmp_path: Path) -> None:
    known = KnownSecrets()
    spec = action("echo", '{"key": "enr0ll", "id": 123456}', outputs="json")
    run_action(call(spec, tmp_path), run, known, environ=os.environ, mask=str)
    assert sorted(known) == ["123456", "enr0ll"]


def test_only_the_outputs_that_the_spec_names_count_as_secrets(tmp_path: Path) -> None:
    known = KnownSecrets()
    spec = action("echo", '{"key": "enr0ll", "name": "acme"}', outputs="json", secret_outputs=("key",))
    assert run_action(call(spec, tmp_path), run, known, environ=os.environ, mask=str)["name"] == "acme"
    assert list(known) == ["enr0ll"]


def test_a_secret_output_that_is_not_printed_is_refused(tmp_path: Path) -> None:
    spec = action("echo", '{"key": "enr0ll"}', outputs="json", secret_outputs=("kee",))
    with pytest.raises(FormatError) as caught:
        ran(spec, tmp_path)
    assert str(caught.value).startswith("action 'act': it printed no 'kee', which the spec calls a secret")
    assert "key" in (caught.value.hint or "")
    assert "enr0ll" not in str(caught.value)


def test_a_failure_shows_the_end_of_its_errors_masked(tmp_path: Path) -> None:
    lines = "".join(f"echo line {number} >&2; " for number in range(30))
    spec = action("sh", "-c", f'{lines} echo "password $PW refused" >&2; exit 3', env={"PW": "${env.PW}"})
    with pytest.raises(ProgramError) as caught:
        ran(spec, tmp_path)
    told = str(caught.value)
    assert told.startswith("action 'act': sh exited with 3\n    line 11\n    line 12\n")
    assert "    password *** refused\n  next: run install again" in told
    assert "hunter2" not in told


def test_an_action_that_is_killed(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="action 'act': sh was ended by signal 9"):
        ran(action("sh", "-c", "kill -9 $$"), tmp_path)


def test_an_action_that_takes_too_long_is_masked_too(tmp_path: Path) -> None:
    spec = action("sh", "-c", 'echo "at $PW" >&2; exec sleep 60', env={"PW": "${env.PW}"})
    with pytest.raises(ProgramError, match=r"action 'act': sh did not end within .*at \*\*\*") as caught:
        ran(spec, tmp_path, timeout=0.5)
    assert caught.value.__cause__ is None


def test_a_missing_program_stays_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(MissingToolError, match="action 'act': no-such-program is not there"):
        ran(action("no-such-program"), tmp_path)


@pytest.mark.parametrize(
    ("stdout", "problem"),
    [
        (b"", "nothing"),
        (b" \n", "nothing"),
        (b"hunter2", "no JSON: Expecting value (line 1, column 1)"),
        (b'{"a": 1}\n{"b": 2}', "no JSON: Extra data (line 2, column 1)"),
        (b'{"a": "hunter2', "no JSON: Unterminated string starting at (line 1, column 7)"),
        (b'["hunter2"]', "JSON that is no object"),
        (b"3", "JSON that is no object"),
        (b'{"a": 1, "a": "hunter2"}', "JSON with a key that is given twice"),
        (b'{"a": NaN}', "JSON with NaN or Infinity"),
        (b'{"a": "\xff"}', "no UTF-8 text"),
        (b'{"hunter2 x": 1, "": 2, "ok": 3}', "2 keys that ${output.act.KEY} can't name"),
    ],
)
def test_wrong_outputs_are_never_repeated(stdout: bytes, problem: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_outputs(stdout, "act")
    assert caught.value.what == f"action 'act' printed {problem}"
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value.__cause__)


def test_good_outputs() -> None:
    assert parse_outputs(b'{"a": 1, "b.c-d_E": {"x": [null]}}\n', "act") == {"a": 1, "b.c-d_E": {"x": [None]}}


CHANGES = [
    pytest.param({"run": ("sh", "run.sh", "y")}, {}, id="argument"),
    pytest.param({"env": {"A": "2"}}, {}, id="env"),
    pytest.param({"env": {"B": "1"}}, {}, id="variable"),
    pytest.param({"inputs": ("j",)}, {}, id="input"),
    pytest.param({}, {"run.sh": "other"}, id="script"),
]
BASE: dict[str, Any] = {"run": ("sh", "run.sh", "x"), "env": {"A": "1"}, "inputs": ("i",)}


@pytest.mark.parametrize(("given", "files"), CHANGES)
def test_what_makes_it_run_again(tmp_path: Path, given: dict[str, Any], files: dict[str, str | bytes]) -> None:
    write(tmp_path, {"run.sh": "one"})
    record = ActionRecord.of(call(action(**BASE), tmp_path), {})
    assert record.covers(call(action(**BASE), tmp_path))
    write(tmp_path, files)
    assert not record.covers(call(action(**{**BASE, **given}), tmp_path))


def test_a_record_is_for_one_action(tmp_path: Path) -> None:
    record = ActionRecord.of(call(action("x"), tmp_path), {})
    assert not record.covers(call(action("x", name="other"), tmp_path))


def test_another_place_is_no_change(tmp_path: Path) -> None:
    spec = action("./run.sh", "x")
    for name in ("a", "b"):
        write(tmp_path / name, {"run.sh": "one"})
    assert ActionRecord.of(call(spec, tmp_path / "a"), {}).covers(call(spec, tmp_path / "b"))


def test_a_record_survives_the_cluster_and_shows_nothing(tmp_path: Path) -> None:
    made = call(action("x", env={"PW": "${env.PW}"}), tmp_path)
    record = ActionRecord.of(made, {"key": "enr0ll", "n": 1})
    found = record.to_object("ns", KnownSecrets())
    assert found["metadata"]["name"] == "airgap-action-act" == record_name("act")
    again = ActionRecord.from_contents("act", read_object(json.loads(json.dumps(found)), KnownSecrets()))
    assert again == record
    assert again.covers(made)
    assert "enr0ll" not in repr(record)
    assert not any(b"hunter2" in base64.b64decode(text) for text in found["data"].values())


@pytest.mark.parametrize(
    "contents",
    [{}, {"outputs": "{}", "mark": "m"}, {"outputs": "{}", "salt": "no hex", "mark": "m"}],
    ids=["empty", "no salt", "salt"],
)
def test_a_secret_that_is_no_record(contents: dict[str, str]) -> None:
    with pytest.raises(FormatError, match=r"secret 'airgap-action-act' is no record of an action\n  next: delete it"):
        ActionRecord.from_contents("act", {key: Secret(text) for key, text in contents.items()})
