"""RPM packages, told by the headers that its database holds (rpm's docs/manual/format_v4.md, "Header")."""

import sqlite3
import struct
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import IO, Any

from bundle.errors import FormatError
from bundle.sbom._licences import named
from bundle.sbom.package import Package, System

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


DIRECTORIES = ("var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm")
SQLITE, SQLITE_WAL, NDB, BERKELEY = "rpmdb.sqlite", "rpmdb.sqlite-wal", "Packages.db", "Packages"
_MAX_HEADER = 64 * 1024 * 1024  # bytes; rpm itself refuses larger ones
_MAX_STEPS = 50_000  # thousands of SQLite's instructions: a real database takes a few

_NDB_HEADER = struct.Struct("<4sIII")  # magic, version, generation, pages of slots
_NDB_SLOT = struct.Struct("<4sIII")  # magic, package (0: free), first block, blocks
_NDB_BLOB = struct.Struct("<4sIII")  # magic, package, generation, bytes
_NDB_SLOTS_AT, _NDB_PAGE, _NDB_BLOCK = 32, 4096, 16

_HASH_MAGIC = 0x061561
_HASH_PAGES = frozenset({2, 13})  # P_HASH_UNSORTED, P_HASH
_OVERFLOW_PAGE = 7
_PAGE_HEAD = 26  # bytes
_ITEM_INLINE, _ITEM_OFF_PAGE = 1, 3
_PAGE_SIZES = frozenset(512 << shift for shift in range(8))


def read_database(path: Path) -> Iterator[bytes]:
    """The packages' headers in a database, whose kind its name tells. FormatError for one that can't be read.

    A SQLite database is taken with its write-ahead log, if one lies beside it; its directory is written to then.
    """
    if path.name == SQLITE:
        return _read_sqlite(path)
    return _read_ndb(path) if path.name == NDB else _read_berkeley(path)


def _read_sqlite(path: Path) -> Iterator[bytes]:
    try:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_HEADER)
            steps = iter(range(_MAX_STEPS))
            connection.set_progress_handler(lambda: next(steps, None) is None, 1000)
            kind = connection.execute("SELECT type FROM sqlite_master WHERE name = 'Packages'").fetchone()
            if kind != ("table",):
                raise FormatError("the database has no table of packages")
            for (blob,) in connection.execute("SELECT blob FROM Packages ORDER BY hnum"):
                if not isinstance(blob, bytes):
                    raise FormatError("the database has a package without a header")
                yield blob
    except sqlite3.Error as err:
        raise FormatError(f"SQLite says: {err}") from err


def _read_ndb(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        magic, version, _, pages = _unpack(_NDB_HEADER, _at(file, 0, _NDB_HEADER.size))
        if magic != b"RpmP" or version != 0:
            raise FormatError("this is no ndb database of version 0")
        size = left = path.stat().st_size
        for offset in range(_NDB_SLOTS_AT, min(pages * _NDB_PAGE, size), _NDB_SLOT.size):
            magic, package, first, _ = _unpack(_NDB_SLOT, _at(file, offset, _NDB_SLOT.size))
            if magic != b"Slot":
                raise FormatError("the ndb database has a damaged slot")
            if package:
                place = first * _NDB_BLOCK
                magic, owner, _, length = _unpack(_NDB_BLOB, _at(file, place, _NDB_BLOB.size))
                left -= length
                if magic != b"BlbS" or owner != package or length > _MAX_HEADER or left < 0:
                    raise FormatError("the ndb database has a damaged header")
                yield _at(file, place + _NDB_BLOB.size, length)


def _read_berkeley(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        pages = _Pages(file, path.stat().st_size)
        for number in range(1, pages.count):
            page = pages.read(number)
            if page[25] in _HASH_PAGES:
                yield from pages.values(page)


class _Pages:
    """The pages of a Berkeley DB of type hash, in whatever byte order it was written."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        meta = _at(file, 0, 72)
        orders = [order for order in "<>" if struct.unpack_from(f"{order}I", meta, 12)[0] == _HASH_MAGIC]
        if not orders:
            raise FormatError("this is no Berkeley DB of type hash")
        self._file = file
        self._order = orders[0]
        self._size = self._number("I", meta, 20)
        if self._size not in _PAGE_SIZES or meta[24]:
            raise FormatError("the Berkeley DB is damaged, or encrypted")
        self.count = size // self._size
        self._chained: set[int] = set()

    def read(self, number: int) -> bytes:
        """One page."""
        return _at(self._file, number * self._size, self._size)

    def values(self, page: bytes) -> Iterator[bytes]:
        """The values of a page of keys and values; the one of key 0 only counts the packages."""
        entries = self._number("H", page, 20)
        if _PAGE_HEAD + 2 * entries > len(page):
            raise FormatError("the Berkeley DB has a damaged page")
        places = [self._number("H", page, _PAGE_HEAD + 2 * index) for index in range(entries)]
        ends = [self._size, *places]
        for index in range(1, entries, 2):
            key = page[places[index - 1] + 1 : ends[index - 1]]
            if key.strip(b"\0"):
                yield self._value(page[places[index] : ends[index]])

    def _value(self, item: bytes) -> bytes:
        if item[:1] == bytes([_ITEM_INLINE]):
            return item[1:]
        if item[:1] != bytes([_ITEM_OFF_PAGE]) or len(item) < 12:
            raise FormatError("the Berkeley DB has a damaged item")
        number, length = self._number("I", item, 4), self._number("I", item, 8)
        if length > _MAX_HEADER:
            raise FormatError("the Berkeley DB has a header that is too large")
        value = bytearray()
        while len(value) < length:
            page = self.read(number)
            used = self._number("H", page, 22)
            if number in self._chained:
                raise FormatError("the Berkeley DB has two headers on one page")
            self._chained.add(number)
            if page[25] != _OVERFLOW_PAGE or used != min(self._size - _PAGE_HEAD, length - len(value)):
                raise FormatError("the Berkeley DB has a damaged chain of pages")
            value += page[_PAGE_HEAD : _PAGE_HEAD + used]
            number = self._number("I", page, 16)
        return bytes(value)

    def _number(self, kind: str, data: bytes, offset: int) -> int:
        try:
            return int(struct.unpack_from(f"{self._order}{kind}", data, offset)[0])
        except struct.error as err:
            raise FormatError("the Berkeley DB is cut off") from err


def _at(file: IO[bytes], offset: int, length: int) -> bytes:
    """Exactly these bytes of a file; FormatError where it ends before."""
    file.seek(offset)
    data = file.read(length)
    if len(data) < length:
        raise FormatError("the database is cut off")
    return data


def _unpack(form: struct.Struct, data: bytes) -> tuple[bytes, int, int, int]:
    values = form.unpack(data)
    return values[0], values[1], values[2], values[3]
