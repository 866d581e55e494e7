"""Uploads of blobs to one repository, step by step (distribution-spec, "Pushing blobs").

A blob is one PATCH, as Docker sends it, and an empty PUT that states its digest. That is as quick as a single PUT
(measured: within noise), and a registry that keeps what came before a cut is sent only the rest. The CNCF's and
Harbor drop it: there the blob begins anew.
"""

import contextlib
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlencode

from bundle.errors import IntegrityError, RegistryError, SourceError
from bundle.formats.numbers import number
from bundle.oci.descriptor import Descriptor
from bundle.transfer.push import ReadBlob
from clients.http.addresses import address, netloc, origin
from clients.http.auth import RepositoryAccess
from clients.http.messages import Response, StreamedBody
from clients.http.retry import TransientError
from clients.http.transport import Transport

MAX_ANSWER = 1024 * 1024  # bytes; what answers to uploads say is of no use

_BINARY = {"Content-Type": "application/octet-stream"}
_LOST = frozenset({"BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """An upload that was begun: where it goes on, and how many bytes the registry has."""

    url: str
    at: int = 0


class BlobUploads:
    """The uploads of one repository; `url` is where they begin. Errors are those of the Transport."""

    def __init__(self, transport: Transport, url: str, access: RepositoryAccess, *, subject: str) -> None:
        self._transport = transport
        self._url = url
        self._access = access
        self._subject = subject

    def begin(self) -> Session:
        """Begin an upload."""
        return self._session(self._post(self._url, self._access))

    def mount(self, descriptor: Descriptor, path: str, access: RepositoryAccess) -> Session | None:
        """Take the blob from the repository `path` of the same registry: None when that is done, else an upload.

        `access` is a separate one, as its token is for both repositories.
        """
        query = urlencode({"mount": str(descriptor.digest), "from": path})
        answer = self._post(f"{self._url}?{query}", access)
        return None if answer.status == 201 else self._session(answer)

    def finish(self, session: Session, descriptor: Descriptor, read: ReadBlob) -> None:
        """Send what the registry lacks, and close the upload; a TransientError where another attempt may succeed.

        The registry compares what came with the digest that closes the upload, and keeps nothing else.
        """
        url, left = session.url, descriptor.size - session.at
        try:
            if left:
                place = {"Content-Range": f"{session.at}-{descriptor.size - 1}"} if session.at else {}
                body = StreamedBody(size=left, open=partial(read, session.at))
                answer = self._transport.attempt(
                    "PATCH", url, subject=self._subject, auth=self._auth(url), headers={**_BINARY, **place}, body=body,
                    limit=MAX_ANSWER,
                )  # fmt: skip
                url = self._session(answer).url
            query = urlencode({"digest": str(descriptor.digest)})
            answer = self._transport.attempt(
                "PUT", f"{url}{'&' if '?' in url else '?'}{query}", subject=self._subject, auth=self._auth(url),
                headers=_BINARY, body=b"", limit=MAX_ANSWER,
            )  # fmt: skip
        except RegistryError as err:
            # What was sent is good: with another digest, the registry joined it to other bytes than it said it had.
            if err.code in _LOST or err.status == 416 or (session.at and err.code == "DIGEST_INVALID"):
                raise TransientError(err, reason="the registry lost an upload") from err
            raise
        stored = answer.headers.get("Docker-Content-Digest", "")  # some send none
        if stored and stored.startswith(descriptor.digest.algorithm) and stored != str(descriptor.digest):
            raise IntegrityError(
                f"{self._subject}: {netloc(url)} stored {stored}, expected {descriptor.digest}",
                hint="something before the registry changes what it is sent",
            )

    def cancel(self, session: Session) -> None:
        """Give an upload up, so that the registry keeps nothing of it; one that can't hear that drops it in time."""
        with contextlib.suppress(TransientError, SourceError, IntegrityError):
            self._transport.attempt("DELETE", session.url, subject=self._subject, auth=self._auth(session.url))

    def resumed(self, session: Session) -> Session | None:
        """Where the upload goes on; None where the registry does not know, so that another one is to begin."""
        try:
            answer = self._transport.attempt("GET", session.url, subject=self._subject, auth=self._auth(session.url))
        except (TransientError, SourceError, IntegrityError):
            return None
        first, _, last = answer.headers.get("Range", "").removeprefix("bytes=").partition("-")
        if first != "0" or not (end := number(last)):
            return None
        return self._session(answer, at=end + 1)

    def _post(self, url: str, access: RepositoryAccess) -> Response:
        return self._transport.request("POST", url, subject=self._subject, auth=access, body=b"", limit=MAX_ANSWER)

    def _session(self, answer: Response, *, at: int = 0) -> Session:
        """Where the answer says that the upload goes on. A registry behind a proxy may not know that it speaks TLS."""
        place = address(answer.url, answer.headers.get("Location", ""), self._subject)
        known = f"https://{netloc(place)}/"
        if place.startswith("http://") and any(each.startswith(known) for each in (self._url, answer.url)):
            place = "https" + place.removeprefix("http")
        return Session(url=place, at=at)

    def _auth(self, url: str) -> RepositoryAccess | None:
        """The login is the registry's own, and goes nowhere else that it sends uploads to."""
        return self._access if origin(url) == origin(self._url) else None
