"""Files over HTTP(S) and from local paths, into the blob cache."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from bundle.errors import IntegrityError, RegistryError, SourceError, storage_errors
from bundle.formats.numbers import number
from bundle.meter import Meter
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.storage.blob_store import BlobStore, Read
from bundle.storage.files import CHUNK
from clients.http.auth import RepositoryAccess
from clients.http.messages import Authorizer
from clients.http.retry import TRANSIENT_STATUSES
from clients.registry.hints import login_command
from clients.registry.repository import Registries

MEDIA_TYPE = "application/octet-stream"

_NEXT_STEPS = {
    404: "check the address, most of all the version in it",
    410: "check the address, most of all the version in it",
}


def download(
    url: str, *, sha256: Digest, subject: str, store: BlobStore, registries: Registries, size: int | None = None
) -> Descriptor:
    """Make sure that the blob cache holds the file at an http(s) address; touches no network when it does.

    `size` in bytes, where the lock knows it. A half-fetched file is continued. Raises SourceError for what can't be
    fetched, IntegrityError for bytes that are not those of `sha256`; both quote the subject.
    """
    access = access_to(url, registries, subject=subject)
    if found := store.find(sha256, MEDIA_TYPE):
        registries.meter.reuse(subject, found.size)
        return found
    with next_steps(url, _NEXT_STEPS):
        size = _told_size(url, access, registries, subject=subject) if size is None else size
        read = _reader(url, access, registries, size, subject=subject)
        try:
            if size is None:
                store.fetch_unsized(sha256, read, subject=subject, meter=registries.meter)
            else:
                registries.meter.expect(subject, size)
                descriptor = Descriptor(media_type=MEDIA_TYPE, digest=sha256, size=size)
                store.fetch(descriptor, read, subject=subject, meter=registries.meter)
        except IntegrityError as err:
            raise IntegrityError(
                f"{subject}: {shown(url)} is not the file with sha256 {sha256.hex}",
                hint="the file has changed: compare with what its makers publish, and correct sha256 in the spec",
            ) from err
    return _stored(store, sha256, subject)


def checksum(url: str, *, subject: str, registries: Registries) -> Digest:
    """The sha256 of what an http(s) address gives now, which is read to its end and not kept."""
    access = access_to(url, registries, subject=subject)
    hasher = Digest.of(b"").hasher()
    with next_steps(url, _NEXT_STEPS):
        size = _told_size(url, access, registries, subject=subject)
        for chunk in _reader(url, access, registries, size, subject=subject)(0):
            hasher.update(chunk)
            registries.meter.advance(subject, len(chunk))
    return Digest.parse(f"sha256:{hasher.hexdigest()}")


def take_local(
    path: Path, *, sha256: Digest | None, subject: str, store: BlobStore, meter: Meter | None = None
) -> Descriptor:
    """Make sure that the blob cache holds a copy of a local file, and return what it is.

    A copy and no link, so that editing the file later does not reach into a bundle. An IntegrityError tells both
    digests when the file does not have the expected `sha256`.
    """
    descriptor = describe_local(path, subject=subject)
    if sha256 not in (None, descriptor.digest):
        raise IntegrityError(
            f"{subject}: {path} has sha256 {descriptor.digest.hex}, expected {sha256.hex}",
            hint="put the expected file there; if the change is wanted, correct sha256 in the spec or run `doit lock`",
        )

    def read(offset: int) -> Iterator[bytes]:
        with path.open("rb") as file:
            file.seek(offset)
            while chunk := file.read(CHUNK):
                yield chunk

    store.fetch(descriptor, read, subject=subject, meter=meter)
    return descriptor


def describe_local(path: Path, *, subject: str) -> Descriptor:
    """The sha256 and size of a local file; a SourceError when it is not there."""
    if not path.is_file():
        state = "is not a file" if path.exists() else "does not exist"
        raise SourceError(f"{subject}: {path} {state}", hint="correct `source` in the spec, or put the file there")
    hasher = Digest.of(b"").hasher()
    size = 0
    with storage_errors(f"read {subject}", path), path.open("rb") as file:
        while chunk := file.read(CHUNK):
            hasher.update(chunk)
            size += len(chunk)
    return Descriptor(media_type=MEDIA_TYPE, digest=Digest.parse(f"sha256:{hasher.hexdigest()}"), size=size)


def _told_size(url: str, access: Authorizer, registries: Registries, *, subject: str) -> int | None:
    """The size that the server tells. None where it refuses: the answer to a GET then says why, or is the file."""
    try:
        response = registries.transport.request("HEAD", url, subject=subject, auth=access)
    except RegistryError as err:
        if err.status in TRANSIENT_STATUSES:
            raise
        return None
    return None if "Content-Encoding" in response.headers else number(response.headers.get("Content-Length", ""))


def _reader(url: str, access: Authorizer, registries: Registries, size: int | None, *, subject: str) -> Read:
    """Reads an address from an offset on."""

    def read(offset: int) -> Iterator[bytes]:
        try:
            yield from registries.transport.stream(url, subject=subject, size=size, offset=offset, auth=access)
        except IntegrityError:
            # There are no bytes after those of the half-fetched file: ending here, the store sees that they are wrong
            # and starts anew.
            if not offset:
                raise

    return read


def _stored(store: BlobStore, sha256: Digest, subject: str) -> Descriptor:
    found = store.find(sha256, MEDIA_TYPE)
    if not found:
        raise IntegrityError(f"{subject}: the cached copy vanished while it was in use", hint="run it again")
    return found


def access_to(url: str, registries: Registries, *, subject: str) -> RepositoryAccess:
    """The user's login for the address's host, as for a registry there; sent only when the host asks for one.

    An address that carries a login itself is a SourceError: it would end up in the lock and the bundle.
    """
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise SourceError(
            f"{subject}: the address carries a user or password, which would get into the bundle",
            hint=f"write it without what stands before the @, and log in instead: {login_command(_host(url))}",
        )
    return registries.authenticator.access(parts.netloc, parts.path.strip("/"), subject=subject)


@contextmanager
def next_steps(url: str, hints: Mapping[int, str]) -> Iterator[None]:
    """Add the next step to a refusal that has none: by HTTP status from `hints`, or where to log in."""
    login = f"if it is private, log in: {login_command(_host(url))}; or fetch it yourself and name its path"
    try:
        yield
    except RegistryError as err:
        err.hint = err.hint or {401: login, 403: login, **hints}.get(err.status, "")
        raise


def shown(url: str) -> str:
    """An address as messages show it: without its query, which may hold a signature."""
    return urlsplit(url)._replace(query="", fragment="").geturl()


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]
