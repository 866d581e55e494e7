"""What an archive of a backup says of itself, and what is no such archive."""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import FormatError, IntegrityError
from bundle.oci.digest import Digest
from bundle.storage.tree import TarTree
from bundle.storage.volume import Volume
from tasks.site.records import backup_archive
from tasks.site.records.backup_archive import BackupArchive, archives_of
from tests.fixtures.benches.backups import ABOUT, made


def test_what_it_says_is_read(tmp_path: Path) -> None:
    path = made(tmp_path / "b.tar")
    assert BackupArchive.read(path) == BackupArchive(
        path=path,
        top="top",
        application="app",
        target="h-1234",
        created=datetime(2026, 5, 4, 12, tzinfo=UTC),
        dumps=("db",),
        digests={"dumps/db.0001.cms": Digest(algorithm="sha256", hex="0" * 64)},
        tree=TarTree(Volume([]), {}),
    )


def test_an_earlier_version_noted_no_target(tmp_path: Path) -> None:
    about = {key: value for key, value in ABOUT.items() if key != "target"}
    assert BackupArchive.read(made(tmp_path / "b.tar", about)).target == ""


@pytest.mark.parametrize(
    "wrong",
    [
        {"format": 2},
        {"created": "yesterday"},
        {"bundle": "app"},
        {"bundle": {}},
        {"target": 7},
        {"dumps": "db"},
        {"sha256": {"x": "short"}},
        {"inner": "else.json"},
        {"about": []},
    ],
    ids=str,
)
def test_what_is_no_archive_of_a_backup(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        BackupArchive.read(made(tmp_path / "b.tar", **wrong))


def listing(*numbers: int, name: str = "db") -> dict[str, str]:
    return {f"dumps/{name}.{number:04d}.cms": "0" * 64 for number in numbers}


def test_the_parts_of_a_dump_are_in_their_order(tmp_path: Path) -> None:
    sums = {**listing(2, 1, 10000, *range(3, 10000)), **listing(1, name="db-a"), "dumps/db.x.cms": "0" * 64}
    archive = BackupArchive.read(made(tmp_path / "b.tar", sha256=sums))
    assert archive.parts("db") == tuple(f"dumps/db.{number:04d}.cms" for number in range(1, 10001))
    assert archive.parts("db-a") == ("dumps/db-a.0001.cms",)


@pytest.mark.parametrize("numbers", [(), (2,), (1, 3)], ids=str)
def test_a_part_that_is_missing_is_told(tmp_path: Path, numbers: tuple[int, ...]) -> None:
    archive = BackupArchive.read(made(tmp_path / "b.tar", sha256=listing(*numbers)))
    with pytest.raises(IntegrityError, match="parts of dump 'db' are missing"):
        archive.parts("db")


def test_a_file_is_written_as_it_is_listed_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(tmp_path / "b.tar")
    archive, target = BackupArchive.read(path), tmp_path / "part"
    monkeypatch.delattr(backup_archive, "index_members")  # the headers are read once, however many parts there are
    with pytest.raises(IntegrityError, match=r"dumps/db\.0001\.cms is missing"):
        archive.extract("dumps/db.0001.cms", target)
    data = json.dumps(ABOUT).encode()
    replace(archive, digests={"backup.json": Digest.of(data)}).extract("backup.json", target)
    assert target.read_bytes() == data
    with pytest.raises(IntegrityError, match=r"backup\.json is not what backup\.json says"):
        replace(archive, digests={"backup.json": Digest.of(b"")}).extract("backup.json", target)


def test_only_those_of_the_installation_are_found_newest_first(tmp_path: Path) -> None:
    made(tmp_path / "backup-1.tar", created="2026-05-01T00:00:00Z")
    made(tmp_path / "backup-2.tar", created="2026-05-03T00:00:00Z")
    made(tmp_path / "backup-3.tar", created="2026-05-02T00:00:00Z")
    made(tmp_path / "backup-app-of-another-name.tar", bundle={"name": "other"})
    made(tmp_path / "backup-app-of-another-target.tar", target="h-9999")
    made(tmp_path / "kept-forever.tar")
    (tmp_path / "backup-link.tar").symlink_to(tmp_path / "kept-forever.tar")
    (tmp_path / "backup-directory.tar").mkdir()
    (tmp_path / "backup-text.tar").write_text("not a tar")
    os.mkfifo(tmp_path / "backup-pipe.tar")
    found = archives_of(tmp_path, application="app", target="h-1234")
    assert [each.path.name for each in found] == ["backup-2.tar", "backup-3.tar", "backup-1.tar"]
