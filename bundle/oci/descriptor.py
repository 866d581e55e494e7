"""Content descriptors (OCI image-spec descriptor.md)."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from bundle.errors import FormatError
from bundle.oci.digest import Digest
from bundle.oci.platform import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What a piece of content is: media type, digest and size in bytes; in an index also its platform.

    `urls` are where else it may be had: the base layers of Windows are in no registry but Microsoft's. `data` is the
    content itself, where the descriptor carries it and it has the digest; it need not lie anywhere else then.
    """

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    urls: tuple[str, ...] = ()
    data: bytes = field(default=b"", repr=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read a descriptor object; a missing or mistyped field is a FormatError."""
        media_type, digest, size = data.get("mediaType"), data.get("digest"), data.get("size")
        if not isinstance(media_type, str) or not isinstance(digest, str):
            raise FormatError(f"descriptor {dict(data)!r} has no mediaType or no digest")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise FormatError(f"descriptor of {digest} has size {size!r}, expected a number of bytes")
        platform, annotations, urls = data.get("platform"), data.get("annotations"), data.get("urls")
        named = Digest.parse(digest)
        return cls(
            media_type=media_type,
            digest=named,
            size=size,
            platform=Platform.from_dict(platform) if isinstance(platform, Mapping) else None,
            annotations={str(k): str(v) for k, v in annotations.items()} if isinstance(annotations, Mapping) else {},
            urls=tuple(str(url) for url in urls) if isinstance(urls, list) else (),
            data=_embedded(data.get("data"), named),
        )

    def to_dict(self) -> dict[str, Any]:
        """The exact inverse of from_dict, leaving out what is empty."""
        data: dict[str, Any] = {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size}
        if self.annotations:
            data["annotations"] = dict(self.annotations)
        if self.platform:
            data["platform"] = self.platform.to_dict()
        if self.urls:
            data["urls"] = list(self.urls)
        if self.data:
            data["data"] = base64.b64encode(self.data).decode()
        return data


def _embedded(text: object, digest: Digest) -> bytes:
    """The content that a descriptor carries; empty for what has not its digest, which is then fetched as any other."""
    try:
        found = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except ValueError:
        return b""
    return found if found and digest.matches(found) else b""
