"""The layer that makes an image trust further authorities: its system's bundles of certificates, with those added."""

import io
import posixpath
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bundle.formats.x509 import Authority, merged
from bundle.images.layers.files import LayeredFiles

SUFFIXES = (".pem", ".crt")
_MAX_BUNDLE = 16 * 1024 * 1024  # bytes
_DEBIAN = "etc/ssl/certs/ca-certificates.crt"
# Where systems keep their bundle, and where further authorities lie for the program that makes it anew (if anywhere).
_PLACES: Mapping[str, str] = {
    _DEBIAN: "usr/local/share/ca-certificates",  # update-ca-certificates of Debian and Alpine
    "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem": "etc/pki/ca-trust/source/anchors",  # update-ca-trust
    "etc/pki/tls/certs/ca-bundle.crt": "",  # Red Hat's name for programs, mostly a link to the one above
    "etc/pki/tls/cert.pem": "",
    "etc/ssl/cert.pem": "",  # Alpine's name for LibreSSL, a link
    "etc/ssl/ca-bundle.pem": "etc/pki/trust/anchors",  # SUSE
    "usr/lib/ssl/cert.pem": "",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CaLayer:
    """An uncompressed tar, and the bundle's path in it (absolute) that programs are to be told.

    `changed` are the bundles that it holds, absolute paths; `found` is False where the image had none.
    """

    tar: bytes
    bundle: str
    changed: tuple[str, ...]
    found: bool


def ca_layer(files: LayeredFiles, authorities: Sequence[Authority]) -> CaLayer:
    """Merge authorities into every bundle that the image has; without one, make Debian's of them alone.

    The same files and authorities give the same bytes. Links stay links: what they lead to is changed.
    """
    known = [path for path in _PLACES if _is_file(files, files.resolve(path))]
    contents = {
        real: merged(files.content(real, _MAX_BUNDLE), authorities)
        for real in sorted({files.resolve(path) for path in known})
    }
    told = known or [_DEBIAN]
    if not known:
        contents[files.resolve(_DEBIAN)] = merged(b"", authorities)
    changed = tuple(f"/{path}" for path in contents)
    for place in dict.fromkeys(_PLACES[path] for path in known if _PLACES[path]):
        for each in authorities:
            name = f"{files.resolve(place)}/airgap-{each.digest.hex[:16]}.crt"
            contents[name] = each.pem.encode("ascii")
    return CaLayer(tar=_tar(files, contents), bundle=f"/{told[0]}", changed=changed, found=bool(known))


def _is_file(files: LayeredFiles, path: str) -> bool:
    entry = files.get(path)
    return entry is not None and entry.kind in ("file", "hardlink")


def _tar(files: LayeredFiles, contents: Mapping[str, bytes]) -> bytes:
    """Every file with the directories above it, which keep owner and mode: what a layer lacks, engines make anew."""
    sink = io.BytesIO()
    for path in sorted({*contents, *_above(contents)}):
        data = contents.get(path)
        sink.write(_header(files, path, data))
        if data is not None:
            sink.write(data + bytes(-len(data) % tarfile.BLOCKSIZE))
    sink.write(bytes(2 * tarfile.BLOCKSIZE))
    return sink.getvalue()


def _above(paths: Iterable[str]) -> set[str]:
    found = set[str]()
    for path in paths:
        while path := posixpath.dirname(path):
            found.add(path)
    return found


def _header(files: LayeredFiles, path: str, data: bytes | None) -> bytes:
    entry = files.get(path)
    info = tarfile.TarInfo(path)
    info.type = tarfile.DIRTYPE if data is None else tarfile.REGTYPE
    info.size = len(data or b"")
    info.mode = entry.mode if entry else 0o755 if data is None else 0o644
    info.uid, info.gid = (entry.uid, entry.gid) if entry else (0, 0)
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
