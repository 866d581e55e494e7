"""`SHA256SUMS` and `.tar.sha256`, in the format that `sha256sum -c` reads."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from bundle.errors import FormatError
from bundle.oci.digest import Digest
from bundle.storage.blob_store import hash_file
from bundle.storage.files import inside, is_temporary, write_bytes

SUMS = "SHA256SUMS"
SIGNATURE = "SHA256SUMS.sig"
MAX_SUMS = 16 * 1024 * 1024  # bytes: some 100,000 files
UNLISTED = frozenset({SUMS, SIGNATURE})  # what can't be in the list itself

_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_ANY = Digest.of(b"")


def format_sums(digests: Mapping[str, Digest]) -> bytes:
    """The list, sorted by name; names that sha256sum would have to escape are a FormatError."""
    lines = []
    for name in sorted(digests):
        _check_name(name)
        lines.append(f"{digests[name].hex}  {name}\n")
    return "".join(lines).encode()


def parse_sums(data: bytes, subject: str) -> dict[str, Digest]:
    """Read a list; a line that is none, a path that leads out, or a name twice is a FormatError naming `subject`."""
    try:
        lines = data.decode().removesuffix("\n").split("\n") if data else []
    except UnicodeDecodeError as err:
        raise FormatError(f"{subject} is not UTF-8 text") from err
    digests: dict[str, Digest] = {}
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if not match:
            raise FormatError(f"{subject} line {number} is not a line of sha256sum: {line[:80]!r}")
        name = match[2]
        _check_name(name)
        if name in digests:
            raise FormatError(f"{subject} line {number} names {name!r} a second time")
        digests[name] = Digest(algorithm="sha256", hex=match[1])
    return digests


def read_sums(path: Path) -> dict[str, Digest]:
    """Read the list in a file; errors as for `parse_sums`, also for one larger than any list is."""
    with path.open("rb") as file:
        data = file.read(MAX_SUMS + 1)
    if len(data) > MAX_SUMS:
        raise FormatError(f"{path.name} has more than {MAX_SUMS} bytes, which no list of checksums has")
    return parse_sums(data, path.name)


def write_sums(path: Path, digests: Mapping[str, Digest]) -> None:
    """Write a list atomically."""
    write_bytes(path, format_sums(digests))


def list_files(root: Path) -> Iterator[str]:
    """The names of all files below `root` that belong in its list, in no order; unfinished temporary ones do not."""
    for directory, _, files in os.walk(root):
        below = Path(directory).relative_to(root)
        for file in files:
            name = (below / file).as_posix()
            if name not in UNLISTED and not is_temporary(file):
                yield name


def hash_files(root: Path, names: Iterable[str], *, jobs: int | None = None) -> dict[str, Digest]:
    """The sha256 of each file below `root`, in parallel; an OSError of the first bad one comes through."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - takes 3 ms, and most commands sum nothing

    ordered = sorted(names)
    with ThreadPoolExecutor(jobs or min(8, os.cpu_count() or 1)) as pool:
        hexes = pool.map(lambda name: hash_file(inside(root, name), _ANY), ordered)
        return {name: Digest(algorithm="sha256", hex=value) for name, value in zip(ordered, hexes, strict=True)}


def _check_name(name: str) -> None:
    inside(Path(), name)
    if "\n" in name or "\r" in name or name.endswith("/") or not name.isprintable():
        raise FormatError(f"file name {name!r} has characters that a list of checksums can't hold")
