"""The facts of a rehearsal: those that are known, placeholders for the rest, nothing real but what was asked for."""

import json
import shutil
import ssl
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import FormatError, SpecError
from schema.site.stand_ins.rehearsal import PLACEHOLDER
from tasks.rehearsal.site import RehearsalSite, make_site
from tests.fixtures.benches.receiving import make_carried, receiving
from tests.fixtures.parts.ssh_keys import make_key

VALUES = """\
host: ${site.host}
database: ${site.db.address}
mail: ${site.db.mail}
size: ${site.size}
text: ${file.notes/text.txt}
"""
RELEASE = {"name": "app", "chart": "app", "namespace": "app", "values": ["values.yaml"]}
SECRETS = [
    {"name": "web", "type": "tls", "certificate": "${file.tls.crt}", "key": "${file.tls.key}", "namespaces": ["app"]},
    {"name": "db", "data": {"url": "${env.DB}", "password": "${env.PW}"}, "namespaces": ["app"]},
]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It needs five facts, three files and two variables."""
    install = {"secrets": SECRETS, "releases": [RELEASE]}
    bench = make_carried(tmp_path_factory.mktemp("site") / "project", values=VALUES, install=install)
    return bench.bundle


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "rehearsal").mkdir()
    (tmp_path / "project").mkdir()
    return tmp_path / "rehearsal"


def made(bundle: Path, place: Path, site: str = "", *, use: list[str] | None = None, **env: str) -> RehearsalSite:
    """As one who knows the facts of the site file `site` rehearses, in the directory `project`."""
    state = place.parent / "state"
    state.mkdir()
    (state / "site.yaml").write_text(site)
    return make_site(receiving(bundle, state), place, directory=place.parent / "project", env=env, use=use)


def facts(site: RehearsalSite) -> Any:
    return json.loads(site.file.read_text())


def test_where_nothing_is_known_placeholders_stand_for_all(bundle: Path, place: Path) -> None:
    site = made(bundle, place)
    assert facts(site) == {
        "host": PLACEHOLDER,
        "size": PLACEHOLDER,
        "db": {"address": PLACEHOLDER, "mail": PLACEHOLDER},
    }
    assert site.missing == (
        "${env.DB}", "${env.PW}", "${file.notes/text.txt}", "${file.tls.crt}", "${file.tls.key}",
        "${site.db.address}", "${site.db.mail}", "${site.host}", "${site.size}",
    )  # fmt: skip
    assert site.env == {"DB": PLACEHOLDER, "PW": PLACEHOLDER}
    assert (place / "inside/notes/text.txt").read_text() == PLACEHOLDER
    assert (place / "inside").stat().st_mode & 0o777 == 0o700


def test_what_is_known_is_taken_and_nothing_else_of_the_environment(bundle: Path, place: Path) -> None:
    (place.parent / "project/notes").mkdir()
    (place.parent / "project/notes/text.txt").write_text("mine\n")
    known = "host: app.example.com\nsize: 3\ndb: {address: 10.0.0.5, mail: mail.example.com, other: x}\n"
    site = made(bundle, place, known, DB="mysql://x", PW="hunter2", OTHER="not asked for", TZ="UTC")
    assert facts(site) == {
        "host": "app.example.com",
        "size": 3,
        "db": {"address": "10.0.0.5", "mail": "mail.example.com", "other": "x"},
    }
    assert site.env == {"DB": "mysql://x", "PW": "hunter2", "TZ": "UTC"}
    assert site.missing == ("${file.tls.crt}", "${file.tls.key}")
    assert (site.spared, site.used) == ((), ())
    assert (place / "inside/notes/text.txt").read_text() == "mine\n"


KNOWN = "host: app.example.com\nsize: 3\ndb: {address: 10.0.0.5, mail: mail.example.com}\n"


@pytest.mark.parametrize(
    ("use", "used"),
    [
        ([], []),
        (["db.address"], ["db.address"]),
        (["db"], ["db.address", "db.mail"]),
        (["db", "host"], ["db.address", "db.mail", "host"]),
    ],
)
def test_where_pods_could_reach_them_addresses_are_spared_but_for_those_named(
    bundle: Path, place: Path, use: list[str], used: list[str]
) -> None:
    site = made(bundle, place, KNOWN, use=use)
    assert site.used == tuple(f"${{site.{name}}}" for name in used)
    spared = sorted({"host", "db.address", "db.mail"} - set(used))
    assert site.spared == tuple(f"${{site.{name}}}" for name in spared)
    written = facts(site)
    assert written["size"] == 3, "no address"
    assert (written["db"]["address"] == PLACEHOLDER) is ("db.address" in spared)
    assert (written["host"] == PLACEHOLDER) is ("host" in spared)


def test_an_address_that_is_none_is_refused(bundle: Path, place: Path) -> None:
    with pytest.raises(FormatError, match=r"use=db\.adress: the site has no address of this name") as caught:
        made(bundle, place, KNOWN, use=["db.adress"])
    assert "db.address" in caught.value.hint


def test_a_pair_that_is_lacking_is_one_that_serves_nobody(bundle: Path, place: Path) -> None:
    made(bundle, place)
    inside = place / "inside"
    if shutil.which("openssl") is None:
        assert (inside / "tls.crt").read_text() == PLACEHOLDER
        return
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(inside / "tls.crt", inside / "tls.key")


def test_half_of_a_pair_is_no_reason_to_make_the_other(bundle: Path, place: Path) -> None:
    (place.parent / "project/tls.crt").write_text("mine")
    site = made(bundle, place)
    assert "${file.tls.crt}" not in site.missing
    assert (place / "inside/tls.crt").read_text() == "mine"
    assert (place / "inside/tls.key").read_text() == PLACEHOLDER


def test_whom_the_site_trusts_goes_along(bundle: Path, place: Path) -> None:
    signers = make_key(place.parent / "keys").signers(place.parent / "signers")
    site = made(bundle, place, f"trust: {{signers: {signers}, require: false, bundles: [app]}}\n")
    assert facts(site)["trust"] == {"signers": str(signers), "require": False, "bundles": ["app"]}


def test_overrides_are_rehearsed_too(bundle: Path, place: Path) -> None:
    site = made(bundle, place, "overrides: {app: {size: 7, pw: '${env.MORE}', to: '${site.mail}'}}\n")
    assert facts(site)["overrides"] == {"app": {"size": 7, "pw": "${env.MORE}", "to": "${site.mail}"}}
    assert (facts(site)["mail"], site.env["MORE"]) == (PLACEHOLDER, PLACEHOLDER)


def test_overrides_that_an_install_would_refuse(bundle: Path, place: Path) -> None:
    with pytest.raises(SpecError) as caught:
        made(bundle, place, "overrides: {apq: {size: 7}}\n")
    assert "no release is called 'apq'" in caught.value.problems[0]
