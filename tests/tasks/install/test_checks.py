"""Checks whose kind the site decides, and checks by programs of the spec's own."""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trustme

from bundle.errors import MissingToolError, ProgramError
from bundle.secret import KnownSecrets
from clients.preflight.findings import Finding
from schema.site.site import Site
from schema.spec.backup import BackupSpec, DumpSpec
from schema.spec.checks import CheckKind, CheckSpec
from schema.spec.install import SecretSpec
from tasks.install.checks import _programs, _secret, check_findings
from tasks.site.receiver import Receiver
from tests.fixtures.made.installs import facts

SECRET = "hush-hush-hush"


def receiver(place: Path) -> Receiver:
    """What a check sees of an installation whose spec lies in `place`."""
    known = KnownSecrets()
    known.add(SECRET)
    (place / "site.yaml").write_text("{word: a b, kind: mysql, overrides: {web: {env: {X: '${env.Y}', N: 1}}}}")
    site = Site.load(place / "site.yaml")
    found: Any = SimpleNamespace(
        carried=SimpleNamespace(base=place),
        known=known,
        site=site,
        facts_at_hand=site.value,
        cluster=SimpleNamespace(programs=SimpleNamespace(env={**os.environ, "GIVEN": "yes"})),
    )
    return cast("Receiver", found)


def check(kind: CheckKind, subject: str, *run: str, min_version: str = "") -> CheckSpec:
    return CheckSpec(
        kind=kind, subject=subject, from_pod=False, ca=None, status=200, min_days=0, min_version=min_version, run=run
    )


def told(place: Path, script: str, *args: str) -> tuple[Finding, ...]:
    (place / "look.sh").write_text(f"#!/bin/sh\n{script}\n")
    (place / "look.sh").chmod(0o755)
    run = ("./look.sh", *args)
    return check_findings(receiver(place), check("run", " ".join(run), *run))


def test_a_program_that_has_nothing_to_say(tmp_path: Path) -> None:
    assert (
        told(tmp_path, 'test "$1" = "--word=a b" && test "$GIVEN" = yes && test -f look.sh', "--word=${site.word}")
        == ()
    )


def test_it_gets_what_the_site_file_says(tmp_path: Path) -> None:
    (found,) = told(tmp_path, 'echo "$AIRGAP_SITE" >&2')
    said = {"word": "a b", "kind": "mysql", "overrides": {"web": {"env": {"X": "${env.Y}", "N": 1}}}}
    assert json.loads(found.what) == said


def test_its_lines_are_findings(tmp_path: Path) -> None:
    one, two = told(tmp_path, f'echo "x is 1 next: write 2" >&2; echo; echo "y {SECRET}" >&2; exit 3')
    assert (one.subject, one.what, one.hint, one.severity) == ("check ./look.sh", "x is 1", "write 2", "error")
    assert (two.what, two.hint) == ("y ***", "")


def test_lines_of_one_that_succeeds_are_warnings(tmp_path: Path) -> None:
    (found,) = told(tmp_path, "echo 'look at z' >&2")
    assert (found.what, found.severity) == ("look at z", "warning")


def test_one_that_fails_in_silence(tmp_path: Path) -> None:
    (found,) = told(tmp_path, "exit 4")
    assert found.what == "it failed with exit code 4, and said nothing"


def test_one_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="no-such-program"):
        check_findings(receiver(tmp_path), check("run", "no-such-program", "no-such-program"))


@pytest.mark.parametrize(
    ("address", "subject", "what"),
    [
        ("${site.kind}://127.0.0.1:1", "mysql 127.0.0.1:1", "connection refused"),
        ("postgres://127.0.0.1:1", "postgres 127.0.0.1:1", "connection refused"),
        ("postgresql://127.0.0.1:1", "postgres 127.0.0.1:1", "connection refused"),
        ("sqlite://x", "database sqlite://x", "unsupported database type 'sqlite'"),
        ("127.0.0.1:1", "database 127.0.0.1:1", "unsupported database type '127.0.0.1:1'"),
    ],
)
def test_databases_by_address(tmp_path: Path, address: str, subject: str, what: str) -> None:
    (found,) = check_findings(receiver(tmp_path), check("database", address, min_version="8.0"))
    assert found.subject == subject
    assert what in found.what


AUTHORITY = trustme.CA()


def pair(place: Path, *hosts: str) -> Receiver:
    """A site whose certificate is for `hosts`, and its CA."""
    certificate = AUTHORITY.issue_cert(*hosts)
    certificate.private_key_and_cert_chain_pem.write_to_path(place / "both.pem")
    AUTHORITY.cert_pem.write_to_path(place / "ca.crt")
    found: Any = receiver(place)
    lookup = facts(place)
    found.facts_at_hand, found.known = lookup, lookup.known
    return cast("Receiver", found)


def tls(**more: Any) -> SecretSpec:
    data = {"certificate": "${file.both.pem}", "key": "${file.both.pem}"}
    return SecretSpec(name="web-tls", type="tls", namespaces=("web",), data=data, generate=None, **more)


def test_a_certificate_for_the_hosts_of_the_site(tmp_path: Path) -> None:
    site = pair(tmp_path, "h.internal")
    assert _secret(site, tls(hosts=("${site.host}.internal",), ca="${file.ca.crt}", min_days=1)) == ()


def test_a_certificate_for_another_host_and_of_another_authority_and_for_a_day(tmp_path: Path) -> None:
    site = pair(tmp_path, "other.internal")
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.crt")
    (found,) = _secret(site, tls(hosts=("${site.host}.internal",), ca="${file.ca.crt}", min_days=1_000_000))
    assert (found.subject, found.severity) == ("secret 'web-tls'", "error")
    for part in (
        "is not trusted by the CA",
        "expected 1000000",
        "does not cover h.internal",
        "made out to other.inter",
    ):
        assert part in found.what


def test_programs_that_a_later_step_starts_are_looked_for(tmp_path: Path) -> None:
    def find(name: str) -> Path:
        if name in ("bash", "mysql"):
            return tmp_path
        raise MissingToolError(f"{name} is not installed", hint=f"install {name}")

    run = ("absent", "./own.sh", "bash", "${site.kind}")
    actions = [SimpleNamespace(name=word, run=(word, "x")) for word in run]
    backup = BackupSpec(commands=(DumpSpec(name="db", run=("nodump",), env={}),))
    found: Any = receiver(tmp_path)
    found.cluster.programs.find = find
    found.options = SimpleNamespace(rehearsal="")
    found.carried.spec = SimpleNamespace(install=SimpleNamespace(actions=actions, backup=backup))
    assert [(each.severity, each.subject, each.what) for each in _programs(found)] == [
        ("error", "action 'absent'", "absent is not installed"),
        ("warning", "backup 'db'", "nodump is not installed"),
        ("warning", "backup", "openssl is not installed"),
    ]
    found.carried.spec.install.backup = BackupSpec()
    assert [each.subject for each in _programs(found)] == ["action 'absent'"], "no backup, no openssl"
