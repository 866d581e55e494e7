"""Several platforms of an image: an index of just these."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bundle.formats import strict_json
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.platform import Platform
from bundle.transfer.image import Manifest, ReferrerSource, parse_manifest
from bundle.transfer.platforms import ATTESTS_TO, check_platform, choose


class SubsetSource:
    """An image of which several platforms are taken: an index of just these, made over what the source's index says.

    It is the same each time. What is no index, and no image of a platform (a chart), is taken as it is.
    """

    def __init__(self, source: ReferrerSource, platforms: Sequence[Platform], *, subject: str) -> None:
        self._source = source
        self._platforms = platforms
        self._subject = subject
        self._lock = threading.Lock()
        self._known: _Made | None = None

    @property
    def top(self) -> Descriptor:
        """What the source's name stands for, of which this is a part."""
        return self._made().top

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user may want to know of the choice."""
        return self._made().notes

    def resolve(self) -> Descriptor:
        """The descriptor of the index that is made."""
        return self._made().index.descriptor

    def manifest(self, descriptor: Descriptor) -> bytes:
        """The index that is made, or a manifest of the source."""
        if descriptor.media_type in media_types.INDEXES and descriptor.digest == self._made().index.digest:
            return self._made().index.raw
        return self._source.manifest(descriptor)

    def read(self, descriptor: Descriptor, offset: int) -> Iterator[bytes]:
        """A blob of the source."""
        return self._source.read(descriptor, offset)

    def tagged(self, tag: str) -> Descriptor | None:
        """What the source has under another tag."""
        return self._source.tagged(tag)

    def referring(self, subject: Digest) -> tuple[Descriptor, ...] | None:
        """What refers to a manifest of the source; nothing does to the index that is made."""
        made = self._made()
        return () if subject == made.index.digest != made.top.digest else self._source.referring(subject)

    def _made(self) -> "_Made":
        with self._lock:
            if self._known is None:
                self._known = self._make()
            return self._known

    def _make(self) -> "_Made":
        source, subject = self._source, self._subject
        named = source.resolve()
        top = parse_manifest(source.manifest, named, subject)
        if not top.is_index:
            for wanted in self._platforms:
                check_platform(source, top, wanted, chosen=False, subject=subject)
            return _Made(top=top.descriptor, index=top)
        entries, notes = list[Mapping[str, Any]](), list[str]()
        for wanted in self._platforms:
            found = choose(source, top, wanted, subject=subject)
            manifest = parse_manifest(source.manifest, found.descriptor, subject)
            check_platform(source, manifest, wanted, chosen=True, subject=subject)
            notes += [found.note] if found.note else []
            entry = {**found.entry, "size": len(manifest.raw)}
            entries.append(entry if entry.get("platform") else {**entry, "platform": wanted.to_dict()})
            entries += _about(found.index, found.descriptor)
        different = list({entry["digest"]: entry for entry in entries}.values())
        data = {"schemaVersion": 2, "mediaType": top.media_type, "manifests": different}
        annotations = top.data.get("annotations")
        raw = strict_json.canonical({**data, **({"annotations": annotations} if annotations else {})}, escaped=True)
        return _Made(top=top.descriptor, index=Manifest.parse(raw), notes=tuple(notes))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    top: Descriptor
    index: Manifest
    notes: tuple[str, ...] = ()


def _about(index: Manifest, image: Descriptor) -> list[Mapping[str, Any]]:
    """The entries by which BuildKit attests to an image of the index."""
    both = zip(index.entries, index.manifests, strict=True)
    return [entry for entry, each in both if each.annotations.get(ATTESTS_TO) == str(image.digest)]
