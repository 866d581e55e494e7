"""What loading a spec says about its values files."""

from pathlib import Path

import pytest

from bundle.errors import SpecError, StorageError
from schema.loading.values import override_faults, read_all
from schema.site.site import Site
from tests.fixtures.made.installs import WITH_CHART, spec

INSTALL = (
    WITH_CHART
    + """\
install:
  secrets:
    - {name: key, generate: hex8}
    - {name: one, data: {url: '${env.URL}'}}
    - {name: pull, type: docker-registry, username: u, password: '${env.P}'}
  actions:
    - {name: loud, run: [x], outputs: json}
    - {name: silent, run: [x]}
    - {name: between, run: [x], after: [loud]}
  releases:
    - {name: r, chart: web, namespace: n, values: [values/a.yaml, b.yaml], needs: [between]}
    - {name: q, chart: web, namespace: n, values: [b.yaml]}
"""
)
GOOD = """\
image: '${image.api.repository}:${image.api.tag}@${image.api.digest}'
key: ${secret.key}
url: ${secret.one}
id: ${output.loud.id}
host: ${site.database.host}
env: ${env.HOME}
file: ${file./etc/x y}
"""


def problems(directory: Path, a: str, b: str = "") -> list[str]:
    with pytest.raises(SpecError) as caught:
        spec(directory, INSTALL, {"values/a.yaml": a, "b.yaml": b})
    return list(caught.value.problems)


def test_good_files(tmp_path: Path) -> None:
    found = read_all(spec(tmp_path, INSTALL, {"values/a.yaml": GOOD, "b.yaml": ""}))
    assert {path.name: file.label for path, file in found.items()} == {"a.yaml": "values/a.yaml", "b.yaml": "b.yaml"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "a: ${image.apj.tag}",
            "${image.apj.tag}: no image is called 'apj'; expected one of: api; did you mean 'api'?",
        ),
        (
            "a: ${secret.zz}",
            "${secret.zz}: no secret with one value is called 'zz'; expected one of: key, one",
        ),
        ("a: ${secret.pull}", "${secret.pull}: no secret with one value is called 'pull'; expected one of: key, one"),
        (
            "a: ${output.silent.x}",
            "${output.silent.x}: no action with `outputs: json` is called 'silent'; expected one of: loud",
        ),
        (
            "a: ${vars.v}",
            (
                "${vars.v} has no value here; vars are known in the spec only: write the value, or ${site.NAME} for "
                "what differs between sites"
            ),
        ),
        (
            "a: ${image.api.size}",
            (
                "incomplete name ${image.api.size}; "
                "write ${image.NAME.PART}, PART one of repository, tag, digest, ref, registry, path"
            ),
        ),
        ("a: x${nope", "a ${ without its }; close it, or write $${ for a plain ${"),
    ],
)
def test_names(tmp_path: Path, text: str, problem: str) -> None:
    assert problems(tmp_path, text) == [f"values/a.yaml:1:4: {problem}"]


WRITTEN_OUT = (
    "is written out; expected ${secret.NAME}, ${env.NAME}, ${file.PATH} or ${output.ACTION.KEY}; "
    "values files travel in the bundle"
)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("password: hunter2", "password"),
        ("adminPassword: hunter2", "adminPassword"),
        ("db: {rootPASSWD: hunter2}", "rootPASSWD"),
        ("a: [{API_TOKEN: hunter2}]", "API_TOKEN"),
        ("encryptionKey: hunter2", "encryptionKey"),
        ("env: [{name: DB_PASSWORD, value: hunter2}]", "DB_PASSWORD"),
        ("passwords: {password: [hunter2]}", "password"),
    ],
)
def test_a_secret_that_is_written_out(tmp_path: Path, text: str, key: str) -> None:
    (problem,) = problems(tmp_path, text)
    assert problem.partition(": ")[2] == f"{key!r} {WRITTEN_OUT}"
    assert "hunter2" not in problem


@pytest.mark.parametrize(
    "text",
    [
        "password: ${secret.key}",
        "password: ''",
        "password:",
        "password: {enabled: true}",
        "existingPassword: name",
        "passwordKey: admin",
        "secretName: pull",
        "existingSecret: pull",
        "imagePullSecrets: [{name: pull}]",
        "automountServiceAccountToken: false",
        "tokenSeconds: 3600",
        "env: [{name: LEVEL, value: debug}]",
        "key: tls.key",
    ],
)
def test_what_is_no_secret(tmp_path: Path, text: str) -> None:
    spec(tmp_path, INSTALL, {"values/a.yaml": text, "b.yaml": ""})


def test_everything_at_once_file_by_file_and_each_file_once(tmp_path: Path) -> None:
    assert problems(tmp_path, "a: 1\na: ${vars.x}\n", "- list\n") == [
        "values/a.yaml:2:1: key 'a' is given twice, first in line 1",
        "b.yaml:1:1: the file is a list; expected a mapping",
    ]


def test_a_missing_file_is_told_once(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        spec(tmp_path, INSTALL, {"values/a.yaml": ""})
    assert all("b.yaml does not exist" in problem for problem in caught.value.problems)
    assert len(caught.value.problems) == 2  # two releases name it


def test_an_output_that_comes_too_late(tmp_path: Path) -> None:
    found = problems(tmp_path, "a: ${output.loud.x}", "a:\n  - ${output.loud.x}\n")
    assert found == [
        (
            "b.yaml:2:5: ${output.loud.x}: action 'loud' has not run when release 'q' is installed; "
            "add 'loud' to `needs` of the release"
        )
    ]


def test_a_file_that_is_gone_is_never_passed_over(tmp_path: Path) -> None:
    loaded = spec(tmp_path, INSTALL, {"values/a.yaml": "", "b.yaml": ""})
    (tmp_path / "b.yaml").unlink()
    with pytest.raises(StorageError, match=r"b\.yaml: No such file"):
        read_all(loaded)


def test_a_file_that_was_damaged_since_is_told_too(tmp_path: Path) -> None:
    loaded = spec(tmp_path, INSTALL, {"values/a.yaml": "", "b.yaml": ""})
    (tmp_path / "b.yaml").write_text("a: {\n")
    with pytest.raises(SpecError, match=r"(?s)the installation has 1 problem.*b\.yaml:2:1"):
        read_all(loaded)


def overridden(directory: Path, text: str) -> list[str]:
    made = spec(directory, INSTALL, {"values/a.yaml": "", "b.yaml": "", "site.yaml": f"overrides:\n  {text}\n"})
    overrides = Site.load(directory / "site.yaml").overrides
    return [fault.partition("site.yaml:")[2] for fault in override_faults(made, overrides)]


def test_good_overrides(tmp_path: Path) -> None:
    text = "r: {key: '${secret.key}', image: '${image.api.ref}', id: '${output.loud.id}', n: 5, host: '${site.h}'}"
    assert overridden(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("rr: {a: 1}", "2:3: 'overrides': no release is called 'rr'; expected one of: q, r; did you mean 'r'?"),
        ("r: {a: '${image.apj.tag}'}", "2:10: ${image.apj.tag}: no image is called 'apj'"),
        ("r: {a: '${vars.x}'}", "2:10: ${vars.x} has no value here"),
        ("q: {a: '${output.loud.id}'}", "2:10: ${output.loud.id}: action 'loud' has not run when release 'q' is"),
        ("r: {db: {password: hunter2}}", "2:22: 'password' is written out"),
    ],
)
def test_bad_overrides(tmp_path: Path, text: str, problem: str) -> None:
    (found,) = overridden(tmp_path, text)
    assert found.startswith(problem)
    assert "hunter2" not in found


def test_all_that_is_wrong_with_overrides_is_told_at_once(tmp_path: Path) -> None:
    assert len(overridden(tmp_path, "rr: {a: 1}\n  q: {a: '${secret.zz}', token: x, b: '${image.y.tag}'}")) == 4
