"""Reading tar streams strictly: what is cut off, damaged or ambiguous is an error, and nothing is ever extracted.

The standard library's reader ends quietly at a damaged header and holds extended headers of any size in memory.
"""

import posixpath
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from bundle.errors import FormatError

MAX_MEMBERS = 200_000
_MAX_EXTENDED = 1024 * 1024  # bytes of a pax or GNU long-name header
_MOST_EXTENDED = 3  # headers before one entry: a pax one, and GNU's for its name and its target
_USED = frozenset({"path", "linkpath", "size", "uid", "gid"})  # keys of pax headers; those of GNU.sparse too
_BLOCK = tarfile.BLOCKSIZE
_RENAMING = frozenset({"path", "linkpath", "size"})
_LENGTH_DIGITS = 8
_SHOWN = 200  # characters of a name in a message
_LONGEST_KEY = 64  # characters: longer ones are no keys of ours

Kind = Literal["file", "directory", "symlink", "hardlink", "unsafe", "other"]
_KINDS: Mapping[bytes, Kind] = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.CONTTYPE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hardlink",
}


class ForwardStream(Protocol):
    """What a tar is read from: `position` counts the bytes passed."""

    position: int

    def read(self, size: int) -> bytes: ...
    def skip(self, size: int) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One entry: its name as a clean relative path ("" for the root), and where its `size` bytes start.

    Links have a `target`. An `unsafe` entry has a name, left as it is, that leads out of the archive's directory.
    `mode`, `uid` and `gid` are as the header says.
    """

    name: str
    kind: Kind
    size: int
    offset: int
    target: str = ""
    mode: int = 0
    uid: int = 0
    gid: int = 0


def _clean(name: str) -> str | None:
    """An entry's name without `./` and trailing slashes; None when it leads out."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    leads_out = name.startswith("/") or ".." in parts or "\\" in name or "\0" in name
    return None if leads_out else "/".join(parts)


def members(
    stream: ForwardStream, *, limit: int = MAX_MEMBERS, clean: Callable[[str], str | None] = _clean
) -> Iterator[Member]:
    """Each entry in order; the caller may read its data from the stream before asking for the next.

    `clean` gives the name of an entry as a path inside, None for one that leads out.
    FormatError for a stream that is cut off or damaged, and for more entries than `limit`.
    """
    count = headers = 0
    extended: dict[str, str] = {}
    while True:
        header = stream.read(_BLOCK)
        if header == bytes(_BLOCK):
            return
        info = _parse(header, stream.position - len(header))
        if info.type in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK):
            headers += 1
            if headers > _MOST_EXTENDED:
                raise FormatError(f"tar has more than {_MOST_EXTENDED} extended headers before one entry")
            extended.update(_extended(info, _exactly(stream, info)))
            continue
        if info.type == tarfile.XGLTYPE and _extended(info, _exactly(stream, info)).keys() & _RENAMING:
            raise FormatError("tar has a global header that renames its entries")
        count += 1
        if count > limit:
            raise FormatError(f"tar has more than {limit} entries")
        if info.type == tarfile.XGLTYPE:
            continue
        member = _member(info, extended, stream.position, clean)
        extended, headers = {}, 0
        yield member
        end = member.offset + member.size + -member.size % _BLOCK
        stream.skip(end - stream.position)
        if stream.position < end:
            raise FormatError(f"tar is cut off inside {member.name!r}")


def link_target(member: Member) -> str:
    """What a link points at, as a clean name inside the archive; "" when it leads out of it."""
    base = "" if member.kind == "hardlink" else posixpath.dirname(member.name)
    path = posixpath.normpath(posixpath.join(base, member.target))
    return "" if path.startswith(("/", "../")) or path == ".." else path


def _parse(header: bytes, position: int) -> tarfile.TarInfo:
    if len(header) < _BLOCK:
        raise FormatError(f"tar is cut off at byte {position + len(header)}: its end is missing")
    try:
        info = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError) as err:
        raise FormatError(f"tar is damaged at byte {position}: {err}") from err
    if info.size < 0:
        raise FormatError(f"tar is damaged at byte {position}: an entry has the size {info.size}")
    return info


def _exactly(stream: ForwardStream, info: tarfile.TarInfo) -> bytes:
    if info.size > _MAX_EXTENDED:
        raise FormatError(f"tar has an extended header of {info.size} bytes, more than {_MAX_EXTENDED}")
    data = stream.read(info.size + -info.size % _BLOCK)
    if len(data) < info.size:
        raise FormatError("tar is cut off inside an extended header")
    return data[: info.size]


def _extended(info: tarfile.TarInfo, data: bytes) -> dict[str, str]:
    """The records of a pax header (`LENGTH KEY=VALUE` and a newline each), or GNU's long name as the same."""
    if info.type in (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK):
        text = data.rstrip(b"\0").decode("utf-8", "surrogateescape")
        return {"path" if info.type == tarfile.GNUTYPE_LONGNAME else "linkpath": text}
    records, at = {}, 0
    while at < len(data):
        space = data.find(b" ", at, at + _LENGTH_DIGITS + 1)
        length = data[at:space] if space > at else b""
        if not (length.isdigit() and len(length) < int(length) <= len(data) - at):
            raise FormatError("tar has a damaged extended header")
        end = at + int(length)
        equals = data.find(b"=", space + 1, end)
        if equals < 0 or data[end - 1 : end] != b"\n":
            raise FormatError("tar has a damaged extended header")
        key = data[space + 1 : min(equals, space + 1 + _LONGEST_KEY)].decode("utf-8", "surrogateescape")
        if key in _USED or key.startswith("GNU.sparse."):
            records[key] = data[equals + 1 : end - 1].decode("utf-8", "surrogateescape")
        at = end
    return records


def _member(
    info: tarfile.TarInfo, extended: Mapping[str, str], offset: int, clean: Callable[[str], str | None]
) -> Member:
    name = extended.get("path", info.name)
    kind = _KINDS.get(info.type, "other")
    if any(key.startswith("GNU.sparse.") for key in extended):
        kind = "other"
    size_text = extended.get("size", str(info.size))
    size = _number(size_text)
    if size is None:
        raise FormatError(f"tar has an entry {name[:_SHOWN]!r} of size {size_text[:_SHOWN]!r}")
    if kind not in ("file", "other") and size:
        raise FormatError(f"tar has an entry {name!r} that is a {kind} and yet has data")
    if kind == "file" and name.endswith("/"):
        kind = "directory" if not size else "other"
    target = extended.get("linkpath", info.linkname) if kind in ("symlink", "hardlink") else ""
    inside = clean(name)
    return Member(
        name=name if inside is None else inside,
        kind="unsafe" if inside is None else kind,
        size=size,
        offset=offset,
        target=target,
        mode=info.mode & 0o7777,
        uid=_owner(extended, "uid", info.uid),
        gid=_owner(extended, "gid", info.gid),
    )


def _owner(extended: Mapping[str, str], key: str, told: int) -> int:
    """A user's or group's number, which a pax header gives where the plain one has no room."""
    found = _number(extended.get(key, ""))
    return told if found is None else found


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
