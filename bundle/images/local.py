"""Opens images that lie on this machine: `oci:DIR`, `oci-archive:FILE`, `docker-archive:FILE`."""

from pathlib import Path

from bundle.errors import FormatError, SourceError, storage_errors
from bundle.images.compressed import OpenZstd, is_compressed, unpacked
from bundle.images.docker_save import SaveSource, save_names
from bundle.images.layout import DOCKER_MANIFEST, INDEX
from bundle.images.layout_source import LayoutSource, layout_names
from bundle.oci.locations import LocalImage
from bundle.storage.tree import LinkedTree, Tree, index_tar
from bundle.transfer.image import ReferrerSource


def open_local(
    location: LocalImage, *, subject: str, scratch: Path | None = None, open_zstd: OpenZstd | None = None
) -> ReferrerSource:
    """The image at `location`, read where it lies; only what is compressed is unpacked, into `scratch`.

    Links of a directory may lead out of it, as Bazel's do.

    `subject` is the image as the user wrote it. An archive that zstd compressed needs `open_zstd`.
    """
    with storage_errors(f"read {subject}", location.path):
        if location.transport == "oci":
            if not location.path.is_dir():
                raise SourceError(f"{subject}: {str(location.path)!r} is not a directory", hint="check the path")
            return LayoutSource(LinkedTree(location.path), location.ref, subject)
        tree = _open_tar(location.path, subject, scratch, open_zstd)
        if location.transport == "oci-archive" or _has(tree, INDEX):
            return LayoutSource(tree, location.ref, subject)
        return SaveSource(tree, location.ref, subject)


def names_in(
    path: Path, *, subject: str, scratch: Path | None = None, open_zstd: OpenZstd | None = None
) -> tuple[str, ...]:
    """What the images of an archive or of an `oci:` directory are called there, each once; "" for one without.

    A SourceError for what is neither.
    """
    tree = LinkedTree(path) if path.is_dir() else _open_tar(path, subject, scratch, open_zstd)
    try:
        return layout_names(tree) if _has(tree, INDEX) else save_names(tree)
    except FileNotFoundError as err:
        raise SourceError(f"{subject} is no image archive: it has no {str(err)!r}", hint="save it again") from err
    except FormatError as err:
        raise SourceError(f"{subject}: {err.what}", hint=err.hint) from err


def _open_tar(path: Path, subject: str, scratch: Path | None, open_zstd: OpenZstd | None) -> Tree:
    if not path.is_file():
        raise SourceError(f"{subject}: there is no file {str(path)!r}", hint="check the path")
    tar = path
    if is_compressed(path):
        tar = unpacked(path, subject=subject, scratch=scratch, open_zstd=open_zstd)
    try:
        return index_tar(tar)
    except FormatError as err:
        raise SourceError(f"{subject}: {path.name!r}: {err.what}", hint="copy or build this archive again") from err


def _has(tree: Tree, name: str) -> bool:
    try:
        tree.size(name)
    except FileNotFoundError:
        return False
    return True


def holds_images(path: Path) -> bool:
    """Whether a file looks like an image archive: compressed, or a tar with one of the lists that name images."""
    try:
        if is_compressed(path):
            return True
        tree = index_tar(path)
    except (OSError, FormatError):
        return False
    return _has(tree, INDEX) or _has(tree, DOCKER_MANIFEST)
