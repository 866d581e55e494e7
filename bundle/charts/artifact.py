"""Packaged charts as OCI artifacts, as `helm push` makes them (Helm's "OCI Artifact Manifest").

Without the time of pushing, which Helm adds: the same chart has the same digest wherever it is pushed.
"""

from collections.abc import Iterable, Iterator, Mapping

from bundle.errors import SourceError
from bundle.formats import strict_json
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest


class ChartSource:
    """One chart in memory as an ImageSource: its config, its .tgz, and its .prov file where there is one."""

    def __init__(self, data: bytes, *, metadata: Mapping[str, object], provenance: bytes | None, subject: str) -> None:
        """`metadata` is what Chart.yaml says, at least `name` and `version`."""
        self._subject = subject
        self._content: dict[Digest, bytes] = {}
        layers = [self._add(media_types.HELM_CHART, data)]
        if provenance is not None:
            layers.append(self._add(media_types.HELM_PROVENANCE, provenance))
        manifest = {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_MANIFEST,
            "config": self._add(media_types.HELM_CONFIG, strict_json.canonical(metadata)),
            "layers": layers,
            "annotations": {
                "org.opencontainers.image.title": str(metadata["name"]),
                "org.opencontainers.image.version": str(metadata["version"]),
            },
        }
        self._root = Descriptor.from_dict(self._add(media_types.OCI_MANIFEST, strict_json.canonical(manifest)))

    def resolve(self) -> Descriptor:
        """The descriptor of the artifact's manifest."""
        return self._root

    def manifest(self, descriptor: Descriptor) -> bytes:
        """The manifest's bytes."""
        return self._get(descriptor)

    def read(self, descriptor: Descriptor, offset: int) -> Iterator[bytes]:
        """The bytes of the config, the chart or its provenance."""
        yield self._get(descriptor)[offset:]

    def _add(self, media_type: str, data: bytes) -> dict[str, object]:
        digest = Digest.of(data)
        self._content[digest] = data
        return Descriptor(media_type=media_type, digest=digest, size=len(data)).to_dict()

    def _get(self, descriptor: Descriptor) -> bytes:
        if descriptor.digest not in self._content:
            raise SourceError(f"{self._subject} has no {descriptor.digest}")
        return self._content[descriptor.digest]


def chart_tag(version: str) -> str:
    """The tag of a chart's version: tags have no plus sign, for which Helm writes an underscore."""
    return version.replace("+", "_")


def placed_names(charts: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    """What each of several charts is called in its file's name and in a registry, by the name of its entry.

    A chart is given by its entry's name, its own name (as Chart.yaml has it) and its version. It is called by its own
    name; by its entry's where one before it has the same name and version, as those of two makers may.
    """
    placed: dict[str, str] = {}
    taken: set[tuple[str, str]] = set()
    for entry, own, version in charts:
        placed[entry] = entry if (own, version) in taken else own
        taken.add((placed[entry], version))
    return placed
