"""A carried bundle, read where it lies: an unpacked directory, an archive, or the parts of one. Nothing is unpacked."""

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from bundle.archive._completeness import IMAGES
from bundle.archive.archive import present_archive
from bundle.archive.parts import find_archive, sums_path
from bundle.errors import BundleError, FormatError, IntegrityError, SourceError, storage_errors
from bundle.images.layout import named_digest
from bundle.images.layout_source import LayoutIndex, LayoutSource
from bundle.metadata.checksums import MAX_SUMS, SUMS, format_sums, parse_sums
from bundle.metadata.manifest import BundleManifest, ImageEntry
from bundle.metadata.names import MANIFEST
from bundle.oci.digest import Digest
from bundle.signing.signers import Signer
from bundle.signing.trust import Trust, Vouch, read_signature
from bundle.storage.files import writing
from bundle.storage.tar_reader import Member
from bundle.storage.tree import Below, DirectoryTree, Joined, TarTree, Tree, index_members, read_small, walk_files
from bundle.transfer.image import ImageSource

MAX_SMALL = 64 * 1024 * 1024  # bytes of a file that is read into memory
_AGAIN = "run `doit verify` to see all that is wrong, and carry what it names over again"


class OpenedBundle:
    """One bundle's files by their names in SHA256SUMS. Safe for several threads; no file stays open between calls.

    What `read` and `extract` give is checked against SHA256SUMS. An image's manifests are checked by their digests,
    which manifest.json and its indexes state; its blobs are not: whoever stores them checks each one's digest, be it
    our store while it streams (bundle/storage/blob_store.py) or a push while it sends them (bundle/transfer/push.py).
    `compared` are the files that were read to their end by now and found good.
    """

    def __init__(
        self, path: Path, tree: Tree, vouch: Vouch | None = None, *, sums: Mapping[str, Digest] | None = None
    ) -> None:
        self.path = path
        self._tree = tree
        self.compared: set[str] = set()
        self._sums: Mapping[str, Digest] = {}
        raw = self._small(SUMS) if sums is None else format_sums(sums)
        if vouch:
            with storage_errors(f"read the signature of bundle {str(path)!r}", path):
                vouch(raw, read_signature(tree), subject=f"bundle {str(path)!r}")
        self._sums = parse_sums(raw, SUMS)
        self.sums_digest = Digest.of(raw)  # names these very files, of which a later build has others
        self.manifest = BundleManifest.decode(self.read(MANIFEST))

    def names(self) -> tuple[str, ...]:
        """All files that SHA256SUMS lists, sorted."""
        return tuple(sorted(self._sums))

    def read(self, name: str) -> bytes:
        """A file of at most MAX_SMALL bytes.

        BundleError when the bundle lacks it, IntegrityError when it is damaged, FormatError when it is too large.
        """
        expected = self._listed(name)
        data = self._small(name)
        if not expected.matches(data):
            raise self._damaged(name, expected, Digest.of(data))
        self.compared.add(name)
        return data

    def listed(self, name: str) -> Digest | None:
        """What SHA256SUMS says of a file; None for one that it does not list."""
        return self._sums.get(name)

    def digest(self, name: str) -> Digest:
        """What SHA256SUMS says of a file; a BundleError when it does not list it."""
        return self._listed(name)

    def extract(self, name: str, target: Path, *, mode: int = 0o644) -> None:
        """Copy a file out of the bundle to `target`, which appears whole and checked, or not at all.

        BundleError when the bundle lacks it, IntegrityError when it is damaged, StorageError for the disk's refusal.
        """
        expected = self._listed(name)
        hasher = expected.hasher()
        with (
            storage_errors(f"copy {name!r} out of bundle {str(self.path)!r}", target),
            writing(target, mode=mode) as to,
        ):
            try:
                for chunk in self._tree.read(name):
                    hasher.update(chunk)
                    to.write(chunk)
            except FileNotFoundError as err:
                raise self._lacks(name) from err
            found = Digest(algorithm=expected.algorithm, hex=hasher.hexdigest())
            if found != expected:
                raise self._damaged(name, expected, found)
        self.compared.add(name)

    def image(self, entry: ImageEntry) -> ImageSource:
        """One of the manifest's images as a source, in either layout; errors name it as `image 'NAME'`.

        Its content is read by position, from wherever it lies. Push `entry.root`, not what the source resolves to.
        """
        subject, ref = f"image {entry.name!r}", str(entry.reference)
        if not entry.file:
            return LayoutSource(Below(self._tree, IMAGES), ref, subject, self._index)
        with storage_errors(f"read {subject}", self.path):
            members = {file: self._members(entry, file) for file in entry.files}
            tars = [TarTree(self._tree.extent(file), each) for file, each in members.items()]
            return LayoutSource(Joined(tars), ref, subject)

    def blobs(self, entry: ImageEntry, file: str) -> Mapping[Digest, Member]:
        """Where the blobs of an image lie in a tar that it is carried as, one of its `files`: layout docker-archive."""
        with storage_errors(f"read image {entry.name!r}", self.path):
            members = self._members(entry, file)
        named = {named_digest(name): each for name, each in members.items() if each.kind == "file"}
        return {digest: each for digest, each in named.items() if digest}

    def _members(self, entry: ImageEntry, file: str) -> Mapping[str, Member]:
        self._listed(file)
        try:
            return index_members(self._tree.extent(file))
        except FileNotFoundError as err:
            raise self._lacks(file) from err
        except FormatError as err:
            raise FormatError(f"image {entry.name!r}: {file!r}: {err.what}", hint=_AGAIN) from err

    @cached_property
    def _index(self) -> LayoutIndex:
        return LayoutIndex(Below(self._tree, IMAGES))

    def _small(self, name: str) -> bytes:
        with storage_errors(f"read {name!r} of bundle {str(self.path)!r}", self.path):
            try:
                return read_small(self._tree, name, MAX_SMALL)
            except FileNotFoundError as err:
                raise self._lacks(name) from err

    def _listed(self, name: str) -> Digest:
        expected = self._sums.get(name)
        if expected is None:
            raise self._lacks(name, f"not in {SUMS}")
        return expected

    def _lacks(self, name: str, why: str = "missing") -> BundleError:
        return BundleError(f"bundle {str(self.path)!r} is not whole", [f"{why}: {name}"], hint=_AGAIN)

    def _damaged(self, name: str, expected: Digest, observed: Digest) -> IntegrityError:
        return IntegrityError(
            f"bundle {str(self.path)!r}: {name!r} is damaged: expected {expected}, found {observed}", hint=_AGAIN
        )


def open_bundle(path: Path, *, vouch: Vouch | None = None) -> OpenedBundle:
    """The bundle at `path`: a directory, a `.tar`, or any part or the list of checksums of one. Needs no closing.

    `vouch` is asked whether its list of checksums can be trusted, before that or anything else is read.
    An archive's headers are read once, its data is not. SourceError when there is no bundle or a part is missing,
    FormatError when it is cut off or not a bundle of this format, BundleError and IntegrityError as for `read`.
    """
    with storage_errors(f"read bundle {str(path)!r}", path):
        return OpenedBundle(path, _tree(path), vouch)


def signer_of(path: Path, vouch: Vouch) -> Signer | None:
    """Who signed the bundle at `path`, before anything else of it is looked at; a TrustError refuses it.

    None where nobody signed it and nobody has to, and for one that can't be read: `verify` tells why.
    """
    with storage_errors(f"read bundle {str(path)!r}", path):
        try:
            tree = _tree(path)
            return vouch(read_small(tree, SUMS, MAX_SUMS), read_signature(tree), subject=f"bundle {str(path)!r}")
        except (FileNotFoundError, FormatError, SourceError):
            return None


def signers_of(path: Path, trust: Trust) -> tuple[Signer, ...]:
    """All who signed or approved the bundle at `path`, as far as their word counts; errors as for `signer_of`."""
    with storage_errors(f"read bundle {str(path)!r}", path):
        try:
            tree = _tree(path)
            sums, signature = read_small(tree, SUMS, MAX_SUMS), read_signature(tree)
        except (FileNotFoundError, FormatError, SourceError):
            return ()
    return trust.everybody(sums, signature, subject=f"bundle {str(path)!r}")


def is_signed(path: Path) -> bool:
    """Whether a signature lies in the bundle at `path`; whose, is another question."""
    with storage_errors(f"read bundle {str(path)!r}", path):
        try:
            return read_signature(_tree(path)) is not None
        except (FormatError, SourceError):
            return False


def _tree(path: Path) -> Tree:
    if path.is_dir():
        return DirectoryTree(path)
    volume = present_archive(path).volume()
    try:
        entries = index_members(volume)
    except FormatError as err:
        raise FormatError(f"bundle {str(path)!r}: {err.what}", hint=_AGAIN) from err
    return Below(TarTree(volume, entries), next(iter(entries), "").partition("/")[0])


def open_growing(path: Path, sums: Mapping[str, Digest]) -> OpenedBundle:
    """A bundle directory that is still being made; `sums` are what its SHA256SUMS will say, as far as it is known."""
    return OpenedBundle(path, DirectoryTree(path), sums=sums)


def fingerprint(path: Path) -> Digest:
    """Tells cheaply whether a bundle is the one that was verified before: over names, sizes, times and inodes.

    Equal fingerprints mean that no program has written to the files since, as far as their file system keeps account:
    one that keeps no time of change (FAT, some network shares) shows no write that puts size and time back. Bytes
    that rot on the medium are never seen here; pushing and extracting find those, as what they move is checked. A
    copy, and on some media a remount, has another fingerprint, which costs one more verification and nothing else.
    """
    with storage_errors(f"read bundle {str(path)!r}", path):
        if path.is_dir():
            stats = {name: entry.stat(follow_symlinks=False) for name, entry in walk_files(path)}
        else:
            files = find_archive(path)
            listed = [files.path(name) for name in (*files.names, *files.extra)]
            stats = {file.name: file.stat() for file in (*listed, sums_path(files.archive)) if file.is_file()}
    signatures = {name: (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino) for name, stat in stats.items()}
    return Digest.of(json.dumps(signatures, sort_keys=True).encode())
