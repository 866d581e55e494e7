"""Images made at install: what each is made of, and what was made, kept beside doit's state."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bundle.errors import FormatError, storage_errors
from bundle.formats import strict_json
from bundle.formats.x509 import Authority, parse_authorities
from bundle.images import layout
from bundle.images.derived import RECIPE, DerivedImage, DerivedSource, derive_image
from bundle.metadata.manifest import BundleManifest, ImageEntry
from bundle.meter import Meter
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.storage.files import write_bytes
from bundle.transfer.image import ImageSource
from schema.site.lookup import Facts
from schema.site.stand_ins.rehearsal import AUTHORITY, PLACEHOLDER
from schema.spec.contents import DerivedImageSpec
from schema.spec.spec import Spec
from schema.syntax import template
from tasks.runtime.options import Options

_MAX_CERTIFICATES = 1024 * 1024  # bytes
_ROOT = "image.json"
_BEGIN = "-----BEGIN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """Where the certificates of derived images come from: a file that the spec names, or what the site knows.

    `directory` is the spec's, `beside` that of the site file; `facts` are asked for when a site's own are wanted. In a
    `rehearsal` an authority of nobody stands for those that are not known yet.
    """

    directory: Path
    beside: Path
    facts: Callable[[], Facts]
    rehearsal: bool

    def __call__(self, image: DerivedImageSpec) -> str:
        """The PEM text, or what is there instead of it; a StorageError for a file that can't be read."""
        subject = f"image {image.name!r}: 'add_ca'"
        if carried := image.carried_file(self.directory):
            return _read(carried, subject)
        pieces = template.parse(image.add_ca)
        given = template.in_text(template.render(pieces, self.facts()))
        if self.rehearsal and given == PLACEHOLDER:
            return AUTHORITY
        is_text = _BEGIN in given or any(name.space == "file" for name in template.names(pieces))
        return given if is_text else _read(self.beside / given, subject)


class Derivation:
    """One derived image of this installation. It is made when it is first asked for, and then known.

    `base` is the bundle's image that it is made of, `source` reads that one; `certificates` gives what to add.
    """

    def __init__(
        self,
        image: DerivedImageSpec,
        *,
        base: ImageEntry,
        source: Callable[[ImageEntry], ImageSource],
        certificates: Certificates,
        place: Path,
        meter: Meter,
    ) -> None:
        self.image = image
        self.base = base
        self._source = source
        self._certificates = certificates
        self._place = place
        self._meter = meter
        self._guard = threading.Lock()
        self._made: DerivedImage | None = None

    @property
    def subject(self) -> str:
        """How messages name it."""
        return f"image {self.image.name!r} (made of {self.image.base!r})"

    @property
    def authorities(self) -> tuple[Authority, ...]:
        """What it is to trust besides what its base does; a FormatError says what is wrong with the certificates."""
        try:
            return parse_authorities(self._certificates(self.image))
        except FormatError as err:
            raise FormatError(f"{self.subject}: 'add_ca': {err.what}", hint=err.hint) from err

    @property
    def inputs(self) -> Mapping[str, str | int]:
        """All that it follows from."""
        fingerprints = ",".join(str(each.digest) for each in self.authorities)
        return {"base": str(self.base.digest), "add_ca": str(Digest.of(fingerprints.encode())), "recipe": RECIPE}

    @property
    def place(self) -> Path:
        """Where it is kept: a directory that is named for what it follows from."""
        return self._place / Digest.of(json.dumps(self.inputs, sort_keys=True).encode()).hex[:32]

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that it is kept in; none while it is not."""
        index = self.place / _ROOT
        return (index, *sorted(self.place.glob("blobs/*/*"))) if index.is_file() else ()

    @property
    def is_known(self) -> bool:
        """Whether it was made, in this run or an earlier one."""
        return self._made is not None or self._kept() is not None

    def made(self) -> DerivedImage:
        """The image: as kept, or made now, which reads its base from one end to the other."""
        with self._guard:
            if self._made is None:
                self._made = self._kept() or derive_image(
                    self._source(self.base), self.base.root, self.authorities, subject=self.subject, meter=self._meter
                )
            return self._made

    def keep(self) -> None:
        """Put it on the disk, the entry of its root last: what is found there is whole."""
        made = self.made()
        with storage_errors(f"keep {self.subject}", self.place):
            for digest, data in made.blobs.items():
                write_bytes(self.place / layout.blob_name(digest), data, mode=0o600)
            kept = {"root": made.root.to_dict(), "blobs": [str(each) for each in made.blobs], "notes": made.notes}
            write_bytes(self.place / _ROOT, json.dumps(kept).encode(), mode=0o600)

    def digest(self) -> Digest:
        """Its digest."""
        return self.made().root.digest

    @property
    def entry(self) -> ImageEntry:
        """It as one of a bundle's images: those of its parts that its base has are counted with it."""
        made = self.made()
        return ImageEntry(
            name=self.image.name,
            source=f"made of {self.image.base}",
            reference=self.image.target,
            digest=made.root.digest,
            media_type=made.root.media_type,
            size=self.base.size + sum(len(data) for data in made.blobs.values()),
            platform=self.base.platform,
        )

    def source(self) -> ImageSource:
        """It as a source, its base's parts straight from the bundle."""
        return DerivedSource(self.made(), self._source(self.base))

    def _kept(self) -> DerivedImage | None:
        """What an earlier run kept; None where there is nothing whole."""
        try:
            kept = strict_json.loads((self.place / _ROOT).read_bytes())
            digests = [Digest.parse(each) for each in kept["blobs"]]
            blobs = {each: (self.place / layout.blob_name(each)).read_bytes() for each in digests}
            root = Descriptor.from_dict(kept["root"])
        except (OSError, ValueError, KeyError, FormatError):
            return None
        whole = root.digest in blobs and all(digest.matches(data) for digest, data in blobs.items())
        return DerivedImage(root=root, blobs=blobs, notes=tuple(kept["notes"])) if whole else None


def _read(path: Path, subject: str) -> str:
    with storage_errors(f"read {subject}", path), path.open("rb") as file:
        data = file.read(_MAX_CERTIFICATES + 1)
    if len(data) > _MAX_CERTIFICATES:
        raise FormatError(f"{subject}: {str(path)!r} has more than {_MAX_CERTIFICATES} bytes")
    return data.decode("latin-1")


def derivations(
    spec: Spec,
    manifest: BundleManifest,
    source: Callable[[ImageEntry], ImageSource],
    options: Options,
    *,
    place: Path,
    facts: Callable[[], Facts],
    meter: Meter,
) -> Mapping[str, Derivation]:
    """The images that are made of a bundle's, by name, kept at `place`; a FormatError when it lacks the base of one."""
    entries = {entry.name: entry for entry in manifest.images}
    if lacking := [image.base for image in spec.derived if image.base not in entries]:
        raise FormatError(f"the bundle holds no image {lacking[0]!r}", hint="make the bundle again")
    certificates = Certificates(
        directory=spec.path.parent,
        beside=options.site.parent if options.site else Path.cwd(),
        facts=facts,
        rehearsal=bool(options.rehearsal),
    )
    return {
        image.name: Derivation(
            image, base=entries[image.base], source=source, certificates=certificates, place=place, meter=meter
        )
        for image in spec.derived
    }
