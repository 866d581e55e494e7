"""An archive as one file `x.tar` or as parts `x.tar.001`, `x.tar.002`, ...; `x.tar.sha256` lists their checksums."""

import contextlib
import os
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from bundle.errors import FormatError, SourceError, StorageError, storage_errors
from bundle.metadata.checksums import SUMS, read_sums, write_sums
from bundle.oci.digest import Digest
from bundle.storage.appender import BLOCK, Appender, See
from bundle.storage.files import alone, is_temporary, sync_directory, temporary
from bundle.storage.volume import FilePiece, Part, Volume

FAT32_MOST = 2**32 - 1  # bytes in one file of that file system, which most sticks have
MAX_PARTS = 999  # three digits, so that `cat x.tar.*` joins them in order
_BORDERED = 1024 * 1024  # bytes of a part that may end a few bytes early
_ARCHIVE = re.compile(r"\.tar(\.sha256|\.\d+)?\Z|\ASHA256SUMS")
_PART = re.compile(r"(?P<archive>.+)\.(?P<number>[0-9]{3})")
_SUMS_SUFFIX = ".sha256"


def names_archive(path: Path) -> bool:
    """Whether a path is that of an archive, a part of one, or its list of checksums, by its name."""
    return bool(_PART.fullmatch(path.name)) or path.name.removesuffix(_SUMS_SUFFIX).endswith(".tar")


def part_name(archive: str, number: int) -> str:
    """The name of a part, numbered from 1."""
    return f"{archive}.{number:03d}"


def sums_path(archive: Path) -> Path:
    """Where the checksums of an archive's parts are."""
    return archive.with_name(archive.name + _SUMS_SUFFIX)


class PartWriter:
    """Takes the bytes of an archive and spreads them over files of at most `limit` bytes; one file without a limit.

    Large parts end on a block's border, so that what follows can share blocks too. The files have temporary names until
    `writing_parts` ends well.
    """

    def __init__(self, archive: Path, limit: int | None) -> None:
        self._archive = archive
        self._limit = limit - limit % BLOCK if limit and limit >= _BORDERED else limit
        self._temps: list[Path] = []
        self._digests: list[Digest] = []
        self._file: IO[bytes] | None = None
        self._part: Appender | None = None

    def write(self, data: bytes | memoryview, /) -> None:
        """Append to the archive, opening the next part where one is full."""
        view = memoryview(data)
        while view:
            part, room = self._room(len(view))
            part.write(view[:room])
            view = view[room:]
            self._end_full()

    def copy(self, piece: FilePiece, see: See | None = None) -> int:
        """Append a piece of a file, as `Appender.copy` does, opening the next part where one is full."""
        done = 0
        while done < piece.size:
            part, room = self._room(piece.size - done)
            copied = part.copy(FilePiece(file=piece.file, offset=piece.offset + done, size=room), see)
            done += copied
            self._end_full()
            if copied < room:
                break
        return done

    def end_part(self) -> None:
        """Put the part that is being written on the disk."""
        if self._file and self._part:
            with self._part:
                self._digests.append(self._part.digest)
            os.fsync(self._file.fileno())
            self._file.close()
        self._file = self._part = None

    def commit(self) -> tuple[Path, ...]:
        """Give the files their names, write their checksums, and only then remove parts of an earlier archive."""
        self.end_part()
        paths = [self._archive.with_name(self._name(number)) for number in range(1, len(self._temps) + 1)]
        for temp, path in zip(self._temps, paths, strict=True):
            os.replace(temp, path)
        self._temps = []
        sync_directory(self._archive.parent)
        digests = {path.name: digest for path, digest in zip(paths, self._digests, strict=True)}
        write_sums(sums_path(self._archive), digests)
        for name in _on_disk(self._archive) - digests.keys():
            self._archive.with_name(name).unlink()
        sync_directory(self._archive.parent)
        return tuple(paths)

    def discard(self) -> None:
        """Remove what has no name yet."""
        if self._part:
            with self._part:
                pass
        if self._file:
            with contextlib.suppress(OSError):  # a full disk fails again here, and is being reported already
                self._file.close()
        for temp in self._temps:
            temp.unlink(missing_ok=True)

    def _room(self, wanted: int) -> tuple[Appender, int]:
        """The part that is being written, or the next one, and how many of the wanted bytes it takes."""
        part = self._part or self._begin()
        return part, wanted if self._limit is None else min(wanted, self._limit - part.size)

    def _end_full(self) -> None:
        if self._part and self._limit is not None and self._part.size >= self._limit:
            self.end_part()

    def _begin(self) -> Appender:
        if len(self._temps) == MAX_PARTS:
            raise StorageError(
                f"{self._archive.name!r} needs more than {MAX_PARTS} parts of {self._limit} bytes",
                hint="set a larger bundle.split",
            )
        self._temps.append(temporary(self._archive.with_name(self._name(len(self._temps) + 1))))
        self._file = self._temps[-1].open("xb", buffering=0)
        self._part = Appender(self._file.fileno())
        return self._part

    def _name(self, number: int) -> str:
        return self._archive.name if self._limit is None else part_name(self._archive.name, number)


@contextmanager
def writing_parts(archive: Path, *, limit: int | None) -> Iterator[PartWriter]:
    """Write an archive that replaces the last one when the body succeeds, and leaves it alone when it does not.

    One process at a time writes archives into a directory; what an interrupted one left there is removed first.
    """
    archive.parent.mkdir(parents=True, exist_ok=True)
    with alone(archive.parent):
        for path in archive.parent.iterdir():
            if is_temporary(path.name) and path.name.startswith(f".{archive.name}."):
                path.unlink()
        writer = PartWriter(archive, limit)
        try:
            yield writer
            writer.commit()
        finally:
            writer.discard()


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveFiles:
    """The files of an archive in order, named relative to `archive`'s directory.

    `digests` is empty where there is no list of checksums; `extra` are parts that the list does not name.
    """

    archive: Path
    names: tuple[str, ...]
    digests: Mapping[str, Digest] = field(default_factory=dict)
    extra: tuple[str, ...] = ()

    def path(self, name: str) -> Path:
        """Where a part is, or should be."""
        return self.archive.with_name(name)

    @property
    def missing(self) -> tuple[str, ...]:
        """Parts that should be there and are not."""
        return tuple(name for name in self.names if not self.path(name).is_file())

    def volume(self) -> Volume:
        """All of them as one, each with its digest as far as it is known; none may be missing."""
        return Volume([Part(path=self.path(name), digest=self.digests.get(name)) for name in self.names])


def find_archive(path: Path) -> ArchiveFiles:
    """The files of the archive that `path` names: the archive itself, any of its parts, or its list of checksums.

    SourceError when there is no such archive, FormatError when its list of checksums is not well-formed.
    """
    match = _PART.fullmatch(path.name)
    archive = path.with_name(match["archive"] if match else path.name.removesuffix(_SUMS_SUFFIX))
    present = _on_disk(archive)
    sums = sums_path(archive)
    if sums.is_file():
        digests = read_sums(sums)
        names = tuple(sorted(digests))
        if not names or (names != (archive.name,) and names != _numbered(archive.name, len(names))):
            raise FormatError(
                f"{sums.name} lists {', '.join(names) or 'nothing'}, expected {archive.name} or its parts from .001 on",
                hint="carry over the list that was written together with the archive",
            )
        return ArchiveFiles(archive=archive, names=names, digests=digests, extra=tuple(sorted(present - set(names))))
    if archive.name in present:
        return ArchiveFiles(archive=archive, names=(archive.name,))
    if not present:
        raise SourceError(
            f"there is no bundle at {str(path)!r}",
            hint="name an unpacked bundle, its .tar, or the first of its parts (.tar.001)",
        )
    return ArchiveFiles(archive=archive, names=_numbered(archive.name, int(max(present)[-3:])))


def named_bundle(path: Path) -> Path:
    """The bundle that a name stands for: the path itself, or the one archive or bundle in a directory that is none.

    A SourceError where several lie in it, and for a file that is something else. Archives of images (`docker save`) are
    no bundles.
    """
    if path.is_file() and not (_ARCHIVE.search(path.name) or _is_tar(path)):
        hint = "name the bundle's directory, its .tar, or the first part (.tar.001)"
        raise SourceError(f"{str(path)!r} is not a bundle", hint=hint)
    if not path.is_dir() or any((path / name).exists() for name in (SUMS, "images", "charts")):
        return path
    with storage_errors("look for a bundle", path):
        names = [each.name for each in path.iterdir() if each.is_file()]
        directories = [each.name for each in path.iterdir() if (each / SUMS).is_file()]
    listed = {name.removesuffix(_SUMS_SUFFIX) for name in names if name.endswith(f".tar{_SUMS_SUFFIX}")}
    parts = (match["archive"] for name in names if (match := _PART.fullmatch(name)))
    tars = [name for name in names if name.endswith(".tar")]
    if not listed and not directories and _are_images(path / name for name in tars):
        return path
    found = sorted(listed or {*tars, *parts})
    whole = {name.removesuffix(".tar") for name in found}
    found += sorted(name for name in directories if name not in whole)  # beside its archive, it is the same bundle
    if len(found) > 1:
        raise SourceError(f"{str(path)!r} holds several bundles: {', '.join(found)}", hint="name one of them")
    return path / found[0] if found else path


def _is_tar(path: Path) -> bool:
    with storage_errors("look for a bundle", path), path.open("rb") as file:
        return tarfile.is_tarfile(file)


def _are_images(tars: Iterable[Path]) -> bool:
    """Whether one of these is an archive of images, and no bundle."""
    from bundle.images.local import holds_images  # noqa: PLC0415 - most bundles are named, and nobody asks

    return any(map(holds_images, tars))


def _numbered(archive: str, count: int) -> tuple[str, ...]:
    return tuple(part_name(archive, number) for number in range(1, count + 1))


def _on_disk(archive: Path) -> set[str]:
    """The names of the archive and of any parts of it that are there."""
    if not archive.parent.is_dir():
        return set()
    found = set()
    for path in archive.parent.iterdir():
        match = _PART.fullmatch(path.name)
        if path.is_file() and (path.name == archive.name or (match and match["archive"] == archive.name)):
            found.add(path.name)
    return found
