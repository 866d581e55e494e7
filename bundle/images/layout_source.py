"""Images out of an OCI image layout, a directory or still packed in a tar, as sources."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from bundle.errors import AbsentError, FormatError, IntegrityError, SourceError
from bundle.formats import strict_json
from bundle.formats.numbers import number
from bundle.images.layout import CONTAINERD_NAME, INDEX, NO_PLATFORM, OCI_LAYOUT, REF_NAME, blob_name
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.reference import Reference
from bundle.storage.tree import Tree, read_small
from bundle.transfer.image import MAX_MANIFEST, Manifest, is_manifest, parse_manifest

COSIGN_KIND = "kind"
_COSIGN = "dev.cosignproject.cosign"
_COSIGN_KINDS = {".sig": f"{_COSIGN}/sigs", ".att": f"{_COSIGN}/atts", ".sbom": f"{_COSIGN}/sboms"}
_ATTACHED = re.compile(r"sha256-[0-9a-f]{64}(\.(sig|att|sbom))?")
_MAX_INDEX = 64 * 1024 * 1024  # bytes

_Fault = tuple[Sequence[str], FormatError]  # the names of an entry that can't be read, and why it can't


class LayoutIndex:
    """What one layout lists, read when it is first asked for and then kept: many images are looked up in it.

    Errors as of read_index.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    @cached_property
    def entries(self) -> tuple[Descriptor, ...]:
        """All that index.json lists."""
        return read_index(self._tree)

    @cached_property
    def images(self) -> Sequence[Descriptor]:
        """The entries that are images of their own."""
        return [entry for entry in self.entries if not is_attached(entry)]

    def named(self, ref: str) -> Sequence[Descriptor]:
        """The entries of just this name."""
        return self._by_name.get(ref, ())

    def tagged(self, tag: str) -> Descriptor | None:
        """The first entry that has this name, or a name with this tag."""
        return self._by_tag.get(tag)

    def fault(self, ref: str) -> FormatError | None:
        """Why the entry of just this name can't be read; None where none of this name is so."""
        return next((fault for names, fault in _entries(_listed(self._tree))[1] if ref in names), None)

    @cached_property
    def _by_name(self) -> Mapping[str, Sequence[Descriptor]]:
        found: dict[str, list[Descriptor]] = {}
        for entry in self.entries:
            for name in dict.fromkeys(_names(entry.annotations)):
                found.setdefault(name, []).append(entry)
        return found

    @cached_property
    def _by_tag(self) -> Mapping[str, Descriptor]:
        found: dict[str, Descriptor] = {}
        for entry in self.entries:
            for name in _names(entry.annotations):
                found.setdefault(name, entry)
                found.setdefault(name.rpartition(":")[2], entry)
        return found


class LayoutSource:
    """One image of a layout; `subject` is the image as written.

    `ref` is its name there, `@` with its digest or its place in index.json (from 0), or "" where there is only one.
    Whoever opens many images of one layout gives all of them its one `index`.
    """

    def __init__(self, tree: Tree, ref: str, subject: str, index: LayoutIndex | None = None) -> None:
        self._tree = tree
        self._ref = ref
        self._subject = subject
        self._index = index or LayoutIndex(tree)

    def resolve(self) -> Descriptor:
        """The descriptor of the image; a SourceError lists the names there are when it is not exactly one."""
        try:
            chosen = self._index.named(self._ref) if self._ref else self._index.images
        except FileNotFoundError as err:
            raise SourceError(
                f"{self._subject} is no OCI image layout: it has no {err}",
                hint=f"name the directory or archive that holds {OCI_LAYOUT} and {INDEX}",
            ) from err
        except FormatError as err:
            raise SourceError(f"{self._subject}: {err.what}", hint=err.hint) from err
        index, chosen_by = self._index, self._ref.rpartition("@")[2]
        if not chosen and (place := number(chosen_by)) is not None:
            chosen = index.images[place:][:1]
        if not chosen and ":" in chosen_by:
            chosen = [each for each in self._listed(index.images) if str(each.digest) == chosen_by]
        if not chosen:
            chosen = [entry for entry in index.entries if same_name(self._ref, _names(entry.annotations))]
        if not chosen and (fault := index.fault(self._ref)):
            raise SourceError(f"{self._subject}: {fault.what}", hint=fault.hint)
        if len({entry.digest for entry in chosen}) != 1:
            raise choice_error(self._subject, self._ref, [_described(each, index.images) for each in index.images])
        return replace(chosen[0], annotations={}, platform=None)

    def _listed(self, entries: Sequence[Descriptor]) -> Iterator[Descriptor]:
        """The entries, and the manifests that those of them list which are indexes."""
        for entry in entries:
            yield entry
            if entry.media_type in media_types.INDEXES:
                yield from parse_manifest(self.manifest, entry, self._subject).manifests

    def tagged(self, tag: str) -> Descriptor | None:
        """What the layout has under another tag, with or without a repository before it; None where there is none.

        `cosign save` writes no tags: it says what kind each entry is, beside one image.
        """
        entry = self._index.tagged(tag)
        return replace(entry, annotations={}, platform=None) if entry else self._saved_by_cosign(tag)

    def referring(self, subject: Digest) -> tuple[Descriptor, ...] | None:
        """The entries of index.json whose manifests name `subject` as theirs; None where there are none."""
        entries = [entry for entry in self._index.entries if self._subject_of(entry) == subject]
        return tuple(replace(entry, annotations={}, platform=None) for entry in entries) or None

    def _subject_of(self, entry: Descriptor) -> Digest | None:
        """None also for an entry that can't be read: it is another image's, which nobody asked for."""
        try:
            return Manifest.parse(self.manifest(entry), media_type=entry.media_type).subject
        except (FormatError, SourceError):
            return None

    def _saved_by_cosign(self, tag: str) -> Descriptor | None:
        kinds = {entry.annotations.get(COSIGN_KIND, ""): entry for entry in self._index.entries}
        signed = kinds.get(f"{_COSIGN}/image") or kinds.get(f"{_COSIGN}/imageIndex")
        for suffix, kind in _COSIGN_KINDS.items():
            if signed and tag == f"{signed.digest.algorithm}-{signed.digest.hex}{suffix}" and kind in kinds:
                return replace(kinds[kind], annotations={}, platform=None)
        return None

    def manifest(self, descriptor: Descriptor) -> bytes:
        """The manifest's or index's bytes, checked against its digest; the size is a hint of who lists it."""
        try:
            data = read_small(self._tree, blob_name(descriptor.digest), MAX_MANIFEST)
        except FileNotFoundError as err:
            raise self._lacks(descriptor) from err
        except FormatError as err:
            raise SourceError(f"{self._subject}: manifest {err.what}", hint=err.hint) from err
        if not descriptor.digest.matches(data):
            raise IntegrityError(
                f"{self._subject}: its manifest is damaged: expected {descriptor.digest}, it has {Digest.of(data)}",
                hint="copy or build this source again",
            )
        return data

    def read(self, descriptor: Descriptor, offset: int) -> Iterator[bytes]:
        """The blob's bytes from `offset` on. Not checked here: whoever stores them does."""
        try:
            extent = self._tree.extent(blob_name(descriptor.digest))
        except FileNotFoundError as err:
            raise self._lacks(descriptor) from err
        except FormatError as err:
            raise SourceError(f"{self._subject}: {err.what}", hint=err.hint) from err
        yield from extent.read(offset, extent.size - offset)

    def _lacks(self, descriptor: Descriptor) -> AbsentError:
        return AbsentError(
            f"{self._subject} has no {descriptor.digest} ({descriptor.size} bytes), which its manifest names",
            hint="copy or build this source again, with all platforms that are wanted",
        )


def read_index(tree: Tree) -> tuple[Descriptor, ...]:
    """The images that a layout's index.json lists; FileNotFoundError without one, FormatError for another format."""
    return _images(*_entries(_listed(tree)))


def _listed(tree: Tree) -> Sequence[Mapping[str, Any]]:
    layout = _object(read_small(tree, OCI_LAYOUT, _MAX_INDEX), OCI_LAYOUT)
    version = layout.get("imageLayoutVersion")
    if version != "1.0.0":
        raise FormatError(f"{OCI_LAYOUT} has imageLayoutVersion {version!r}, expected '1.0.0'")
    entries = _object(read_small(tree, INDEX, _MAX_INDEX), INDEX).get("manifests")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise FormatError(f"{INDEX} has no list of manifests")
    return entries


def _entries(listed: Sequence[Mapping[str, Any]]) -> tuple[Sequence[Descriptor], Sequence[_Fault]]:
    """What can be read, and of each other entry its names and why it can't."""
    found, faults = list[Descriptor](), list[_Fault]()
    for entry in listed:
        try:
            found.append(Descriptor.from_dict(entry))
        except FormatError as err:
            annotations = entry.get("annotations")
            faults.append((_names(annotations) if isinstance(annotations, dict) else [], err))
    return found, faults


def _images(found: Sequence[Descriptor], faults: Sequence[_Fault]) -> tuple[Descriptor, ...]:
    """The entries that name manifests. One that can't be read is a FormatError only where there is no other."""
    if faults and not found:
        raise faults[0][1]
    return tuple(each for each in found if is_manifest(each))


def is_attached(entry: Descriptor) -> bool:
    """Whether an entry of index.json is no image of its own, but belongs to one: a signature, or a list of them."""
    return (
        entry.platform == NO_PLATFORM
        or entry.annotations.get(COSIGN_KIND) in _COSIGN_KINDS.values()
        or any(_ATTACHED.fullmatch(name.rpartition(":")[2]) for name in _names(entry.annotations))
    )


def layout_names(tree: Tree) -> tuple[str, ...]:
    """The ref of each image that a layout lists: its fullest name, else its digest; "" for the only one.

    Names of entries that can't be read come last; whoever opens them is told why. Errors as of read_index.
    """
    found, faults = _entries(_listed(tree))
    images = [entry for entry in _images(found, faults) if not is_attached(entry)]
    alone = len({entry.digest for entry in images}) == 1
    refs = [(_names(each.annotations) or ["" if alone else f"@{each.digest}"])[-1] for each in images]
    bad = [names[-1] for names, _ in faults if names]
    return tuple(dict.fromkeys([*refs, *bad]))


def choice_error(subject: str, ref: str, listed: Sequence[str]) -> SourceError:
    """Says that `ref` does not choose one image among those listed, each by a ref that does."""
    has = ", ".join(sorted(set(listed))) or "none"
    if ref:
        return SourceError(f"{subject} has no one image {ref!r}; it has: {has}", hint="use one of these as the ref")
    return SourceError(f"{subject} does not hold exactly one image; it has: {has}", hint="add `:REF` with one of these")


def same_name(ref: str, names: Sequence[str]) -> bool:
    """Whether a name is the same image in Docker's reading, where `app` is `docker.io/library/app:latest`."""
    wanted = _expanded(ref)
    return wanted is not None and any(_expanded(name) == wanted for name in names)


def _expanded(name: str) -> Reference | None:
    try:
        reference = Reference.parse(name)
    except FormatError:
        return None
    return reference if reference.tag or reference.digest else replace(reference, tag="latest")


def _described(entry: Descriptor, images: Sequence[Descriptor]) -> str:
    """A ref that chooses the entry: its name where no other has it, else its digest; and its platform if it is told."""
    name = next(iter(_names(entry.annotations)), "")
    alone = len({each.digest for each in images if name in _names(each.annotations)}) == 1
    platform = f" ({entry.platform})" if entry.platform else ""
    return (name if name and alone else f"{name}@{entry.digest}") + platform


def _names(annotations: Mapping[str, str]) -> list[str]:
    return [annotations[key] for key in (REF_NAME, CONTAINERD_NAME) if key in annotations]


def _object(data: bytes, name: str) -> Mapping[str, Any]:
    value = strict_json.decode(data, name)
    if not isinstance(value, dict):
        raise FormatError(f"{name} is not a JSON object")
    return value
