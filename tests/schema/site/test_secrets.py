"""Kubernetes Secret objects."""

import base64
import json
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from bundle.errors import FormatError
from bundle.secret import KnownSecrets, Secret
from schema.site.secrets import (
    check_pair,
    generate,
    read_data,
    read_object,
    secret_object,
    secret_objects,
    single_value,
)
from schema.spec.install import Generate, SecretSpec, SecretType
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


START = datetime(2026, 3, 1, tzinfo=UTC)


END = START + timedelta(days=90)


NOW = START + timedelta(days=80)


CA = trustme.CA()


PAIR = CA.issue_cert("shop.in", "*.shop.in", not_before=START, not_after=END)


OTHER = CA.issue_cert("other.in")


def chain(pair: trustme.LeafCert) -> str:
    return "".join(pem.bytes().decode() for pem in pair.cert_chain_pems)


CERTIFICATE, KEY = chain(PAIR), PAIR.private_key_pem.bytes().decode()


@pytest.mark.parametrize(
    "certificate", [CERTIFICATE, CERTIFICATE + CA.cert_pem.bytes().decode()], ids=["leaf", "chain"]
)
@pytest.mark.parametrize("hosts", [[], ["shop.in", "api.shop.in"]])
def test_a_good_pair(certificate: str, hosts: list[str]) -> None:
    check_pair("secret 'tls'", Secret(certificate), Secret(KEY), now=NOW, hosts=hosts, min_days=10)


@pytest.mark.parametrize(
    ("certificate", "key", "now", "problems"),
    [
        pytest.param(
            CERTIFICATE,
            OTHER.private_key_pem.bytes().decode(),
            NOW,
            "the key does not belong to the certificate (the server's own must be the first of the chain)",
            id="another key",
        ),
        pytest.param(CERTIFICATE, KEY, END, "the certificate expired on 2026-05-30 00:00 UTC", id="expired"),
        pytest.param(
            CERTIFICATE,
            KEY,
            START - timedelta(seconds=1),
            "the certificate is not valid before 2026-03-01 00:00 UTC; is this machine's clock right?",
            id="not yet",
        ),
        pytest.param(
            CERTIFICATE,
            KEY,
            NOW + timedelta(days=5),
            "the certificate expires on 2026-05-30 00:00 UTC, in 5 days; expected 7",
            id="soon",
        ),
        pytest.param(
            CERTIFICATE, "no key", NOW, "the certificate and key can't be used: no PEM in one of them", id="no key"
        ),
        pytest.param("no certificate", KEY, NOW, "'certificate': there is no PEM certificate in it", id="none"),
    ],
)
def test_what_would_not_work(certificate: str, key: str, now: datetime, problems: str) -> None:
    with pytest.raises(FormatError) as caught:
        check_pair("secret 'tls'", Secret(certificate), Secret(key), now=now, min_days=7)
    assert caught.value.what == f"secret 'tls': {problems}"


def test_the_first_second_counts() -> None:
    check_pair("secret 'tls'", Secret(CERTIFICATE), Secret(KEY), now=START)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(FormatError) as caught:
        check_pair("secret 'tls'", Secret(CERTIFICATE), Secret("x"), now=END, hosts=["shop.in", "a.b.in", "10.0.0.1"])
    assert caught.value.what == (
        "secret 'tls': the certificate and key can't be used: no PEM in one of them; "
        "the certificate expired on 2026-05-30 00:00 UTC; "
        "the certificate does not cover a.b.in, 10.0.0.1; it is made out to shop.in, *.shop.in"
    )


def test_an_encrypted_key_never_asks(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    encrypted = subprocess.run(
        ["openssl", "pkcs8", "-topk8", "-in", tmp_path / "key", "-passout", "pass:x"], check=True, capture_output=True
    ).stdout.decode()
    with pytest.raises(FormatError, match="the key is encrypted"):
        check_pair("secret 'tls'", Secret(CERTIFICATE), Secret(encrypted), now=NOW)
