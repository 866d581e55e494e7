"""A finished bundle as an OCI artifact (image-spec manifest.md, "Guidelines for Artifact Usage"): each file a layer.

A layer's title is the file's path, the annotation that `oras pull` and its libraries make files of. So a bundle that
was published here can be pulled by them, and one that they pushed can be fetched here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bundle.archive.archive import present_archive
from bundle.archive.parts import sums_path
from bundle.archive.reader import open_bundle
from bundle.errors import BundleError, FormatError, SourceError
from bundle.formats import strict_json
from bundle.formats.fields import require_unique, time_text
from bundle.metadata.checksums import SIGNATURE, SUMS, parse_sums
from bundle.metadata.manifest import BundleManifest
from bundle.metadata.names import MANIFEST
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.storage.blob_store import hash_file
from bundle.storage.files import CHUNK, inside
from bundle.transfer.image import MAX_MANIFEST, Manifest

ARTIFACT = "application/vnd.airgap.bundle.v1"
FILE = "application/vnd.airgap.bundle.file.v1"
TITLE = "org.opencontainers.image.title"
EXECUTABLE = "vnd.airgap.executable"
UNPACK = "io.deis.oras.content.unpack"  # oras: the layer is a packed directory
NOTHING = b"{}"
_ANY = Digest.of(b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactFile:
    """One file: its path below where the artifact is put, and the layer that it is."""

    name: str
    layer: Descriptor
    executable: bool

    @classmethod
    def of(cls, layer: Descriptor) -> Self:
        """Read a layer; FormatError for one that is no file, or leads out."""
        name = layer.annotations.get(TITLE, "")
        if not name or layer.annotations.get(UNPACK) == "true":
            found = "a packed directory" if name else "no title"
            raise FormatError(f"its layer {layer.digest} has {found}, expected one file of a bundle")
        inside(Path(), name)
        return cls(name=name, layer=layer, executable=layer.annotations.get(EXECUTABLE) == "true")

    def lies_in(self, place: Path) -> bool:
        """Whether a directory has this file, with its digest."""
        path = inside(place, self.name)
        same_size = path.is_file() and path.stat().st_size == self.layer.size
        return same_size and hash_file(path, self.layer.digest) == self.layer.digest.hex


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """The files of a published bundle: a directory's, or an archive or its parts with their list of checksums.

    `title` is the bundle's `<name>-<version>`, as far as who published it says so.
    """

    files: tuple[ArtifactFile, ...]
    title: str

    @classmethod
    def of(cls, manifest: Manifest, *, subject: str) -> Self:
        """Read what was published, by us or by oras; a SourceError for anything that is no bundle."""
        hint = "doit publish puts bundles there"
        if manifest.is_index or manifest.config.media_type in media_types.IMAGE_CONFIGS:
            raise SourceError(f"{subject} is an image, expected a bundle", hint=hint)
        try:
            annotations = manifest.data.get("annotations")
            title = str(annotations.get(TITLE, "")) if isinstance(annotations, dict) else ""
            found = cls(files=tuple(map(ArtifactFile.of, manifest.layers)), title=title)
            require_unique(subject, "files named", (file.name for file in found.files))
        except FormatError as err:
            raise SourceError(f"{subject} is no bundle: {err.what}", hint=hint) from err
        if not found.is_directory and not found.archive:
            raise SourceError(f"{subject} is no bundle: it has neither {SUMS} nor an archive", hint=hint)
        return found

    @property
    def is_directory(self) -> bool:
        """Whether these are the files of a directory."""
        return {SUMS, MANIFEST} <= {file.name for file in self.files}

    @property
    def archive(self) -> str:
        """The name of the archive, or of the first of its parts; empty where there is none."""
        names = sorted(file.name for file in self.files if "/" not in file.name)
        return next((name for name in names if name.endswith((".tar", ".tar.001"))), "")

    def lies_in(self, place: Path) -> bool:
        """Whether a directory has every file, each with its digest."""
        return all(file.lies_in(place) for file in self.files)


class ArtifactSource:
    """The bundle at a path, read in place, as what `push_image` pushes.

    Its files' digests are those of the bundle's lists of checksums: who pushes them finds out about a damaged one.
    """

    def __init__(self, path: Path) -> None:
        """BundleError, SourceError and FormatError as for `open_bundle`; nothing large is read."""
        self.manifest_of_bundle = open_bundle(path).manifest
        self._places: dict[Digest, Path] = {}
        layers = [self._layer(*each) for each in (_directory(path) if path.is_dir() else _archive(path))]
        self._raw = _manifest(self.manifest_of_bundle, layers)
        if len(self._raw) > MAX_MANIFEST:
            raise FormatError(
                f"bundle {str(path)!r} has {len(layers)} files, more than one artifact can list",
                hint="publish its archive instead: bundle: {archive: true}",
            )

    def resolve(self) -> Descriptor:
        """The descriptor of the artifact's manifest."""
        return Descriptor(media_type=media_types.OCI_MANIFEST, digest=Digest.of(self._raw), size=len(self._raw))

    def manifest(self, descriptor: Descriptor) -> bytes:
        """The manifest's bytes."""
        if not descriptor.digest.matches(self._raw):
            raise SourceError(f"the artifact has no manifest {descriptor.digest}")
        return self._raw

    def read(self, descriptor: Descriptor, offset: int) -> Iterator[bytes]:
        """The bytes of a file."""
        place = self._places.get(descriptor.digest)
        if place is None:
            yield NOTHING[offset:]
            return
        with place.open("rb", buffering=0) as file:
            file.seek(offset)
            while chunk := file.read(CHUNK):
                yield chunk

    def _layer(self, name: str, path: Path, digest: Digest) -> Descriptor:
        stat = path.stat()
        self._places[digest] = path
        annotations = {TITLE: name, **({EXECUTABLE: "true"} if stat.st_mode & 0o100 else {})}
        return Descriptor(media_type=FILE, digest=digest, size=stat.st_size, annotations=annotations)


def _directory(root: Path) -> Iterator[tuple[str, Path, Digest]]:
    digests = parse_sums((root / SUMS).read_bytes(), SUMS)
    missing = [f"missing: {name}" for name in digests if not inside(root, name).is_file()]
    if missing:
        raise BundleError(f"bundle {root.name!r} can't be published", missing, hint="run `doit verify`")
    for name in (SUMS, SIGNATURE):
        if (root / name).is_file():
            yield name, root / name, Digest.of((root / name).read_bytes())
    for name, digest in digests.items():
        yield name, inside(root, name), digest


def _archive(path: Path) -> Iterator[tuple[str, Path, Digest]]:
    files = present_archive(path)
    sums = sums_path(files.archive)
    if sums.is_file():
        yield sums.name, sums, Digest.of(sums.read_bytes())
    for name in files.names:
        found = files.digests.get(name) or Digest(algorithm="sha256", hex=hash_file(files.path(name), _ANY))
        yield name, files.path(name), found


def _manifest(bundle: BundleManifest, layers: Sequence[Descriptor]) -> bytes:
    about: Mapping[str, str] = {
        TITLE: f"{bundle.name}-{bundle.version}",
        "org.opencontainers.image.version": bundle.version,
        "org.opencontainers.image.created": time_text(bundle.created),
        "vnd.airgap.bundle.id": str(bundle.id),
    }
    return artifact_manifest(ARTIFACT, layers, about)


def artifact_manifest(
    kind: str, layers: Sequence[Descriptor], annotations: Mapping[str, str], *, subject: Descriptor | None = None
) -> bytes:
    """The manifest of an artifact of this type, whose config is NOTHING; with a `subject`, it refers to that."""
    empty = Descriptor(media_type=media_types.OCI_EMPTY, digest=Digest.of(NOTHING), size=len(NOTHING))
    data: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "artifactType": kind,
        "config": empty.to_dict(),
        "layers": [layer.to_dict() for layer in layers],
        **({"subject": subject.to_dict()} if subject else {}),
        "annotations": annotations,
    }
    return strict_json.canonical(data, escaped=True)
