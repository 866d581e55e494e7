"""The approvals of a published bundle: an artifact whose subject it is, so that they may come after it.

Each publication has what lay beside the bundle then, in one layer; what a registry has of them is joined.
"""

from collections.abc import Iterator

from bundle.archive.artifact import NOTHING, TITLE, artifact_manifest
from bundle.errors import FormatError, IntegrityError
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.signing.approvals import MAX_BYTES, split_approvals
from bundle.transfer.image import Manifest, ReferrerSource
from bundle.transfer.referrers import direct_referrers

APPROVALS = "application/vnd.airgap.approvals.v1"
_MOST = 200  # artifacts that refer to one bundle and are looked at; report, SBOMs and rehearsal are three


class ApprovalsSource:
    """Approvals (the text of their file, by its `name`) as what `push_image` pushes, for the `bundle` published."""

    def __init__(self, content: bytes, bundle: Descriptor, *, name: str) -> None:
        self._blobs = {Digest.of(each): each for each in (NOTHING, content)}
        layer = Descriptor(
            media_type="text/plain", digest=Digest.of(content), size=len(content), annotations={TITLE: name}
        )
        self.artifact = Manifest.parse(artifact_manifest(APPROVALS, [layer], {TITLE: name}, subject=bundle))

    def resolve(self) -> Descriptor:
        """The descriptor of the artifact's manifest."""
        return self.artifact.descriptor

    def manifest(self, descriptor: Descriptor) -> bytes:
        """The manifest's bytes; there is one only."""
        return self.artifact.raw

    def read(self, descriptor: Descriptor, offset: int) -> Iterator[bytes]:
        """The bytes of the config or of the approvals."""
        yield self._blobs[descriptor.digest][offset:]


def published_approvals(source: ReferrerSource, bundle: Digest, *, subject: str) -> tuple[bytes, ...]:
    """All approvals that are published for a bundle, each once; whose they are, and good for what, is not looked at.

    SourceError and IntegrityError where the registry does not tell or gives other bytes, FormatError for too many.
    """
    referrers = direct_referrers(source, bundle, subject=subject)
    if len(referrers) > _MOST:
        raise FormatError(f"{subject} has {len(referrers)} artifacts that refer to it, at most {_MOST} are looked at")
    found: dict[bytes, None] = {}
    left = MAX_BYTES
    for each in referrers:
        manifest = Manifest.parse(source.manifest(each), media_type=each.media_type, digest=each.digest)
        if manifest.is_index or manifest.artifact_type != APPROVALS or manifest.subject != bundle:
            continue
        for layer in manifest.layers:
            content = _content(source, layer, left, subject)
            left -= len(content)
            found |= dict.fromkeys(split_approvals(content))
    return tuple(found)


def _content(source: ReferrerSource, layer: Descriptor, limit: int, subject: str) -> bytes:
    """The bytes of a small layer, compared with its digest."""
    content = bytearray()
    for chunk in source.read(layer, 0):
        content += chunk
        if len(content) > limit:
            raise FormatError(f"{subject} has approvals of more than {MAX_BYTES} bytes")
    if not layer.digest.matches(bytes(content)):
        raise IntegrityError(f"{subject}: its approvals have not the digest {layer.digest}")
    return bytes(content)
