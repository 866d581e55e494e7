"""What is attached to a published bundle, to be seen in the registry: report, SBOMs, the rehearsal's result."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.archive.reader import OpenedBundle
from bundle.errors import FormatError, storage_errors
from bundle.formats import strict_json
from bundle.formats.fields import time_text
from bundle.metadata.names import REPORT, REPORT_DATA
from bundle.storage.files import make_directories, write_bytes

if TYPE_CHECKING:
    from clients.registry.artifacts import Attached

REPORT_KIND = "application/vnd.airgap.report.v1"
REHEARSAL_KIND = "application/vnd.airgap.rehearsal.v1+json"
SBOM_KIND = "application/vnd.cyclonedx+json"
_TYPES = {".html": "text/html", ".json": "application/json"}
_SBOM = ".cdx.json"


def attachable(bundle: OpenedBundle, rehearsal: Path, place: Path) -> Mapping[str, "Attached"]:
    """The artifacts by what people call them; their files are copied out of the bundle, checked, to `place`.

    `rehearsal` is the result that is kept of the last rehearsal; it counts if it was one of these very files.
    """
    from clients.registry.artifacts import Attached

    about = {
        "org.opencontainers.image.title": bundle.manifest.stem,
        "org.opencontainers.image.created": time_text(bundle.manifest.created),
    }
    result = _result(bundle, rehearsal)
    found = {}
    for title, kind, files in (
        ("report", REPORT_KIND, _files(bundle, place, [name for name in (REPORT, REPORT_DATA) if bundle.listed(name)])),
        ("SBOMs", SBOM_KIND, _files(bundle, place, [name for name in bundle.names() if name.endswith(_SBOM)])),
        ("result of the rehearsal", REHEARSAL_KIND, _kept(place, rehearsal.name, result)),
    ):
        if listed := dict(files):
            found[title] = Attached(kind=kind, files=listed, annotations=about)
    return found


def _files(bundle: OpenedBundle, place: Path, names: list[str]) -> Iterator[tuple[str, tuple[Path, str]]]:
    for name in names:
        copy = place / name
        make_directories(copy.parent)
        bundle.extract(name, copy)
        yield name, (copy, SBOM_KIND if name.endswith(_SBOM) else _TYPES[copy.suffix])


def _result(bundle: OpenedBundle, rehearsal: Path) -> bytes:
    """The result as it is kept; empty where there is none of these files."""
    if not rehearsal.is_file():
        return b""
    with storage_errors("read the last rehearsal's result", rehearsal):
        raw = rehearsal.read_bytes()
    try:
        data = strict_json.decode(raw, "result of the rehearsal")
    except FormatError:
        return b""
    of = data.get("bundle") if isinstance(data, dict) else None
    return raw if isinstance(of, dict) and of.get("sums") == str(bundle.sums_digest) else b""


def _kept(place: Path, name: str, raw: bytes) -> Iterator[tuple[str, tuple[Path, str]]]:
    if raw:
        write_bytes(place / name, raw)
        yield name, (place / name, "application/json")
