"""RPM packages, told by the headers that its database holds (rpm's docs/manual/format_v4.md, "Header")."""

import struct
from collections.abc import Iterator, Mapping
from typing import Any

from bundle.errors import FormatError
from bundle.sbom._licences import named
from bundle.sbom.package import Package
from bundle.sbom.zz_system import System

_INTRO = struct.Struct(">II")  # number of index entries, bytes of data
_ENTRY = struct.Struct(">IIII")  # tag, type, offset, count
_MAX_ENTRIES = 65_535
_INT32, _STRINGS = 4, frozenset({6, 8, 9})  # STRING, STRING_ARRAY and I18NSTRING: the first of them counts
_TAGS: Mapping[int, str] = {
    1000: "name",
    1001: "version",
    1002: "release",
    1003: "epoch",
    1014: "licence",
    1022: "arch",
    1044: "source",
    5096: "module",
}
_KEYS = "gpg-pubkey"  # rpm keeps the keys that it trusts as if they were packages


def read_headers(blobs: Iterator[bytes], place: str, system: System) -> Iterator[Package]:
    """The packages of these headers. FormatError for one that is damaged."""
    for blob in blobs:
        tags = read_header(blob)
        name, version = tags.get("name"), tags.get("version")
        if not name or not version:
            raise FormatError("a package's header has no name or no version")
        if name != _KEYS:
            release = tags.get("release", "")
            yield Package(
                type="rpm",
                namespace=system.vendor(""),
                name=name,
                version=f"{version}-{release}" if release else version,
                qualifiers={
                    "arch": tags.get("arch", ""),
                    "distro": system.distro,
                    "epoch": tags.get("epoch", ""),
                    "rpmmod": tags.get("module", ""),
                    "upstream": tags.get("source", ""),
                },
                licences=named(tags.get("licence", "")),
                places=(place,),
            )


def read_header(blob: bytes) -> dict[str, str]:
    """The tags that matter here, as text. FormatError for what is no header."""
    try:
        count, size = _INTRO.unpack_from(blob)
        start = _INTRO.size + count * _ENTRY.size
        if count > _MAX_ENTRIES or start + size > len(blob):
            raise FormatError("a package's header is cut off")
        data = blob[start : start + size]
        found = {}
        for position in range(count):
            tag, kind, offset, _ = _ENTRY.unpack_from(blob, _INTRO.size + position * _ENTRY.size)
            if tag in _TAGS:
                found[_TAGS[tag]] = _value(data, kind, offset)
        return found
    except struct.error as err:
        raise FormatError("a package's header is cut off") from err


def _value(data: bytes, kind: int, offset: int) -> str:
    if kind == _INT32:
        number: tuple[Any, ...] = struct.unpack_from(">I", data, offset)
        return str(number[0])
    end = data.find(b"\0", offset)
    if kind not in _STRINGS or end < 0 or offset > len(data):
        raise FormatError("a package's header is damaged")
    return data[offset:end].decode(errors="replace")
