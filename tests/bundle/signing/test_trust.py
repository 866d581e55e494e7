"""Whether a bundle's signature is one that the site trusts: every reason to refuse it, and none too many."""

from pathlib import Path

import pytest

from bundle.errors import IntegrityError, TrustError
from bundle.metadata.checksums import SIGNATURE, SUMS
from bundle.oci.digest import Digest
from bundle.signing.signers import Signer, Signers
from bundle.signing.trust import OneList, SignedData, Trust, read_signature
from bundle.storage.tree import DirectoryTree
from tests.fixtures.parts.ssh_keys import Key, make_key

LIST = b"abc  manifest.json\n"
SUBJECT = "bundle 'x'"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    return make_key(tmp_path_factory.mktemp("keys") / "key")


def in_python(data: SignedData) -> bool:
    return data.signature.verify(data.message)


def vouch(key: Key, signature: bytes | None, *, sums: bytes = LIST, required: bool = True) -> Signer | None:
    signers = Signers.parse(key.line("release@example.com").encode(), label="signers")
    return Trust(signers=signers, required=required, check=in_python)(sums, signature, subject=SUBJECT)


def test_who_signed_is_told(key: Key) -> None:
    signer = vouch(key, key.sign(LIST))
    assert signer
    assert signer.identity == "release@example.com"


def test_no_signature_is_refused_where_one_is_required(key: Key) -> None:
    assert vouch(key, None, required=False) is None
    with pytest.raises(TrustError, match=f"^{SUBJECT} is not signed: it has no {SIGNATURE}") as caught:
        vouch(key, None)
    assert "signers says who may sign" in caught.value.hint


def test_a_signature_counts_also_where_none_is_required(key: Key) -> None:
    with pytest.raises(TrustError, match=f"{SIGNATURE}, by release@example.com, is not over this {SUMS}"):
        vouch(key, key.sign(LIST), sums=LIST + b"more", required=False)


@pytest.mark.parametrize(("namespace", "told"), [("file", "was made for 'file', expected 'airgap-bundle'")])
def test_a_signature_for_another_use_counts_for_nothing(key: Key, namespace: str, told: str) -> None:
    with pytest.raises(TrustError, match=told):
        vouch(key, key.sign(LIST, namespace=namespace))


def test_a_key_that_is_not_listed(key: Key, tmp_path: Path) -> None:
    with pytest.raises(TrustError, match=f"^{SUBJECT} is signed by "):
        vouch(key, make_key(tmp_path / "mallory").sign(LIST))


@pytest.mark.parametrize(
    "signature", [b"", b"signed", b"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----"]
)
def test_what_is_no_signature(key: Key, signature: bytes) -> None:
    with pytest.raises(TrustError, match=f"^{SUBJECT}: {SIGNATURE} is no SSH signature: ") as caught:
        vouch(key, signature, required=False)
    assert "transfer it again" in caught.value.hint


def trusting(*keys: Key, needed: int, approvals: tuple[bytes, ...]) -> Trust:
    listed = "".join(key.line(f"p{number}@example.com") for number, key in enumerate(keys))
    signers = Signers.parse(listed.encode(), label="signers")
    return Trust(signers=signers, required=True, check=in_python, needed=needed, approvals=approvals)


def test_several_signers(key: Key, tmp_path: Path) -> None:
    other, stranger = make_key(tmp_path / "other"), make_key(tmp_path / "stranger")
    trust = trusting(key, other, needed=2, approvals=(other.sign(LIST),))
    both = trust.everybody(LIST, key.sign(LIST), subject=SUBJECT)
    assert [each.identity for each in both] == ["p0@example.com", "p1@example.com"]
    assert trust(LIST, key.sign(LIST), subject=SUBJECT) == both[0]
    assert trusting(key, other, needed=2, approvals=(key.sign(LIST), other.sign(LIST)))(LIST, None, subject=SUBJECT)
    for worthless in (key.sign(LIST), stranger.sign(LIST), other.sign(b"another"), other.sign(LIST, namespace="git")):
        lacking = trusting(key, other, needed=2, approvals=(worthless,))
        with pytest.raises(TrustError, match=f"^{SUBJECT} has 1 of 2 signatures that the site requires: p0@") as caught:
            lacking(LIST, key.sign(LIST), subject=SUBJECT)
        assert "doit approve key=FILE" in caught.value.hint
        assert lacking.by_one(LIST, key.sign(LIST), subject=SUBJECT) == both[0]


def test_why_an_approval_does_not_count_is_told(key: Key, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other")
    trust = trusting(key, other, needed=2, approvals=(other.sign(b"another"),))
    with pytest.raises(TrustError, match=f"does not count: an approval, by p1@example.com, is not over this {SUMS}"):
        trust(LIST, key.sign(LIST), subject=SUBJECT)


def test_an_approval_does_not_heal_a_bad_signature(key: Key, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other")
    trust = trusting(key, other, needed=1, approvals=(other.sign(LIST),))
    with pytest.raises(TrustError, match=f"{SIGNATURE}, by p0@example.com, is not over this {SUMS}"):
        trust(LIST, key.sign(b"another"), subject=SUBJECT)


def test_a_signature_is_read_as_it_lies_there(tmp_path: Path) -> None:
    tree = DirectoryTree(tmp_path)
    assert read_signature(tree) is None
    (tmp_path / SIGNATURE).write_bytes(b"signed\n")
    assert read_signature(tree) == b"signed\n"
    (tmp_path / SIGNATURE).write_bytes(bytes(65_537))
    with pytest.raises(TrustError, match="no signature is of this size"):
        read_signature(tree)


def test_the_first_list_is_the_one() -> None:
    one = OneList()
    assert one(b"one", None, subject=SUBJECT) is None
    assert one(b"one", b"a signature that nobody asks for", subject=SUBJECT) is None
    with pytest.raises(IntegrityError, match="bundle 'x': SHA256SUMS was changed while the bundle is in use") as caught:
        one(b"two", None, subject=SUBJECT)
    assert f"expected {Digest.of(b'one')}, found {Digest.of(b'two')}" in caught.value.what
    assert one(b"one", None, subject=SUBJECT) is None


def test_one_that_was_agreed_on_elsewhere() -> None:
    with pytest.raises(IntegrityError):
        OneList(agreed=Digest.of(b"one"))(b"two", None, subject=SUBJECT)


def test_trust_is_asked_first(key: Key) -> None:
    signers = Signers.parse(key.line().encode(), label="signers")
    one = OneList(Trust(signers=signers, required=True, check=in_python))
    with pytest.raises(TrustError, match="is not signed"):
        one(LIST, None, subject=SUBJECT)
    found = one(LIST + b"more", key.sign(LIST + b"more"), subject=SUBJECT)
    assert found, "what was refused was not agreed on"
    assert found.identity == "release@example.com"
    with pytest.raises(IntegrityError):
        one(LIST, key.sign(LIST), subject=SUBJECT)
