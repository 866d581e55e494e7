"""Lists of signers: what a line says, when it vouches, and that ssh-keygen thinks the same."""

import os
import random
import re
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bundle.errors import FormatError, TrustError
from bundle.signing.signers import Signer, Signers, matches
from bundle.signing.ssh_signature import PublicKey
from tests.fixtures.parts.parts import program
from tests.fixtures.parts.ssh_keys import Key, make_key

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    return make_key(tmp_path_factory.mktemp("keys") / "key")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Key:
    return make_key(tmp_path_factory.mktemp("keys") / "other")


def public(key: Key) -> PublicKey:
    return PublicKey.decode(key.public.read_text().split()[1])


def find(text: str, key: Key) -> Signer:
    return Signers.parse(text.encode(), label="signers").find(public(key), NOW, subject="bundle 'x'")


OPTIONS = {
    "": "",
    'namespaces="airgap-bundle"': "",
    'namespaces="file,airgap-*"': "",
    'NAMESPACES="airgap-bundle"': "",
    'valid-after="20260601"': "",
    'valid-after="20260601120000Z"': "",
    'valid-before="202606011200Z"': "",
    'valid-before="20260602Z",valid-after="20260531Z",namespaces="airgap-bundle"': "",
    'namespaces="file"': "lets this key sign for 'file' only, not for 'airgap-bundle'",
    'namespaces="*,!airgap-bundle"': "lets this key sign for",
    'valid-after="20260602Z"': "makes this key valid from 2026-06-02 00:00 UTC on, and it is 2026-06-01 12:00 UTC",
    'valid-before="20260601Z"': "let this key expire at 2026-06-01 00:00 UTC, and it is 2026-06-01 12:00 UTC",
    "cert-authority": "names a certificate authority, which is not followed here",
}


@pytest.mark.parametrize(("options", "objection"), OPTIONS.items(), ids=OPTIONS)
def test_options_count_as_ssh_keygen_counts_them(tmp_path: Path, key: Key, options: str, objection: str) -> None:
    text = key.line("a@example.com", options)
    if objection:
        with pytest.raises(TrustError, match=rf"is signed by a@example\.com .*, but signers:1 {re.escape(objection)}"):
            find(text, key)
    else:
        assert find(text, key).identity == "a@example.com"
    (tmp_path / "signers").write_text(text)
    (tmp_path / "signature").write_bytes(key.sign(b"m"))
    argv = [program("ssh-keygen"), "-Y", "verify", "-f", str(tmp_path / "signers"), "-s", str(tmp_path / "signature")]
    argv += ["-n", "airgap-bundle", "-I", "a@example.com", "-O", f"verify-time={NOW:%Y%m%d%H%M%S}Z"]
    done = subprocess.run(argv, input=b"m", env={**os.environ, "TZ": "UTC"}, capture_output=True, check=False)
    assert (done.returncode == 0) == (not objection), done.stderr


def test_the_line_that_allows_counts(key: Key, other: Key) -> None:
    text = key.line("old", 'valid-before="20200101Z"') + "# c\n\n" + other.line("o") + key.line("new")
    assert (find(text, key).identity, find(text, key).line) == ("new", 5)
    assert find(text, other).identity == "o"


def test_a_key_that_is_not_listed(key: Key, other: Key) -> None:
    with pytest.raises(TrustError) as e:
        find(key.line("a"), other)
    assert f"{public(other).fingerprint}, which signers does not list; it lists a" in e.value.what
    assert e.value.hint.startswith("do not use the bundle")


def test_lines_that_cannot_be_read_vouch_for_nobody_and_are_told(key: Key, other: Key) -> None:
    text = key.line("a", "verify-harder") + other.line("b")
    assert find(text, other).identity == "b"
    with pytest.raises(TrustError, match=r"does not list \(line 1: its option 'verify-harder' is not known\)"):
        find(text, key)


@pytest.mark.parametrize(
    ("principals", "identity"),
    [("a@x", "a@x"), ("a@x,b@x", "a@x"), ("!c@x,*@x", "*@x"), ('"a@x,b@x"', "a@x")],
)
def test_the_identity_is_one_that_the_line_matches(key: Key, principals: str, identity: str) -> None:
    assert find(key.line(principals), key).identity == identity


def test_a_certificate_is_refused_in_words(key: Key) -> None:
    signers = Signers.parse(key.line().encode(), label="signers")
    certificate = PublicKey(type="ssh-ed25519-cert-v01@openssh.com", blob=b"x")
    with pytest.raises(TrustError, match=r"by a certificate .* which is not followed here"):
        signers.find(certificate, NOW, subject="bundle 'x'")


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("a ssh-ed25519", "expected: principals, options, type and base64"),
        ("a namespaces=x y z", "there is no public key in it"),
        ('a valid-after="2026" ssh-ed25519 AAAA', "is not the base64|cut off"),
        ("a ssh-ed25519 !!!!", "not the base64 of a public key"),
        ("a ssh-ed25519 AAAA", "cut off in its key type"),
        ("", "lists no signer"),
    ],
)
def test_a_list_without_a_signer(line: str, what: str) -> None:
    with pytest.raises(FormatError, match=f"signers lists no signer.*({what})|{what}"):
        Signers.parse(line.encode(), label="signers")


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ('valid-after="2026"', "'2026' is no time; expected YYYYMMDD"),
        ('valid-before="20261301"', "'20261301' is no time"),
        ("namespaces", "'namespaces' has no value"),
        ('cert-authority="x"', "'cert-authority' takes no value"),
        ('namespaces="a"b', "options can't be read"),
        ("no-touch-required", "'no-touch-required' is not known"),
    ],
)
def test_wrong_options(key: Key, options: str, what: str) -> None:
    with pytest.raises(FormatError, match=what):
        Signers.parse(key.line("a", options).encode(), label="signers")


def test_a_type_that_is_not_the_keys(key: Key) -> None:
    with pytest.raises(FormatError, match="says 'ssh-rsa', but the key is a 'ssh-ed25519'"):
        Signers.parse(key.line("a").replace("ssh-ed25519", "ssh-rsa", 1).encode(), label="signers")


@pytest.mark.parametrize(
    ("patterns", "text", "expected"),
    [("a", "a", True), ("a,b", "b", True), ("a*", "abc", True), ("a?", "ab", True), ("!ab,a*", "ab", False),
     ("!b", "a", False), ("[a]", "a", False), ("[a]", "[a]", True), ("A", "a", False)],
)  # fmt: skip
def test_patterns(patterns: str, text: str, expected: bool) -> None:
    assert matches(patterns, text) is expected


def test_a_time_without_z_is_the_machines(monkeypatch: pytest.MonkeyPatch, key: Key) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        line = Signer.parse(key.line("a", 'valid-after="20260601"').strip(), 1)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert line.valid_after == datetime(2026, 6, 1, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize("sign", ["\u2028", "\x0c", "\x85", "\u00e9", '"', "\x1b"], ids=ascii)
@pytest.mark.parametrize("place", ["before", "after"])
def test_what_ssh_keygen_takes_for_no_line_is_none(tmp_path: Path, key: Key, sign: str, place: str) -> None:
    good = key.line("me@example.com", 'namespaces="airgap-bundle"').strip()
    line = f"{sign}{good}" if place == "before" else f"{good.split()[0]}{sign} {' '.join(good.split()[1:])}"
    data, signature, signers = tmp_path / "data", tmp_path / "data.sig", tmp_path / "signers"
    data.write_bytes(b"x")
    signature.write_bytes(key.sign(b"x"))
    signers.write_bytes(f"{line}\n".encode())
    argv = ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", "me@example.com", "-n", "airgap-bundle"]
    done = subprocess.run([*argv, "-s", str(signature)], input=b"x", capture_output=True, check=False)
    assert done.returncode != 0
    with pytest.raises(FormatError, match="lists no signer"):
        Signers.parse(signers.read_bytes(), label="signers")


PIECES = [
    " ",
    "\t",
    ",",
    '"',
    '""',
    "=",
    "!",
    "*",
    "?",
    "#",
    "\\",
    "[a]",
    "\r",
    "\n",
    "\x0b",
    "\xa0",
    "\u2028",
    "me@example.com",
]
PIECES += [
    "namespaces=",
    'namespaces="x"',
    "valid-before=",
    'valid-after="20300101"',
    "cert-authority",
    "ssh-rsa",
    "A",
    "",
]


def test_ssh_keygen_agrees_on_lists_changed_at_random(tmp_path: Path, key: Key) -> None:
    """Whoever we let sign by a list, ssh-keygen lets sign by it, under the name that we say."""
    signature, signers = tmp_path / "signature", tmp_path / "signers"
    signature.write_bytes(key.sign(b"x"))
    public = PublicKey.decode(key.public.read_text().split()[1])
    good = key.line("me@example.com,other@example.com", 'namespaces="airgap-bundle",valid-after="20200101Z"')
    borders = [at for at, sign in enumerate(good) if sign in ' ",=@\n']
    rng, taken = random.Random(14), 0
    for _ in range(500):
        text = good
        for _ in range(rng.randint(1, 2)):
            at = rng.choice([*borders, rng.randint(0, 60), 0])
            text = text[:at] + rng.choice(PIECES) + text[at + rng.choice([0, 0, 1, 3]) :]
        try:
            found = Signers.parse(text.encode(), label="signers").find(public, datetime.now(UTC), subject="x")
        except (FormatError, TrustError):
            continue
        taken += 1
        signers.write_bytes(text.encode())
        argv = ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", found.identity, "-n", "airgap-bundle"]
        done = subprocess.run([*argv, "-s", str(signature)], input=b"x", capture_output=True, check=False)
        assert done.returncode == 0, (text, found.identity, done.stderr)
    assert taken > 50
