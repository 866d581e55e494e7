"""Kubernetes Secret objects."""

import base64
import json
import re
from pathlib import Path

import pytest

from bundle.errors import FormatError
from bundle.secret import KnownSecrets, Secret
from schema.site.secrets import (
    generate,
    read_data,
    read_object,
    secret_object,
    secret_objects,
    single_value,
)
from schema.spec.generate import Generate
from schema.spec.install import SecretSpec, SecretType
from tests.fixtures.made.installs import facts


def secret(kind: SecretType = "opaque", generated: str = "", **data: str) -> SecretSpec:
    return SecretSpec(
        name="s",
        type=kind,
        namespaces=("a", "b"),
        data={key.replace("_", "."): text for key, text in data.items()},
        generate=Generate.parse(generated) if generated else None,
    )


def decoded(text: str) -> str:
    return base64.b64decode(text, validate=True).decode()


def test_one_object_in_each_namespace() -> None:
    one, other = secret_objects(secret(url="${env.U}"), {"url": Secret("hunter2")}, KnownSecrets())
    assert one == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "a", "labels": {"app.kubernetes.io/managed-by": "airgap"}},
        "type": "Opaque",
        "data": {"url": base64.b64encode(b"hunter2").decode()},
    }
    assert other["metadata"]["namespace"] == "b"


@pytest.mark.parametrize(
    ("hosts", "names"),
    [
        (["reg.in:5000"], ["reg.in:5000"]),
        (["b.in", "a.in"], ["a.in", "b.in"]),
        (["docker.io"], ["https://index.docker.io/v1/"]),
    ],
)
def test_docker_registry(hosts: list[str], names: list[str]) -> None:
    known = KnownSecrets()
    data = {"username": Secret("me"), "password": Secret('p"ä:w')}
    made = secret_objects(secret("docker-registry"), data, known, hosts=hosts)[0]
    assert made["type"] == "kubernetes.io/dockerconfigjson"
    config = json.loads(decoded(made["data"][".dockerconfigjson"]))
    login = {"username": "me", "password": 'p"ä:w', "auth": base64.b64encode('me:p"ä:w'.encode()).decode()}
    assert config == {"auths": dict.fromkeys(names, login)}
    assert login["auth"] in set(known)


def test_tls() -> None:
    made = secret_objects(secret("tls"), {"certificate": Secret("C"), "key": Secret("K")}, KnownSecrets())[0]
    assert (made["type"], {key: decoded(text) for key, text in made["data"].items()}) == (
        "kubernetes.io/tls",
        {"tls.crt": "C", "tls.key": "K"},
    )


@pytest.mark.parametrize(
    ("how", "pattern"),
    [("hex64", "[0-9a-f]{64}"), ("hex1", "[0-9a-f]"), ("alnum32", "[A-Za-z0-9]{32}"), ("alnum999", "[A-Za-z0-9]{999}")],
)
def test_generated(how: str, pattern: str) -> None:
    known = KnownSecrets()
    value = generate(Generate.parse(how), known)
    assert re.fullmatch(pattern, value.reveal())
    assert list(known) == [value.reveal()]


def test_generated_values_differ_and_use_the_whole_alphabet() -> None:
    values = {generate(Generate.parse("alnum999"), KnownSecrets()).reveal() for _ in range(3)}
    assert len(values) == 3
    assert len(set("".join(values))) == 62


def test_reading_the_data(tmp_path: Path) -> None:
    found = facts(tmp_path)
    data = read_data(secret("docker-registry", username="admin", password="${env.PW}"), found, found.known)
    assert {key: value.reveal() for key, value in data.items()} == {"username": "admin", "password": "hunter2"}
    assert list(found.known) == ["hunter2"]
    assert "hunter2" not in repr(data)


def test_all_that_can_not_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    found = facts(tmp_path)
    with pytest.raises(FormatError) as caught:
        read_data(secret(a="${env.A}", b="${env.PW}", c="${file.none}", d="${file.empty}"), found, found.known)
    assert caught.value.what.replace(str(tmp_path), "DIR") == (
        "secret 's': 'a': undefined ${env.A}: the environment has no A; set it before: export A=...; "
        "'c': ${file.none}: there is no file 'DIR/none'; paths are relative to the directory that install is started "
        "in; 'd' is empty"
    )


@pytest.mark.parametrize(
    ("spec", "data", "value"),
    [
        (secret(generated="hex8"), {"value": "g"}, "g"),
        (secret(url="${env.U}"), {"url": "u"}, "u"),
        (secret(a="${env.A}", b="${env.B}"), {"a": "1", "b": "2"}, None),
        (secret(generated="hex8"), {"other": "g"}, None),
    ],
)
def test_the_single_value(spec: SecretSpec, data: dict[str, str], value: str | None) -> None:
    found = single_value(spec, {key: Secret(text) for key, text in data.items()})
    assert (found.reveal() if found else None) == value


def test_an_object_is_read_back() -> None:
    known = KnownSecrets()
    made = secret_object("s", "n", {"a": Secret("ä"), "b": Secret("")})
    assert read_object(made, known) == {"a": Secret("ä"), "b": Secret("")}
    assert sorted(known) == ["ä"]
    assert read_object({"metadata": {"name": "s"}}, known) == {}


@pytest.mark.parametrize("text", ["*", base64.b64encode(b"\xffhunter2").decode()])
def test_an_object_that_is_no_text(text: str) -> None:
    with pytest.raises(FormatError, match="secret 's' in the cluster") as caught:
        read_object({"metadata": {"name": "s"}, "data": {"a": text}}, KnownSecrets())
    assert caught.value.__cause__ is None
