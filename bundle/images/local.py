"""Opens images that lie on this machine: `oci:DIR`, `oci-archive:FILE`, `docker-archive:FILE`."""

from pathlib import Path

from bundle.errors import FormatError, SourceError, storage_errors
from bundle.images.docker_save import SaveSource, save_names
from bundle.images.layout import INDEX
from bundle.images.layout_source import LayoutSource, layout_names
from bundle.oci.locations import LocalImage
from bundle.storage.tree import DirectoryTree, Tree, index_tar
from bundle.transfer.image import ReferrerSource

_COMPRESSED = {
    b"\x1f\x8b": ("gzip", "gunzip --keep"),
    b"\xfd7zXZ\x00": ("xz", "unxz --keep"),
    b"\x28\xb5\x2f\xfd": ("zstd", "unzstd"),
    b"BZh": ("bzip2", "bunzip2 --keep"),
}


def open_local(location: LocalImage, *, subject: str) -> ReferrerSource:
    """The image at `location`, read where it lies: archives are not unpacked.

    `subject` is the image as the user wrote it. A compressed archive is a SourceError that says how to unpack it.
    """
    with storage_errors(f"read {subject}", location.path):
        if location.transport == "oci":
            if not location.path.is_dir():
                raise SourceError(f"{subject}: {str(location.path)!r} is not a directory", hint="check the path")
            return LayoutSource(DirectoryTree(location.path), location.ref, subject)
        tree = _open_tar(location.path, subject)
        if location.transport == "oci-archive" or _has(tree, INDEX):
            return LayoutSource(tree, location.ref, subject)
        return SaveSource(tree, location.ref, subject)


def names_in(path: Path, *, subject: str) -> tuple[str, ...]:
    """What the images of a `docker-archive:` or `oci-archive:` file are called there, each once; "" for one without.

    A SourceError for a file that is no such archive.
    """
    tree = _open_tar(path, subject)
    try:
        return layout_names(tree) if _has(tree, INDEX) else save_names(tree)
    except FileNotFoundError as err:
        raise SourceError(f"{subject} is no image archive: it lacks {str(err)!r}", hint="save it again") from err
    except FormatError as err:
        raise SourceError(f"{subject}: {err.what}", hint=err.hint) from err


def _open_tar(path: Path, subject: str) -> Tree:
    if not path.is_file():
        raise SourceError(f"{subject}: there is no file {str(path)!r}", hint="check the path")
    with path.open("rb") as file:
        start = file.read(6)
    for magic, (name, command) in _COMPRESSED.items():
        if start.startswith(magic):
            raise SourceError(
                f"{subject}: {path.name!r} is compressed with {name}, and is read without unpacking it to the disk",
                hint=f"run `{command} {path.name}` and name the result",
            )
    try:
        return index_tar(path)
    except FormatError as err:
        raise SourceError(f"{subject}: {path.name!r}: {err.what}", hint="copy or build this archive again") from err


def _has(tree: Tree, name: str) -> bool:
    try:
        tree.size(name)
    except FileNotFoundError:
        return False
    return True
