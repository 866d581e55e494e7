"""What refers to an image: signatures, attestations, SBOMs, and whatever else was attached to it.

Two ways are in use, and both are followed. cosign's older objects have tags of their own (`sha256-<hex>.sig`, `.att`,
`.sbom`; cosign's SIGNATURE_SPEC.md). Others name the image as their `subject` (image-spec manifest.md), and are listed
by the registry, or by an index under the tag `sha256-<hex>` (distribution-spec, "Referrers Tag Schema").
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from bundle.errors import AirgapError, FormatError, IntegrityError, SourceError
from bundle.formats import strict_json
from bundle.formats.fields import Fields
from bundle.meter import Meter
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.storage.blob_store import BlobStore
from bundle.transfer.attachment import COSIGN_SUFFIXES, Attachment
from bundle.transfer.fetch import FetchedImage, fetch_image, stored_image
from bundle.transfer.image import ImageSource, Manifest, ReferrerSource
from bundle.transfer.transfers import Transfers

_MOST = 1000  # of one image; more than anybody reads, and a bound on what a registry can make us ask


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Referrer:
    """One manifest that refers to another: cosign's object with a `tag` of its own, or one that a list names.

    Of a listed one, `tag` is the list's, `sha256-<hex>` of what it refers to. `size` is the manifest's, in bytes.
    """

    tag: str
    digest: Digest
    media_type: str
    size: int

    @property
    def is_listed(self) -> bool:
        """Whether it is found by a list, and not by its own tag."""
        return not self.tag.endswith(COSIGN_SUFFIXES)

    @property
    def root(self) -> Descriptor:
        """The descriptor of the manifest."""
        return Descriptor(media_type=self.media_type, digest=self.digest, size=self.size)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The exact inverse of to_dict; anything else is a FormatError."""
        fields = Fields(data=data, subject="referrer")
        return cls(
            tag=fields.text("tag"),
            digest=fields.digest("digest"),
            media_type=fields.text("media_type"),
            size=fields.size("size"),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {"tag": self.tag, "digest": str(self.digest), "media_type": self.media_type, "size": self.size}


def list_tag(subject: Digest) -> str:
    """The tag of the list of what refers to a manifest (distribution-spec, "Referrers Tag Schema")."""
    return f"{subject.algorithm}-{subject.hex}"


def find_referrers(
    source: ReferrerSource, subjects: Iterable[Digest], *, subject: str, faults: list[AirgapError] | None = None
) -> tuple[Referrer, ...]:
    """All that refers to the manifests of an image, and what refers to that again; each once, sorted.

    Nothing found is no error. A place that refuses to tell is one, as is more than anybody can want: where the caller
    gives a list for `faults`, these are put there, and what is found all the same is returned.
    """
    wanted = list(subjects)
    images, asked, found = frozenset(wanted), set[Digest](), set[Referrer]()
    while wanted:
        digest = wanted.pop()
        if digest in asked or digest.algorithm != "sha256":  # no other fits into a tag
            continue
        asked.add(digest)
        near = [
            _referrer(list_tag(digest), each)
            for each in direct_referrers(source, digest, subject=subject, faults=faults)
        ]
        if digest in images:
            for tag in (f"{list_tag(digest)}{suffix}" for suffix in COSIGN_SUFFIXES):
                with _collected(faults):
                    near += [_referrer(tag, each)] if (each := source.tagged(tag)) else []
        if len(found | set(near)) > _MOST:
            what = f"{subject}: more than {_MOST} artifacts refer to it"
            fault = SourceError(what, hint="leave them out: `referrers: false`")
            if faults is None:
                raise fault
            faults.append(fault)
            break
        found.update(near)
        wanted += [each.digest for each in near]
    return tuple(sorted(found))


def direct_referrers(
    source: ReferrerSource, digest: Digest, *, subject: str, faults: list[AirgapError] | None = None
) -> tuple[Descriptor, ...]:
    """What the place lists as referring to a manifest, else the index under the list's tag.

    What is no manifest by its media type is left out; `faults` as of find_referrers.
    """
    found: tuple[Descriptor, ...] | None = None
    with _collected(faults):
        found = source.referring(digest)
    if found is None:
        with _collected(faults):
            found = _tagged_list(source, digest, subject)
    return tuple(each for each in found or () if each.media_type in media_types.MANIFESTS | media_types.INDEXES)


def attached_to(referrers: Sequence[Referrer], subjects: Collection[Digest]) -> tuple[Referrer, ...]:
    """Those that refer to one of the subjects, directly or through others."""
    tags = {list_tag(digest) for digest in subjects}
    chosen: set[Referrer] = set()
    while near := {each for each in referrers if each.tag.partition(".")[0] in tags} - chosen:
        chosen |= near
        tags |= {list_tag(each.digest) for each in near}
    return tuple(sorted(chosen))


def fetch_referrers(
    source: ImageSource,
    referrers: Sequence[Referrer],
    store: BlobStore,
    *,
    subject: str,
    meter: Meter,
    transfers: Transfers,
    faults: list[AirgapError] | None = None,
) -> tuple[Referrer, ...]:
    """Bring them into the cache, with the lists that name those without a tag of their own; returns those that came.

    One that can't be had is an error, or goes into the list `faults` where the caller gives one.
    """
    came = []
    for each in referrers:
        with _collected(faults):
            fetch_image(source, each.root, store, subject=subject, meter=meter, transfers=transfers)
            came.append(each)
    for raw in _lists(store, came).values():
        store.put(raw)
    return tuple(came)


def stored_referrers(store: BlobStore, referrers: Sequence[Referrer]) -> tuple[FetchedImage, ...] | None:
    """What the cache knows of them, in their order; None when a manifest is not there. Blobs are not looked at."""
    held = [stored_image(store, each.digest, each.media_type) for each in referrers]
    return tuple(each for each in held if each) if None not in held else None


def named_roots(store: BlobStore, referrers: Sequence[Referrer]) -> dict[str, Descriptor]:
    """What travels by name, by tag: cosign's objects, and the lists. An IntegrityError when the cache lacks one."""
    roots = {each.tag: each.root for each in referrers if not each.is_listed}
    for tag, raw in _lists(store, referrers).items():
        roots[tag] = Descriptor(media_type=media_types.OCI_INDEX, digest=Digest.of(raw), size=len(raw))
    return roots


def attachments(store: BlobStore, referrers: Sequence[Referrer]) -> tuple[Attachment, ...]:
    """What the manifest says of these, sorted by tag; an IntegrityError when the cache lacks one."""
    found = []
    for tag, root in sorted(named_roots(store, referrers).items()):
        group = [each for each in referrers if each.tag == tag]
        content = sum(image.size for image in stored_referrers(store, group) or ())
        described = Attachment(
            tag=tag,
            digest=root.digest,
            media_type=root.media_type,
            size=content + (root.size if group[0].is_listed else 0),
            artifacts={each.digest: _type(_manifest(store, each)) for each in group},
        )
        found.append(described)
    return tuple(found)


def list_bytes(manifests: Iterable[Manifest]) -> bytes:
    """The index over manifests that refer to one subject, the same for the same manifests."""
    entries = [list_entry(each) for each in sorted(manifests, key=lambda each: each.digest)]
    return strict_json.canonical({"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": entries})


def merged_list(old: Manifest, new: Manifest) -> bytes:
    """A list with what either names: the old one's entries as they are, then what only the new one has."""
    known = {each.digest for each in old.manifests}
    added = [raw for raw, each in zip(new.entries, new.manifests, strict=True) if each.digest not in known]
    return strict_json.canonical({**old.data, "manifests": [*old.entries, *added]})


def list_entry(manifest: Manifest) -> dict[str, Any]:
    """How a list names a manifest: its descriptor with the type and the annotations of the artifact."""
    annotations = manifest.data.get("annotations")
    entry = {**manifest.descriptor.to_dict(), "artifactType": manifest.artifact_type}
    return {**entry, "annotations": annotations} if isinstance(annotations, dict) and annotations else entry


def _tagged_list(source: ReferrerSource, digest: Digest, subject: str) -> tuple[Descriptor, ...]:
    root = source.tagged(list_tag(digest))
    if root is None or root.media_type not in media_types.INDEXES:
        return ()
    try:
        return Manifest.parse(source.manifest(root), media_type=root.media_type).manifests
    except FormatError as err:
        raise SourceError(f"{subject}: the list of its referrers ({list_tag(digest)}): {err.what}") from err


@contextmanager
def _collected(faults: list[AirgapError] | None) -> Iterator[None]:
    """Put what a source refuses or gives damaged into `faults`, where there is such a list."""
    try:
        yield
    except (SourceError, IntegrityError) as err:
        if faults is None:
            raise
        faults.append(err)


def _referrer(tag: str, found: Descriptor) -> Referrer:
    return Referrer(tag=tag, digest=found.digest, media_type=found.media_type, size=found.size)


def _lists(store: BlobStore, referrers: Sequence[Referrer]) -> dict[str, bytes]:
    """The lists by their tags, over manifests that are all in the cache and do name the list's subject as theirs."""
    members: dict[str, list[Manifest]] = defaultdict(list)
    for each in referrers:
        manifest = _manifest(store, each) if each.is_listed else None
        if manifest and manifest.subject and list_tag(manifest.subject) == each.tag:
            members[each.tag].append(manifest)
    return {tag: list_bytes(manifests) for tag, manifests in members.items()}


def _manifest(store: BlobStore, referrer: Referrer) -> Manifest:
    raw = store.get(referrer.digest)
    if raw is None:
        raise IntegrityError(f"the cache has no good copy of {referrer.digest} any more", hint="run again")
    return Manifest.parse(raw, media_type=referrer.media_type, digest=referrer.digest)


def _type(manifest: Manifest) -> str:
    """The type of an artifact; of cosign's older ones, which look like images, the type of what they hold."""
    held = (
        [layer.media_type for layer in manifest.layers] if manifest.artifact_type in media_types.IMAGE_CONFIGS else []
    )
    return held[0] if held else manifest.artifact_type
