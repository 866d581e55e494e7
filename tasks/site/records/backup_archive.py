"""An archive of `doit backup` as its own backup.json describes it: whose it is, how old, and what it holds."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Self

from bundle.errors import FormatError, IntegrityError
from bundle.formats.fields import Fields
from bundle.oci.digest import Digest
from bundle.storage.tree import TarTree, index_members, read_small
from bundle.storage.volume import Part, Volume
from clients.programs.openssl import SUFFIX, part_name

FORMAT_VERSION = 1
ABOUT = "backup.json"
_MAX_ABOUT = 16 * 1024 * 1024  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupArchive:
    """`target` is what it was made of, as Target.name; empty in one of an earlier version, which did not note it.

    `digests` are those of its files by their names below `top`, the one directory in it; `tree` reads them in place.
    """

    path: Path
    top: str
    application: str
    target: str
    created: datetime
    dumps: tuple[str, ...]
    digests: Mapping[str, Digest]
    tree: TarTree = field(compare=False, repr=False)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Of its headers and backup.json alone: whether the files are whole is not looked at.

        A FormatError for what is no archive of a backup, an OSError for what can't be read.
        """
        if path.exists() and not path.is_file():
            raise FormatError(f"{path} is not a regular file")
        volume = Volume([Part(path=path)])
        entries = index_members(volume)
        tree = TarTree(volume, entries)
        top = next(iter(entries), "").partition("/")[0]
        if f"{top}/{ABOUT}" not in entries:
            raise FormatError(f"{path} has no {ABOUT}: it is not an archive of `backup`")
        fields = Fields.decode(read_small(tree, f"{top}/{ABOUT}", _MAX_ABOUT), f"{path}: {ABOUT}")
        if (version := fields.typed("format", int)) != FORMAT_VERSION:
            raise FormatError(f"{path}: {ABOUT} has format {version}, this version reads {FORMAT_VERSION}")
        sums = fields.object("sha256")
        return cls(
            path=path,
            top=top,
            application=fields.object("bundle").text("name"),
            target=fields.text("target") if "target" in fields else "",
            created=fields.time("created"),
            dumps=fields.texts("dumps"),
            digests={name: sums.sha256(name) for name in sums.data},
            tree=tree,
        )

    def parts(self, dump: str) -> tuple[str, ...]:
        """The names of a dump's parts in their order; an IntegrityError where one of them is missing."""
        form = re.compile(rf"dumps/{re.escape(dump)}\.[0-9]{{4,}}{re.escape(SUFFIX)}")
        found = {name for name in self.digests if form.fullmatch(name)}
        parts = tuple(f"dumps/{part_name(dump, number)}" for number in range(1, len(found) + 1))
        if not found or found != set(parts):
            raise IntegrityError(f"{self.path}: parts of dump {dump!r} are missing")
        return parts

    def extract(self, name: str, target: Path) -> None:
        """Write one file of it; an IntegrityError when it is not what backup.json says."""
        hasher = hashlib.sha256()
        try:
            with target.open("wb") as file:
                for chunk in self.tree.read(f"{self.top}/{name}"):
                    hasher.update(chunk)
                    file.write(chunk)
        except FileNotFoundError as err:
            raise IntegrityError(f"{self.path}: {name} is missing") from err
        if hasher.hexdigest() != self.digests[name].hex:
            hint = "it was damaged or changed; get another copy of the archive"
            raise IntegrityError(f"{self.path}: {name} is not what backup.json says", hint=hint)


def archives_of(place: Path, *, application: str, target: str) -> Iterator[BackupArchive]:
    """Those of one installation in a directory, newest first; all else that lies there is passed over.

    Whose an archive is, its backup.json says. One that was renamed to something else than backup-*.tar is not found.
    """
    found = []
    for path in place.glob("backup-*.tar"):
        if path.is_symlink():
            continue
        try:
            archive = BackupArchive.read(path)
        except (FormatError, OSError):
            continue
        if (archive.application, archive.target) == (application, target):
            found.append(archive)
    yield from sorted(found, key=lambda each: (each.created, each.path.name), reverse=True)
