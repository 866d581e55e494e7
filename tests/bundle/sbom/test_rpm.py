"""RPM's databases that rpm on Debian does not write, and damaged ones; the others are compared with rpm itself."""

import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from bundle.errors import FormatError
from bundle.sbom._rpm import BERKELEY, NDB, SQLITE, read_database, read_header, read_headers
from bundle.sbom.package import System


def header(**tags: str | int) -> bytes:
    """A package's header with these tags (rpm's docs/manual/format_v4.md)."""
    numbers = {"name": 1000, "version": 1001, "release": 1002, "epoch": 1003, "licence": 1014, "arch": 1022}
    index, data = b"", b""
    for tag, value in tags.items():
        if isinstance(value, int):
            data += bytes(-len(data) % 4)
            index, data = index + struct.pack(">IIII", numbers[tag], 4, len(data), 1), data + struct.pack(">I", value)
        else:
            index += struct.pack(">IIII", numbers[tag], 6, len(data), 1)
            data += value.encode() + b"\0"
    return struct.pack(">II", len(tags), len(data)) + index + data


ONE = header(name="one", version="1.0", release="2", epoch=3, licence="MIT", arch="noarch")
TWO = header(name="two", version="2", release="1")
KEY = header(name="gpg-pubkey", version="abc", release="1")


def ndb(*headers: bytes) -> bytes:
    """As rpm's lib/backend/ndb/rpmpkg.c lays it out: a page of slots, then headers in blocks of 16 bytes."""
    slots, blobs = b"", b""
    for number, blob in enumerate(headers, 1):
        size = -(-(16 + len(blob) + 12) // 16)
        slots += struct.pack("<4sIII", b"Slot", number, 256 + len(blobs) // 16, size)
        framed = struct.pack("<4sIII", b"BlbS", number, 1, len(blob)) + blob
        blobs += framed.ljust(size * 16 - 12, b"\0") + struct.pack("<II4s", 0, len(blob), b"BlbE")
    slots += struct.pack("<4sIII", b"Slot", 0, 0, 0) * ((4096 - 32 - len(slots)) // 16)
    return struct.pack("<4sIII", b"RpmP", 0, 1, 1).ljust(32, b"\0") + slots + blobs


def test_packages_of_headers() -> None:
    found = list(read_headers(iter([ONE, KEY, TWO]), "var/lib/rpm/x", System(id="opensuse", version="15")))
    assert [each.purl for each in found] == [
        "pkg:rpm/opensuse/one@1.0-2?arch=noarch&distro=opensuse-15&epoch=3",
        "pkg:rpm/opensuse/two@2-1?distro=opensuse-15",
    ]
    assert (found[0].licences, found[0].places) == (("MIT",), ("var/lib/rpm/x",))


def test_ndb(tmp_path: Path) -> None:
    path = tmp_path / NDB
    path.write_bytes(ndb(ONE, TWO, ONE * 50))
    assert list(read_database(path)) == [ONE, TWO, ONE * 50]


def test_sqlite_with_what_only_its_log_holds(tmp_path: Path) -> None:
    made = sqlite3.connect(tmp_path / "made", isolation_level=None)
    made.execute("PRAGMA journal_mode = WAL")
    made.execute("PRAGMA wal_autocheckpoint = 0")
    made.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL)")
    made.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    made.executemany("INSERT INTO Packages (blob) VALUES (?)", [(ONE,), (TWO,)])
    (tmp_path / SQLITE).write_bytes((tmp_path / "made").read_bytes())
    assert list(read_database(tmp_path / SQLITE)) == []
    (tmp_path / f"{SQLITE}-wal").write_bytes((tmp_path / "made-wal").read_bytes())
    made.close()
    assert list(read_database(tmp_path / SQLITE)) == [ONE, TWO]


def run_sql(*statements: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        connection = sqlite3.connect(path)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()

    return write


def bytes_of(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


_ENDLESS = (
    "CREATE VIEW Packages AS WITH RECURSIVE x(hnum) AS (SELECT 1 UNION ALL SELECT hnum + 1 FROM x) "
    "SELECT hnum, 1 AS blob FROM x"
)


@pytest.mark.parametrize(
    ("name", "write", "reason"),
    [
        pytest.param(SQLITE, bytes_of(b"no database" * 100), "SQLite says", id="no SQLite"),
        pytest.param(SQLITE, run_sql("CREATE TABLE x (y)"), "no table of packages", id="another database"),
        pytest.param(SQLITE, run_sql(_ENDLESS), "no table of packages", id="a view that does not end"),
        pytest.param(
            SQLITE,
            run_sql("CREATE TABLE Packages (hnum, blob)", "INSERT INTO Packages VALUES (1, 7)"),
            "without a header",
            id="no header",
        ),
        pytest.param(NDB, bytes_of(b""), "cut off", id="empty ndb"),
        pytest.param(NDB, bytes_of(b"x" * 5000), "no ndb database", id="no ndb"),
        pytest.param(NDB, bytes_of(ndb(ONE)[:-60]), "cut off", id="ndb cut off"),
        pytest.param(NDB, bytes_of(ndb(ONE).replace(b"BlbS", b"XXXX")), "damaged header", id="ndb damaged"),
        pytest.param(NDB, bytes_of(ndb(ONE).replace(b"Slot", b"XXXX")), "damaged slot", id="ndb slots"),
        pytest.param(BERKELEY, bytes_of(b""), "cut off", id="empty Berkeley"),
        pytest.param(BERKELEY, bytes_of(b"x" * 5000), "no Berkeley DB", id="no Berkeley"),
    ],
)
def test_what_can_not_be_read_is_an_error(
    tmp_path: Path, name: str, write: Callable[[Path], object], reason: str
) -> None:
    write(tmp_path / name)
    with pytest.raises(FormatError, match=reason):
        list(read_database(tmp_path / name))


@pytest.mark.parametrize(
    "blob",
    [
        pytest.param(b"", id="empty"),
        pytest.param(ONE[:-3], id="cut off"),
        pytest.param(struct.pack(">II", 0xFFFFFFFF, 0), id="too many entries"),
        pytest.param(struct.pack(">IIIIII", 1, 4, 1000, 6, 0, 1) + b"abcd", id="text without an end"),
        pytest.param(struct.pack(">IIIIII", 1, 4, 1003, 4, 2, 1) + b"abcd", id="number beyond the end"),
    ],
)
def test_a_damaged_header_is_an_error(blob: bytes) -> None:
    with pytest.raises(FormatError, match="header is"):
        read_header(blob)


def test_a_header_must_name_its_package() -> None:
    with pytest.raises(FormatError, match="no name or no version"):
        list(read_headers(iter([header(name="x")]), "", System()))
