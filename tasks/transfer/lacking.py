"""What of the carried images is not inside yet: the blobs that the registry lacks, or what the Engine does not have."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from bundle.metadata.manifest import ImageEntry
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.transfer.courier import Wanted
from bundle.transfer.image import ImageSource, read_manifest, walk_manifests
from bundle.transfer.push import ImageSink
from tasks.site.receiver import Receiver

_AT_ONCE = 16  # questions
_NAMED = ("push", "load", "derive")  # steps that are about one image each
_ALONE = (*_NAMED, "namespace", "secret")  # steps that need no other images


def asked_for(receiver: Receiver) -> Sequence[ImageEntry]:
    """The carried images that this run brings inside: all, unless only steps of some are asked for by their names."""
    entries, parts = receiver.carried.bundle.manifest.images, _steps(receiver)
    if not parts or any(base not in _ALONE or (base in _NAMED and not name) for base, name in parts):
        return entries
    made = {each.name: each.base for each in receiver.carried.plan.derived}
    names = {made.get(name, name) for base, name in parts if base in _NAMED}
    return [entry for entry in entries if entry.name in names]


def _steps(receiver: Receiver) -> Sequence[tuple[str, str]]:
    """The steps on the command line, each with the name behind its colon."""
    words = [word for word in receiver.options.words if "=" not in word and not word.startswith("-")]
    steps = [word.partition(":") for word in words if word not in ("run", "plan")]
    return [(base, name) for base, _, name in steps]


def lacking_blobs(receiver: Receiver) -> Mapping[Digest, Wanted]:
    """The blobs of images that the registry lacks, each for the first image that needs it.

    Those of an image that the registry has under its name, or whose manifest it has, are there. What a delta leaves
    out is not carried, and so not asked for.
    """
    asked: dict[Digest, Wanted] = {}
    for entry in asked_for(receiver):
        if receiver.destination.stale(entry):
            for each in _blobs(receiver, entry):
                asked.setdefault(each.blob.digest, each)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        there = pool.map(lambda each: each.sink.exists(each.blob), asked.values())
        return {digest: each for (digest, each), found in zip(asked.items(), there, strict=True) if not found}


def lacking_images(receiver: Receiver) -> Sequence[ImageEntry]:
    """The images that the Docker Engine does not have under their names.

    Not those of which a delta leaves something out: they are loaded by themselves, with what the registry has of them.
    """
    whole = [each for each in asked_for(receiver) if not receiver.carried.bundle.manifest.lacks(each)]
    return [entry for entry in whole if receiver.crossing.engine.not_loaded(entry)]


def _blobs(receiver: Receiver, entry: ImageEntry) -> Iterator[Wanted]:
    left_out = receiver.carried.bundle.manifest.lacks(entry)
    source, sink = receiver.crossing.source(entry), receiver.crossing.repositories.image(entry)
    for blob in _absent(_roots(entry, source), source, sink, f"image {entry.name!r}"):
        if blob.digest not in left_out:
            yield Wanted(blob=blob, sink=sink, source=source, image=entry.name)


def _roots(entry: ImageEntry, source: ImageSource) -> Iterator[Descriptor]:
    """The image, and what is attached to it."""
    yield entry.root
    for attachment in entry.attachments:
        if not attachment.is_list:
            yield attachment.root
        else:
            yield from read_manifest(attachment.root, source.manifest).manifests


def _absent(roots: Iterable[Descriptor], source: ImageSource, sink: ImageSink, subject: str) -> Iterator[Descriptor]:
    """The blobs of manifests that the repository does not have: one that it has is whole."""
    for root in roots:
        for manifest in walk_manifests(source.manifest, root, subject):
            if not manifest.is_index and not sink.exists(manifest.descriptor):
                yield from manifest.children()
