"""Reading certificates, against those that trustme, cryptography and openssl make."""

import shutil
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from bundle.errors import FormatError
from bundle.formats.x509 import Certificate, merged, out_of_date, parse_authorities
from tests.fixtures.images.system_images import OLD

START = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)


def pem(*names: str, expires: datetime | None = None) -> str:
    issued = trustme.CA().issue_cert(*names, not_before=START, not_after=expires or START + timedelta(days=90))
    return issued.cert_chain_pems[0].bytes().decode()


def test_names_and_time() -> None:
    found = Certificate.parse_pem(pem("Shop.Example", "*.shop.example", "10.0.0.7", "fd00::7"))
    assert found == Certificate(
        not_before=START,
        not_after=START + timedelta(days=90),
        dns_names=("shop.example", "*.shop.example"),
        addresses=("10.0.0.7", "fd00::7"),
    )


def test_a_time_of_the_last_century() -> None:
    start = datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC)
    issued = trustme.CA().issue_cert("a.example", not_before=start, not_after=START)
    assert Certificate.parse_pem(issued.cert_chain_pems[0].bytes().decode()).not_before == start


def test_a_time_after_2049_is_written_differently() -> None:
    expires = datetime(2051, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert Certificate.parse_pem(pem("a.example", expires=expires)).not_after == expires


@pytest.mark.parametrize("key", ["rsa:2048", "ec", "ed25519"])
@pytest.mark.parametrize("names", ["DNS:a.example,IP:127.0.0.1,email:me@a.example,URI:spiffe://a", ""])
def test_openssl_certificates(tmp_path: Path, key: str, names: str) -> None:
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    curve = ["-pkeyopt", "ec_paramgen_curve:P-256"] if key == "ec" else []
    extension = ["-addext", f"subjectAltName={names}"] if names else []
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", key, *curve, "-nodes", "-subj", "/CN=a.example/O=Ä", "-utf8"),
            *("-days", "30", "-keyout", tmp_path / "k", "-out", tmp_path / "c", *extension),
        ],
        check=True,
        capture_output=True,
    )
    said = subprocess.run(
        ["openssl", "x509", "-in", tmp_path / "c", "-noout", "-enddate"], check=True, capture_output=True, text=True
    ).stdout.partition("=")[2]
    found = Certificate.parse_pem((tmp_path / "c").read_text())
    assert found.not_after == datetime.fromtimestamp(ssl.cert_time_to_seconds(said.strip()), UTC)
    assert found.not_after - found.not_before == timedelta(days=30)
    assert (found.dns_names, found.addresses) == ((("a.example",), ("127.0.0.1",)) if names else ((), ()))


def test_text_around_and_the_rest_of_a_chain_are_ignored() -> None:
    own = pem("own.example")
    assert Certificate.parse_pem(f"Subject: CN=x\n{own}\n{pem('other.example')}").dns_names == ("own.example",)


@pytest.mark.parametrize(
    ("host", "covered"),
    [
        ("shop.example", True),
        ("SHOP.example.", True),
        ("a.shop.example", True),
        ("a.b.shop.example", False),
        ("example", False),
        ("other.example", False),
        ("10.0.0.7", True),
        ("10.0.0.8", False),
        ("[fd00:0::7]", True),
        ("fd00::8", False),
    ],
)
def test_covers(host: str, covered: bool) -> None:
    assert Certificate.parse_pem(pem("shop.example", "*.shop.example", "10.0.0.7", "fd00::7")).covers(host) is covered


def test_a_wildcard_does_not_cover_its_own_domain() -> None:
    assert not Certificate.parse_pem(pem("*.shop.example")).covers("shop.example")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
    ],
    ids=["nothing", "no end", "empty", "no base64", "no certificate", "a key"],
)
def test_what_is_no_certificate(text: str) -> None:
    with pytest.raises(FormatError):
        Certificate.parse_pem(text)


def test_a_certificate_that_is_cut_or_damaged_never_breaks_the_reader() -> None:
    data = ssl.PEM_cert_to_DER_cert(pem("a.example"))
    for end in range(0, len(data), 7):
        with pytest.raises(FormatError):
            Certificate.parse_der(data[:end])
    for at in range(len(data)):
        for value in (0x00, 0x80, 0xFF):
            broken = data[:at] + bytes((value,)) + data[at + 1 :]
            try:
                Certificate.parse_der(broken)
            except FormatError:
                continue


CA_PEM = trustme.CA().cert_pem.bytes().decode()


CA = parse_authorities(CA_PEM)


NEW = CA[0].pem


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "there is no PEM certificate in it"),
        ("-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----", "certificate 1 in it is damaged"),
        ("-----BEGIN CERTIFICATE-----\nb2xk\n-----END CERTIFICATE-----", "this is no X.509 certificate"),
        (trustme.CA().private_key_pem.bytes().decode() + CA_PEM, "there is a private key in it"),
    ],
    ids=["nothing", "damaged", "something else", "key"],
)
def test_certificates_that_are_none_are_refused(text: str, told: str) -> None:
    with pytest.raises(FormatError, match=told):
        parse_authorities(text)


def test_a_certificate_that_is_there_already_is_not_added_again() -> None:
    once = merged(b"# ours\n" + OLD.encode().rstrip(), CA)
    assert once == b"# ours\n" + OLD.encode() + NEW.encode()
    assert merged(once, CA) == once
    assert len(parse_authorities(CA_PEM + CA_PEM)) == 1


def test_a_certificate_out_of_its_time_is_told() -> None:
    assert out_of_date(CA, datetime.now(UTC)) == []
    (late,) = out_of_date(CA, datetime(3999, 1, 1, tzinfo=UTC))
    (early,) = out_of_date(CA, datetime(1999, 1, 1, tzinfo=UTC))
    assert "has expired on" in late
    assert "is not valid before" in early
