"""Debian's package database (dpkg(1), deb-control(5)): `status`, and `status.d` of images without dpkg."""

from collections.abc import Callable, Iterator, Mapping

from bundle.sbom.package import Package, System

STATUS = "var/lib/dpkg/status"
STATUS_DIRECTORY = "var/lib/dpkg/status.d/"
COPYRIGHTS = "usr/share/doc/"
_ABSENT = frozenset({"config-files", "not-installed"})  # what was removed and left its configuration, or nothing
_FIELDS = frozenset({"Package", "Status", "Version", "Architecture", "Source"})

Licences = Callable[[str], tuple[str, ...]]
"""The licences of a package by its name."""


def read_status(data: bytes, place: str, system: System, licences: Licences) -> Iterator[Package]:
    """The packages of which files are there, whole or half installed."""
    for stanza in _stanzas(data):
        name, version = stanza.get("Package", ""), stanza.get("Version", "")
        state = stanza.get("Status", "").rpartition(" ")[2]  # absent in status.d: what is there is installed
        if not name or not version or state in _ABSENT:
            continue
        yield Package(
            type="deb",
            namespace=system.vendor("debian"),
            name=name,
            version=version,
            qualifiers={
                "arch": stanza.get("Architecture", ""),
                "distro": system.distro,
                "upstream": _upstream(stanza.get("Source", ""), name, version),
            },
            licences=licences(name),
            places=(place,),
        )


def copyright_path(name: str) -> str:
    """Where a package's copyright file lies."""
    return f"{COPYRIGHTS}{name}/copyright"


def _stanzas(data: bytes) -> Iterator[Mapping[str, str]]:
    stanza: dict[str, str] = {}
    for line in data.decode(errors="replace").split("\n"):
        if not line.strip():
            if stanza:
                yield stanza
            stanza = {}
            continue
        name, _, value = line.partition(":")
        if name in _FIELDS:
            stanza[name] = value.strip()
    if stanza:
        yield stanza


def _upstream(source: str, name: str, version: str) -> str:
    """The source package where its name or version is another: `Source: gcc-12 (12.2.0-14)`."""
    base, _, told = source.partition("(")
    base, told = base.strip() or name, told.rstrip(") ") or version
    if told != version:
        return f"{base}@{told}"
    return base if base != name else ""
