"""Charts from registries, HTTP repositories, directories and packages, checked against what was asked for."""

import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from bundle.charts.artifact import chart_tag
from bundle.charts.package import MAX_UNPACKED, package_chart
from bundle.errors import FormatError, IntegrityError, LockError, RegistryError, SourceError, storage_errors
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.locations import ChartLocation, LocalChart, OciChart
from bundle.oci.reference import Reference
from bundle.transfer.image import ImageSource, Manifest
from clients.charts._index import MAX_INDEX, ChartIndex, IndexEntry
from clients.charts.metadata import ChartMetadata, read_metadata
from clients.download import access_to, next_steps, shown
from clients.registry.repository import Registries

_CHART_LAYERS = frozenset(
    {media_types.HELM_CHART, "application/tar+gzip"}
)  # the second is that of Helm's experimental time
_MAX_PROVENANCE = 1024 * 1024  # bytes
_PROVENANCE_START = b"-----BEGIN PGP SIGNED MESSAGE-----"
_NO_INDEX = {404: "check the repository's address: index.yaml is looked for right below it"}
_NO_PACKAGE = {404: "the repository's index names a file that is not there: ask its makers"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedChart:
    """A packaged chart: its .tgz, the digest of that, and the .prov file where there is one (carried, not verified).

    `name` is its own. `notes` are sentences that are worth a warning.
    """

    name: str
    version: str
    data: bytes
    digest: Digest
    provenance: bytes | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """`name` is what it is looked up by; `own` what Chart.yaml must say, empty where that is free."""

    name: str
    own: str
    version: str
    subject: str


class Charts:
    """Fetches charts; asks each repository for its index once. Safe for several threads."""

    def __init__(self, registries: Registries) -> None:
        self._registries = registries
        self._indexes: dict[str, ChartIndex] = {}
        self._guards: dict[str, threading.Lock] = defaultdict(threading.Lock)

    def fetch(
        self, location: ChartLocation, *, name: str, version: str, chart: str = "", expected: Digest | None = None
    ) -> FetchedChart:
        """The chart that the spec calls `name`, of this exact version; an empty version takes what a local chart says.

        Its own name is `chart` where that is given, else what a path or a registry has, and `name` in a repository.
        Raises LockError when the package is not the `expected` one that the lock pins, SourceError for what can't be
        had, FormatError for what is no chart or another one. All quote the chart's name.
        """
        own = chart or ("" if isinstance(location, OciChart | LocalChart) else name)
        wanted = _Wanted(name=chart or name, own=own, version=version, subject=f"chart {name!r}")
        notes: list[str] = []
        if isinstance(location, OciChart):
            data, provenance = self._from_registry(location.reference, wanted)
        elif isinstance(location, LocalChart):
            data, provenance = _from_path(location.path, wanted, notes)
        else:
            data, provenance = self._from_repository(location.url, wanted)
        digest = Digest.of(data)
        if expected and digest != expected:
            raise LockError(
                f"{wanted.subject}: {location} now gives {digest}, the lock pins {expected}",
                hint="find out why it changed; if the change is wanted, run `doit lock`",
            )
        found = read_metadata(data, subject=wanted.subject)
        _check(found.metadata, wanted)
        if found.missing:
            _refuse_incomplete(found.missing, location, wanted)
        return FetchedChart(
            name=found.metadata.name,
            version=found.metadata.version,
            data=data,
            digest=digest,
            provenance=provenance,
            notes=(*notes, *found.drift),
        )

    def newest(self, url: str, *, name: str) -> str:
        """The newest version of a chart in an HTTP repository."""
        subject = f"chart {name!r}"
        return self._index(url, subject).newest(name, subject=subject, source=shown(url))

    def listed(self, url: str, *, name: str) -> tuple[IndexEntry, ...]:
        """All versions of a chart that an HTTP repository lists, in its order; a SourceError without the chart."""
        subject = f"chart {name!r}"
        index = self._index(url, subject)
        return index.entries.get(name) or (index.find(name, "", subject=subject, source=shown(url)),)

    def _from_registry(self, repository: Reference, wanted: _Wanted) -> tuple[bytes, bytes | None]:
        """A chart as Helm pushes it (Helm's OCI support, HIP 6): one layer is the package, another may be the .prov."""
        tagged = Reference.parse(f"{repository.repository}:{chart_tag(wanted.version)}")
        source = self._registries.repository(tagged, subject=wanted.subject)
        try:
            descriptor = source.resolve()
            manifest = Manifest.parse(source.manifest(descriptor), media_type=descriptor.media_type)
        except RegistryError as err:
            if err.status == 404 and tagged.name != wanted.name:
                err.hint = f"the path ends with the chart's name: perhaps oci://{tagged.repository}/{wanted.name}"
            raise
        kind = "an image index" if manifest.is_index else manifest.config.media_type
        if kind != media_types.HELM_CONFIG:
            raise SourceError(
                f"{wanted.subject}: oci://{tagged} is no Helm chart: it is {kind}, expected {media_types.HELM_CONFIG}",
                hint="check the path: this one holds something else, perhaps an image",
            )
        package = [layer for layer in manifest.layers if layer.media_type in _CHART_LAYERS]
        if len(package) != 1:
            raise SourceError(f"{wanted.subject}: oci://{tagged} has {len(package)} chart layers, expected one")
        signed = [layer for layer in manifest.layers if layer.media_type == media_types.HELM_PROVENANCE]
        provenance = self._read_blob(source, signed[0], _MAX_PROVENANCE, wanted) if signed else None
        return self._read_blob(source, package[0], MAX_UNPACKED, wanted), provenance

    def _read_blob(self, source: ImageSource, layer: Descriptor, limit: int, wanted: _Wanted) -> bytes:
        if layer.size > limit:
            raise SourceError(f"{wanted.subject}: its layer has {layer.size} bytes, at most {limit} are read")
        data = b"".join(source.read(layer, 0))
        self._moved(wanted.subject, len(data))
        if len(data) != layer.size or not layer.digest.matches(data):
            raise IntegrityError(
                f"{wanted.subject}: a layer came with {len(data)} bytes and {Digest.of(data)}, "
                f"expected {layer.size} bytes and {layer.digest}",
                hint="the registry or something between it and here changes bytes; run it again",
            )
        return data

    def _from_repository(self, url: str, wanted: _Wanted) -> tuple[bytes, bytes | None]:
        index = self._index(url, wanted.subject)
        entry = index.find(wanted.name, wanted.version, subject=wanted.subject, source=shown(url))
        if not entry.urls:
            raise SourceError(f"{wanted.subject}: the repository {shown(url)} gives no address for {wanted.version}")
        address = _absolute(url, entry.urls[0])
        if address.startswith("oci://"):
            data, provenance = self._from_registry(Reference.parse(address.removeprefix("oci://")), wanted)
        else:
            data = self._get(address, MAX_UNPACKED, wanted.subject, _NO_PACKAGE)
            provenance = self._provenance(address, wanted)
        told = entry.digest.removeprefix("sha256:").lower()
        if told and told != Digest.of(data).hex:
            raise IntegrityError(
                f"{wanted.subject}: {shown(address)} has sha256 {Digest.of(data).hex}, the index says {told}",
                hint="the repository is damaged or was changed; ask its makers",
            )
        return data, provenance

    def _index(self, url: str, subject: str) -> ChartIndex:
        with self._guards[url]:
            if url not in self._indexes:
                raw = self._get(_absolute(url, "index.yaml"), MAX_INDEX, subject, _NO_INDEX)
                self._indexes[url] = ChartIndex.parse(raw, subject=f"{subject}: {shown(url)}")
            return self._indexes[url]

    def _get(self, address: str, limit: int, subject: str, hints: Mapping[int, str]) -> bytes:
        with next_steps(address, hints):
            access = access_to(address, self._registries, subject=subject)
            body = self._registries.transport.get(address, subject=subject, limit=limit, auth=access).body
        self._moved(subject, len(body))
        return body

    def _moved(self, subject: str, size: int) -> None:
        self._registries.meter.expect(subject, size)
        self._registries.meter.advance(subject, size)

    def _provenance(self, address: str, wanted: _Wanted) -> bytes | None:
        """The .prov file beside a package. Object stores that hide their listing answer 403 for what is not there."""
        parts = urlsplit(address)
        try:
            body = self._get(parts._replace(path=f"{parts.path}.prov").geturl(), _MAX_PROVENANCE, wanted.subject, {})
        except RegistryError as err:
            if err.status not in (403, 404, 410):
                raise
            return None
        return body if body.startswith(_PROVENANCE_START) else None


def _from_path(path: Path, wanted: _Wanted, notes: list[str]) -> tuple[bytes, bytes | None]:
    """A packaged chart, or a directory, which is packaged here; what is worth a warning goes into `notes`."""
    with storage_errors(f"read {wanted.subject}", path):
        if path.is_file():
            signed = path.with_name(f"{path.name}.prov")
            return path.read_bytes(), signed.read_bytes() if signed.is_file() else None
        if not path.is_dir():
            raise SourceError(
                f"{wanted.subject}: {path} does not exist", hint="correct `source` in the spec, or put the chart there"
            )
        if not (path / "Chart.yaml").is_file():
            raise SourceError(
                f"{wanted.subject}: {path} holds no Chart.yaml", hint="name the directory that Chart.yaml is in"
            )
        metadata = ChartMetadata.parse((path / "Chart.yaml").read_bytes(), subject=f"{wanted.subject}: {path}")
    _check(metadata, wanted)
    return package_chart(path, name=metadata.name, subject=wanted.subject, say=notes.append), None


def _check(metadata: ChartMetadata, wanted: _Wanted) -> None:
    """Chart.yaml must say what the spec says."""
    if wanted.own not in ("", metadata.name):
        raise FormatError(
            f"{wanted.subject}: Chart.yaml says name {metadata.name!r}, expected {wanted.own!r}",
            hint=f"write chart: {metadata.name} beside `name` in the spec, or correct the source",
        )
    if wanted.version not in ("", metadata.version):
        raise FormatError(
            f"{wanted.subject}: Chart.yaml says version {metadata.version!r}, expected {wanted.version!r}",
            hint=f"write version: {metadata.version!r} in the spec, or correct the source",
        )


def _refuse_incomplete(missing: tuple[str, ...], location: ChartLocation, wanted: _Wanted) -> None:
    if isinstance(location, LocalChart) and location.path.is_dir():
        hint = f"run `helm dependency build {location.path}`"
    else:
        hint = "it was packaged without: unpack it, run `helm dependency build` there, and name that directory"
    raise SourceError(f"{wanted.subject}: charts/ is missing the dependencies {', '.join(missing)}", hint=hint)


def _absolute(repository: str, address: str) -> str:
    """An address of the index as Helm reads it: below the repository, whose query (a token, say) goes along."""
    parts = urlsplit(repository)
    resolved = urljoin(parts._replace(path=f"{parts.path.rstrip('/')}/").geturl(), address)
    below = not urlsplit(address).netloc and not urlsplit(address).scheme
    return urlsplit(resolved)._replace(query=parts.query).geturl() if below and parts.query else resolved
