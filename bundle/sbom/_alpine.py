"""Alpine's package database (apk-tools' `installed`): a letter and a value on each line, a blank line after each."""

from collections.abc import Iterator

from bundle.sbom._licences import named
from bundle.sbom.package import Package, System

PLACES = ("lib/apk/db/installed", "usr/lib/apk/db/installed")


def read_installed(data: bytes, place: str, system: System) -> Iterator[Package]:
    """The installed packages."""
    for block in data.decode(errors="replace").split("\n\n"):
        fields: dict[str, str] = {}
        for line in block.split("\n"):
            letter, colon, value = line.partition(":")
            if colon and letter not in fields:
                fields[letter] = value.strip()
        name, version, origin = fields.get("P", ""), fields.get("V", ""), fields.get("o", "")
        if name and version:
            yield Package(
                type="apk",
                namespace=system.vendor("alpine"),
                name=name,
                version=version,
                qualifiers={
                    "arch": fields.get("A", ""),
                    "distro": system.distro,
                    "upstream": origin if origin != name else "",
                },
                licences=named(fields.get("L", "")),
                places=(place,),
            )
