"""Certificates and keys of a site, each made for the test."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from bundle.errors import FormatError
from bundle.secret import Secret
from schema.site.tls_pair import check_pair

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


def trusted_by(authority: trustme.CA, *, certificate: str = CERTIFICATE, now: datetime = NOW) -> None:
    ca = authority.cert_pem.bytes().decode()
    check_pair("secret 'tls'", Secret(certificate), Secret(KEY), now=now, ca=ca, hosts=["shop.in"])


def test_the_chain_leads_to_the_authority_of_the_site() -> None:
    trusted_by(CA)


def test_time_is_told_once() -> None:
    """The chain of a certificate that has ended is judged all the same."""
    with pytest.raises(FormatError) as caught:
        trusted_by(CA, now=END)
    assert caught.value.what == "secret 'tls': the certificate expired on 2026-05-30 00:00 UTC"


def test_another_authority() -> None:
    with pytest.raises(FormatError, match="the certificate is not trusted by the CA of the site: unable to get local"):
        trusted_by(trustme.CA())


def test_a_chain_without_its_middle() -> None:
    middle = CA.create_child_ca()
    pair = middle.issue_cert("shop.in", not_before=START, not_after=END)
    key, leaf = Secret(pair.private_key_pem.bytes().decode()), pair.cert_chain_pems[0].bytes().decode()
    ca = CA.cert_pem.bytes().decode()
    check_pair("x", Secret(chain(pair)), key, now=NOW, ca=ca)
    with pytest.raises(FormatError, match="the file must hold the CAs in between too"):
        check_pair("x", Secret(leaf), key, now=NOW, ca=ca)


def test_an_authority_that_is_no_certificate() -> None:
    with pytest.raises(FormatError, match="secret 'tls': 'ca' holds no PEM certificate"):
        check_pair("secret 'tls'", Secret(CERTIFICATE), Secret(KEY), now=NOW, ca="x")
