"""What travels with an image under a tag of its own in the same repository: cosign's objects, lists of referrers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from bundle.formats.fields import Fields
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest

COSIGN_SUFFIXES = (".sig", ".att", ".sbom")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """One object of cosign's, or one list of what refers to a manifest (an index, by the tag `sha256-<hex>`).

    `artifacts` are the manifests in it with the types of the artifacts; `size` is the bytes of all its content.
    """

    tag: str
    digest: Digest
    media_type: str
    size: int
    artifacts: Mapping[Digest, str] = field(hash=False)

    @property
    def is_list(self) -> bool:
        """Whether this is such a list, which a registry with the referrers API makes by itself."""
        return not self.tag.endswith(COSIGN_SUFFIXES)

    @property
    def subject(self) -> Digest:
        """The manifest that this was attached to; its digest is a sha256, as others don't fit into tags."""
        return Digest.parse(self.tag.partition(".")[0].replace("-", ":", 1))

    @property
    def root(self) -> Descriptor:
        """Its manifest or index, its own size not stated (0)."""
        return Descriptor(media_type=self.media_type, digest=self.digest, size=0)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The exact inverse of to_dict; anything else is a FormatError."""
        fields = Fields(data=data, subject="attachment")
        return cls(
            tag=fields.text("tag"),
            digest=fields.digest("digest"),
            media_type=fields.text("media_type"),
            size=fields.size("size"),
            artifacts={Digest.parse(digest): kind for digest, kind in _kinds(fields.object("artifacts"))},
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            "tag": self.tag,
            "digest": str(self.digest),
            "media_type": self.media_type,
            "size": self.size,
            "artifacts": {str(digest): kind for digest, kind in sorted(self.artifacts.items())},
        }


def _kinds(artifacts: Fields) -> Iterator[tuple[str, str]]:
    return ((digest, artifacts.text(digest)) for digest in artifacts.data)
