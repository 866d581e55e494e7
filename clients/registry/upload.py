"""One repository as a sink for images (distribution-spec, "Push"): look, mount from a sibling, upload, look again."""

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count, islice

from bundle.errors import FormatError, IntegrityError, RegistryError, StorageError
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.reference import Reference
from bundle.transfer.image import MAX_MANIFEST, Manifest, is_manifest
from bundle.transfer.push import Outcome, ReadBlob
from clients.http.addresses import registry_address
from clients.http.auth import RepositoryAccess
from clients.http.messages import Response
from clients.http.retry import TransientError
from clients.registry._blob_upload import MAX_ANSWER, BlobUploads, Session
from clients.registry.hints import next_push_step
from clients.registry.repository import Registries

_ACCEPT = {"Accept": ", ".join(media_types.ACCEPT_MANIFEST)}
_WORTH_ASKING = 1024 * 1024  # bytes; to send a smaller blob is as quick as to ask siblings for it
_SIBLINGS_ASKED = 4  # for each blob that no push of this run has seen
# How the CNCF's registry refuses a manifest while another push of the same image writes what it names.
_NOT_SEEN = frozenset({"DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN"})
_IMMUTABLE = frozenset({403, 405, 409, 412})  # how registries refuse to move a tag


class Uploads:
    """What all pushes of a run share: which repository has which blob. No blob is sent to one registry twice."""

    def __init__(self, registries: Registries) -> None:
        self.registries = registries
        self._holders: dict[tuple[str, Digest], str] = {}
        self._guards: dict[tuple[str, Digest], threading.Lock] = defaultdict(threading.Lock)
        self._guard = threading.Lock()

    def repository(self, reference: Reference, *, subject: str, siblings: Sequence[Reference] = ()) -> "RegistrySink":
        """The sink for one image; `siblings` are other repositories that may hold some of its blobs, likely ones first.

        Only siblings at the reference's host are asked. `subject` is what the user calls the image.
        """
        return RegistrySink(self, reference, subject=subject, siblings=siblings)

    @contextmanager
    def alone(self, host: str, digest: Digest) -> Iterator[None]:
        """Wait while another push sends the same blob to the same registry."""
        with self._guard:
            guard = self._guards[host, digest]
        with guard:
            yield

    def holder(self, host: str, digest: Digest) -> str:
        """The path of a repository that has the blob, as far as this run has seen; else empty."""
        return self._holders.get((host, digest), "")

    def note(self, host: str, digest: Digest, path: str) -> None:
        """Remember that a repository has the blob."""
        self._holders[host, digest] = path


class RegistrySink:
    """One image's place in a registry. Errors quote the subject, carry the registry's words, and name the next step."""

    def __init__(self, uploads: Uploads, reference: Reference, *, subject: str, siblings: Sequence[Reference]) -> None:
        registries = uploads.registries
        self._uploads = uploads
        self._authenticator = registries.authenticator
        self._transport = registries.transport
        self._meter = registries.meter
        self._reference = reference
        self._subject = subject
        self._base = f"{self._transport.base(registry_address(reference.host))}/v2/"
        self._access = self._access_to(reference.path)
        self._blobs = BlobUploads(self._transport, self._url("blobs/uploads/"), self._access, subject=subject)
        paths = (each.path for each in siblings if each.host == reference.host and each.path != reference.path)
        asked = islice(dict.fromkeys(paths), _SIBLINGS_ASKED)
        self._siblings = {path: self._access_to(path, actions="pull") for path in asked}
        self._before: Digest | None = None

    def current(self) -> Digest | None:
        """The digest of what the tag (or, without one, the digest) names now; None where it names nothing."""
        with self._explained():
            self._before = self._digest_of(self._name)
        return self._before

    def exists(self, descriptor: Descriptor) -> bool:
        """Whether the repository has a blob or a manifest."""
        with self._explained():
            return self._has(self._reference.path, descriptor, self._access)

    def put_blob(self, descriptor: Descriptor, read: ReadBlob) -> Outcome:
        """Bring a blob into the repository: skip it, mount it from a sibling, or send it, going on after cuts."""
        host, path = self._reference.host, self._reference.path
        with self._uploads.alone(host, descriptor.digest), self._explained():
            outcome: Outcome = "present"
            if not self._has(path, descriptor, self._access):
                session = self._begin(descriptor)
                outcome = "sent" if session else "mounted"
                if session:
                    self._send(descriptor, read, session)
            self._uploads.note(host, descriptor.digest, path)
            return outcome

    def put_manifest(self, manifest: Manifest, *, tagged: bool) -> None:
        """Store the exact bytes by their digest, or under the tag; what the tag then names is compared.

        A registry that refuses to move the tag from another image is a RegistryError that names both digests.
        """
        name = self._name if tagged else str(manifest.digest)
        if tagged and self._before and self._before != manifest.digest:
            self._meter.say(self._subject, f"{self._reference} moves from {self._before} to {manifest.digest}")
        with self._explained():
            try:
                self._store_manifest(manifest, name)
            except RegistryError as err:
                raise self._immutable(err, manifest) if tagged else err from err
            found = self._named(name, manifest.digest) if tagged else manifest.digest
        if found != manifest.digest:
            raise IntegrityError(
                f"{self._subject}: {self._reference} names {found or 'nothing'} after the push, "
                f"expected {manifest.digest}",
                hint="somebody else pushes to this tag, or something before the registry changes what it is sent",
            )

    def _named(self, name: str, wanted: Digest) -> Digest | None:
        """What the tag names after the push; None for nothing. What may pass is asked again, within the retries.

        A registry of several machines, or one behind a cache, may know of a tag or of its move a moment later only.
        """
        failures = 0
        while (found := self._digest_of(name)) != wanted and found in (None, self._before):
            failures += 1
            late = f"{self._reference} names {found or 'nothing'} right after the push"
            try:
                self._transport.pause(
                    self._subject, TransientError(RegistryError(late, status=404), reason=late), failures
                )
            except RegistryError:
                break
        return found

    def _store_manifest(self, manifest: Manifest, name: str) -> None:
        for failures in count(1):
            try:
                self._transport.request(
                    "PUT", self._url(f"manifests/{name}"), subject=self._subject, auth=self._access,
                    headers={"Content-Type": manifest.media_type}, body=manifest.raw, limit=MAX_ANSWER,
                )  # fmt: skip
                return
            except RegistryError as err:
                if err.code not in _NOT_SEEN:
                    raise
                fault = TransientError(err, reason="it misses what was just sent")
                self._transport.pause(self._subject, fault, failures)

    @property
    def _name(self) -> str:
        return self._reference.tag or str(self._reference.digest or "latest")

    def _access_to(self, path: str, *, actions: str = "pull,push") -> RepositoryAccess:
        return self._authenticator.access(self._reference.host, path, subject=self._subject, actions=actions)

    def _url(self, below: str) -> str:
        return f"{self._base}{self._reference.path}/{below}"

    def _has(self, path: str, descriptor: Descriptor, access: RepositoryAccess) -> bool:
        kind = "manifests" if is_manifest(descriptor) else "blobs"
        url = f"{self._base}{path}/{kind}/{descriptor.digest}"
        return self._head(url, access) is not None

    def _head(self, url: str, access: RepositoryAccess) -> Response | None:
        """None where there is no such thing."""
        try:
            return self._transport.request("HEAD", url, subject=self._subject, headers=_ACCEPT, auth=access)
        except RegistryError as err:
            if err.status == 404:
                return None
            raise

    def _digest_of(self, name: str) -> Digest | None:
        url = self._url(f"manifests/{name}")
        head = self._head(url, self._access)
        if head is None:
            return None
        try:
            return Digest.parse(head.headers.get("Docker-Content-Digest", ""))
        except FormatError:  # some send none with a HEAD
            answer = self._transport.get(
                url, subject=self._subject, headers=_ACCEPT, limit=MAX_MANIFEST, auth=self._access
            )
            return Digest.of(answer.body)

    def _begin(self, descriptor: Descriptor) -> Session | None:
        """An upload that the registry waits for; None where it mounted the blob from a sibling instead."""
        if holder := self._holder(descriptor):
            try:
                return self._blobs.mount(descriptor, holder, self._access_to(self._reference.path))
            except RegistryError:
                pass  # an upload finds out whether that was a refusal to mount only
        return self._blobs.begin()

    def _holder(self, descriptor: Descriptor) -> str:
        """A repository of this registry that has the blob; empty where none is known."""
        known = self._uploads.holder(self._reference.host, descriptor.digest)
        if known and known != self._reference.path:
            return known
        if descriptor.size < _WORTH_ASKING:
            return ""
        for path, access in self._siblings.items():
            try:
                if self._has(path, descriptor, access):
                    return path
            except RegistryError:
                continue  # one that may not be read is none to mount from
        return ""

    def _send(self, descriptor: Descriptor, read: ReadBlob, session: Session) -> None:
        """Upload a blob. A fault is followed by another attempt, with the bytes that the registry still lacks.

        An upload whose bytes are damaged is given up.
        """
        failures = 0
        while True:
            try:
                self._blobs.finish(session, descriptor, read)
                return
            except TransientError as fault:
                failures += 1
                self._transport.pause(self._subject, fault, failures)
            except (IntegrityError, StorageError):  # what is to be sent is not good, or can't be read
                self._blobs.cancel(session)
                raise
            resumed = self._blobs.resumed(session)
            if resumed and resumed.at > session.at:
                failures = 0
                self._meter.say(self._subject, f"continuing {descriptor.digest} at byte {resumed.at}")
            elif not resumed and self._has(self._reference.path, descriptor, self._access):
                return  # only the answer was lost
            session = resumed or self._blobs.begin()

    def _immutable(self, err: RegistryError, manifest: Manifest) -> RegistryError:
        """The same refusal, told as one to move the tag where that is what was asked."""
        refused = err.status in _IMMUTABLE or err.code == "TAG_INVALID"  # the code is ECR's, with status 400
        if self._before in (None, manifest.digest) or not refused:
            return err
        return RegistryError(
            f"{err.what}: it refuses to move {self._reference} from {self._before} to {manifest.digest}",
            status=err.status,
            code=err.code,
            hint="tags are immutable there: give this image another target tag, or remove the old tag first",
        )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Give a refusal the next step that fits a push."""
        try:
            yield
        except RegistryError as err:
            refused = self._access.refused if err.status == 401 else ""
            err.hint = err.hint or refused or next_push_step(self._reference, err.status, err.code)
            raise
