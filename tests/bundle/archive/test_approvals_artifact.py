"""Approvals of a published bundle as an artifact, and what of those that a registry has is read."""

from dataclasses import dataclass, replace

import pytest

from bundle.archive.approvals_artifact import APPROVALS, ApprovalsSource, published_approvals
from bundle.errors import FormatError, IntegrityError
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.signing.approvals import MAX_BYTES
from tests.fixtures.images.cosign_objects import Artifact, referring
from tests.fixtures.images.fake_images import FakeSource

BUNDLE = Descriptor(media_type=media_types.OCI_MANIFEST, digest=Digest.of(b"bundle"), size=6)


def approval(word: str) -> bytes:
    return f"-----BEGIN SSH SIGNATURE-----\n{word}\n-----END SSH SIGNATURE-----".encode()


class Listing(FakeSource):
    """A repository that lists these as referring to the bundle."""

    def __init__(self, *artifacts: ApprovalsSource | Artifact) -> None:
        super().__init__()
        self.listed: list[Descriptor] = []
        for each in artifacts:
            if isinstance(each, Artifact):
                self.listed.append(self.put(each.raw, media_types.OCI_MANIFEST))
                self.content |= each.blobs
            else:
                self.listed.append(self.put(each.manifest(each.resolve()), media_types.OCI_MANIFEST))
                for blob in each.artifact.children():
                    self.content[blob.digest] = b"".join(each.read(blob, 0))

    def referring(self, subject: Digest) -> tuple[Descriptor, ...]:
        return tuple(self.listed) if subject == BUNDLE.digest else ()

    def tagged(self, tag: str) -> None:
        return None


def test_what_was_published_comes_back_once() -> None:
    one = ApprovalsSource(approval("a") + b"\n", BUNDLE, name="app-1.approvals")
    two = ApprovalsSource(b"words\n" + approval("a") + b"\n" + approval("b"), BUNDLE, name="app-1.approvals")
    assert one.artifact.subject == BUNDLE.digest
    assert one.artifact.artifact_type == APPROVALS
    assert b"".join(one.read(one.artifact.layers[0], 5)) == (approval("a") + b"\n")[5:]
    found = published_approvals(Listing(one, two), BUNDLE.digest, subject="app")
    assert found == (approval("a"), approval("b"))
    assert published_approvals(Listing(one), Digest.of(b"other"), subject="app") == ()


def test_what_is_of_another_kind_or_another_bundle_is_not_read() -> None:
    report = referring(BUNDLE.digest, "application/vnd.airgap.report.v1", approval("a"))
    other = ApprovalsSource(approval("a"), replace(BUNDLE, digest=Digest.of(b"other")), name="x")
    source = Listing(report, other)
    assert published_approvals(source, BUNDLE.digest, subject="app") == ()
    assert not [kind for kind, _ in source.asked if kind == "blob"]


@dataclass
class Changed:
    """What a registry may give instead."""

    error: type[Exception]
    content: bytes


@pytest.mark.parametrize(
    "changed",
    [Changed(IntegrityError, approval("b")), Changed(FormatError, bytes(MAX_BYTES + 1))],
    ids=["other", "large"],
)
def test_other_bytes_and_too_many_are_refused(changed: Changed) -> None:
    made = ApprovalsSource(approval("a"), BUNDLE, name="x")
    source = Listing(made)
    source.content[made.artifact.layers[0].digest] = changed.content
    with pytest.raises(changed.error, match="app"):
        published_approvals(source, BUNDLE.digest, subject="app")


def test_no_registry_makes_us_ask_without_an_end() -> None:
    source = Listing()
    source.listed = [BUNDLE] * 201
    with pytest.raises(FormatError, match="has 201 artifacts that refer to it"):
        published_approvals(source, BUNDLE.digest, subject="app")
