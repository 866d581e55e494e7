"""An archive of `doit backup` as its own backup.json describes it: whose it is, how old, and what it holds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from bundle.errors import FormatError
from bundle.formats.fields import Fields
from bundle.oci.digest import Digest
from bundle.storage.tree import TarTree, index_members, read_small
from bundle.storage.volume import Part, Volume

FORMAT_VERSION = 1
ABOUT = "backup.json"
_MAX_ABOUT = 16 * 1024 * 1024  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupArchive:
    """`target` is what it was made of, as Target.name; empty in one of an earlier version, which did not note it.

    `digests` are those of its files by their names below `top`, the one directory in it.
    """

    path: Path
    top: str
    application: str
    target: str
    created: datetime
    dumps: tuple[str, ...]
    digests: Mapping[str, Digest]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Of its headers and backup.json alone: whether the files are whole is not looked at.

        A FormatError for what is no archive of a backup, an OSError for what can't be read.
        """
        if path.is_symlink() or not path.is_file():
            raise FormatError(f"{path} is not a regular file")
        volume = Volume([Part(path=path)])
        entries = index_members(volume)
        top = next(iter(entries), "").partition("/")[0]
        if f"{top}/{ABOUT}" not in entries:
            raise FormatError(f"{path} has no {ABOUT}: it is not an archive of `backup`")
        fields = Fields.decode(read_small(TarTree(volume, entries), f"{top}/{ABOUT}", _MAX_ABOUT), f"{path}: {ABOUT}")
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
        )


def archives_of(place: Path, *, application: str, target: str) -> Iterator[BackupArchive]:
    """Those of one installation in a directory, newest first; all else that lies there is passed over.

    Whose an archive is, its backup.json says. One that was renamed to something else than backup-*.tar is not found.
    """
    found = []
    for path in place.glob("backup-*.tar"):
        try:
            archive = BackupArchive.read(path)
        except (FormatError, OSError):
            continue
        if (archive.application, archive.target) == (application, target):
            found.append(archive)
    yield from sorted(found, key=lambda each: (each.created, each.path.name), reverse=True)
