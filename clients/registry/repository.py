"""Registries, and one repository of one as an ImageSource (distribution-spec, "Pull")."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from bundle.errors import FormatError, IntegrityError, NetworkError, RegistryError, SourceError
from bundle.formats.numbers import number
from bundle.meter import Meter, SilentMeter
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.reference import Reference
from bundle.transfer.image import MAX_MANIFEST, Manifest
from clients.http.addresses import registry_address
from clients.http.auth import Authenticator, RepositoryAccess
from clients.http.credentials import Credentials
from clients.http.messages import Response
from clients.http.retry import TRANSIENT_STATUSES
from clients.http.transport import Transport
from clients.registry._foreign import is_elsewhere, read_elsewhere
from clients.registry._learned import Learned
from clients.registry._referrers import list_referrers
from clients.registry._refused import next_step_after

_ACCEPT = ", ".join(media_types.ACCEPT_MANIFEST)
T = TypeVar("T")


class Registries:
    """All registries of a run: what they share is the transport, logins and tokens, and what was learned of hosts."""

    def __init__(
        self, transport: Transport, *, credentials: Credentials | None = None, meter: Meter | None = None
    ) -> None:
        """The credentials are by default those that the environment leads to."""
        self.transport = transport
        self.meter = meter or SilentMeter()
        self.authenticator = Authenticator(transport, credentials or Credentials(os.environ))
        self.learned = Learned()
        self.manifests: dict[Digest, bytes] = {}  # that were asked for in this run: nobody is asked for one again

    def referring(
        self, host: str, repository: str, digest: Digest, *, access: RepositoryAccess, subject: str
    ) -> tuple[Descriptor, ...] | None:
        """What refers to a manifest (distribution-spec, "Listing Referrers"); None where `host` has no such API.

        `repository` is its address below /v2/.
        """
        url = f"{repository}/referrers/{digest}"
        return self.learned.referring(
            host,
            url,
            lambda: list_referrers(self.transport, url, auth=access, subject=subject, meter=self.meter),
            subject,
        )

    def repository(self, reference: Reference, *, subject: str) -> "RegistryRepository":
        """The repository of what the user calls `subject`."""
        return RegistryRepository(self, reference, subject=subject)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryEndpoint:
    """One place to ask: `url` is its repository below /v2/, `name` what the user calls the host."""

    name: str
    url: str
    access: RepositoryAccess
    is_mirror: bool


class RegistryRepository:
    """One image in a registry; where a mirror is declared for its host, the mirror is asked first.

    Errors quote the subject, carry the registry's own message, and name the next step.
    """

    def __init__(self, registries: Registries, reference: Reference, *, subject: str) -> None:
        self._registries = registries
        self._transport = registries.transport
        self._reference = reference
        self._subject = subject
        self._given: Counter[tuple[str, Digest]] = Counter()
        own = self._endpoint(reference.host, registry_address(reference.host), reference.path, is_mirror=False)
        self._endpoints = [own]
        if mirror := self._transport.settings(reference.host).mirror:
            host, _, prefix = mirror.strip("/").partition("/")
            path = f"{prefix}/{reference.path}" if prefix else reference.path
            self._endpoints.insert(0, self._endpoint(host, host, path, is_mirror=True))

    def resolve(self) -> Descriptor:
        """What the tag (`latest` without one) or the digest names now. A digest goes before a tag."""
        return self.first(self._resolve)

    def manifest(self, descriptor: Descriptor) -> bytes:
        """The exact bytes of a manifest or index; an IntegrityError when they have not the descriptor's digest.

        Its size is a hint: registries list sizes of other things too (manifest, config and layers together, say).
        """

        def ask(endpoint: RegistryEndpoint) -> bytes:
            raw = self._registries.manifests.get(descriptor.digest)
            if raw is None:
                raw = self._get_manifest(endpoint, str(descriptor.digest)).body
                self._remember(raw, descriptor.digest, endpoint)
                self._compare(descriptor, raw, endpoint)
            return raw

        return self.first(ask)

    def read(self, descriptor: Descriptor, offset: int) -> Iterator[bytes]:
        """A blob's bytes from `offset` on, not checked here.

        Who asks again for a blob that a mirror gave whole found it damaged, and gets it from the registry itself. What
        the registry has not comes from where its descriptor says that it may be had.
        """
        at, left = offset, list[str]()
        for endpoint in self._endpoints:
            key = (endpoint.name, descriptor.digest)
            if endpoint.is_mirror and (self._registries.learned.unreachable(endpoint.name) or self._given[key]):
                continue
            try:
                with self._explained(endpoint, left):
                    for chunk in self._transport.stream(
                        f"{endpoint.url}/blobs/{descriptor.digest}",
                        subject=self._subject,
                        size=descriptor.size,
                        offset=at,
                        auth=endpoint.access,
                    ):
                        at += len(chunk)
                        yield chunk
                self._given[key] += 1
                return
            except (SourceError, IntegrityError) as err:
                if not endpoint.is_mirror and is_elsewhere(descriptor, err):
                    yield from read_elsewhere(self._transport, descriptor, at, endpoint.name, subject=self._subject)
                    return
                left.append(self._leave_mirror(endpoint, err))

    def tagged(self, tag: str) -> Descriptor | None:
        """What another tag of the repository names; None where neither a mirror nor the registry itself has it."""
        return self._any(lambda endpoint: self._tagged(endpoint, tag))

    def referring(self, subject: Digest) -> tuple[Descriptor, ...] | None:
        """What refers to a manifest (distribution-spec, "Listing Referrers"); None where there is no such API."""
        return self._any(
            lambda endpoint: self._registries.referring(
                endpoint.name, endpoint.url, subject, access=endpoint.access, subject=self._subject
            )
        )

    def _any(self, ask: Callable[[RegistryEndpoint], T | None]) -> T | None:
        """The answer of the first endpoint that has one; a mirror often has not all that its registry has."""
        for endpoint in self._endpoints[:-1]:
            if self._registries.learned.unreachable(endpoint.name):
                continue
            try:
                if answer := ask(endpoint):
                    return answer
            except (SourceError, IntegrityError) as err:
                self._leave_mirror(endpoint, err)
        own = self._endpoints[-1]
        self._registries.learned.check_reachable(own.name, self._subject)
        try:
            with self._explained(own):
                return ask(own)
        except NetworkError as err:
            self._registries.learned.note_unreachable(own.name, err, self._subject)
            raise

    def first(self, ask: Callable[[RegistryEndpoint], T]) -> T:
        """The answer of the first endpoint that has one."""
        left: list[str] = []
        for endpoint in self._endpoints[:-1]:
            if known := self._registries.learned.unreachable(endpoint.name):
                left.append(known)
                continue
            try:
                return ask(endpoint)
            except (SourceError, IntegrityError) as err:
                left.append(self._leave_mirror(endpoint, err))
        with self._explained(self._endpoints[-1], left):
            return ask(self._endpoints[-1])

    def _leave_mirror(self, endpoint: RegistryEndpoint, err: SourceError | IntegrityError) -> str:
        """Go on with the next endpoint, saying why, and return that; raises the error again when there is none."""
        if not endpoint.is_mirror:
            raise err
        if isinstance(err, NetworkError):
            self._registries.learned.note_unreachable(endpoint.name, err, self._subject)
        reason = err.what.removeprefix(f"{self._subject}: ")
        self._registries.meter.say(self._subject, f"{reason}; asking {self._reference.host} itself")
        return reason

    def _resolve(self, endpoint: RegistryEndpoint) -> Descriptor:
        pinned, tag = self._reference.digest, self._reference.tag or "latest"
        name = str(pinned or tag)
        return self._describe(endpoint, name, pinned, self._head_manifest(endpoint, name))

    def _tagged(self, endpoint: RegistryEndpoint, tag: str) -> Descriptor | None:
        """None where the registry says that there is no such tag, and only then."""
        url, headers = f"{endpoint.url}/manifests/{tag}", {"Accept": _ACCEPT}
        try:
            head = self._transport.request("HEAD", url, subject=self._subject, headers=headers, auth=endpoint.access)
        except RegistryError as err:
            if err.status == 404:
                return None
            if err.status in TRANSIENT_STATUSES:
                raise
            head = None
        try:
            return self._describe(endpoint, tag, None, head)
        except RegistryError as err:
            if err.status == 404:
                return None
            raise

    def _describe(
        self, endpoint: RegistryEndpoint, name: str, pinned: Digest | None, head: Response | None
    ) -> Descriptor:
        """What a name stands for: as the answer to a HEAD tells, else by a GET."""
        if head:
            media_type, length = head.media_type, number(head.headers.get("Content-Length", ""))
            digest = pinned or self._announced(head, endpoint)
            if digest and media_type in media_types.ACCEPT_MANIFEST and length:
                return Descriptor(media_type=media_type, digest=digest, size=length)
        answer = self._get_manifest(endpoint, name)
        digest = pinned or self._announced(answer, endpoint) or Digest.of(answer.body)
        try:
            manifest = Manifest.parse(answer.body, media_type=answer.media_type, digest=digest)
        except FormatError as err:
            raise SourceError(f"{self._subject}: {endpoint.name}: {err.what}", hint=err.hint) from err
        self._remember(answer.body, digest, endpoint)
        return manifest.descriptor

    def _head_manifest(self, endpoint: RegistryEndpoint, name: str) -> Response | None:
        """None where it is refused: the answer to a GET then says why, which that to a HEAD can't."""
        url, headers = f"{endpoint.url}/manifests/{name}", {"Accept": _ACCEPT}
        try:
            return self._transport.request("HEAD", url, subject=self._subject, headers=headers, auth=endpoint.access)
        except RegistryError as err:
            if err.status in TRANSIENT_STATUSES:
                raise
            return None

    def _get_manifest(self, endpoint: RegistryEndpoint, name: str) -> Response:
        url, headers = f"{endpoint.url}/manifests/{name}", {"Accept": _ACCEPT}
        return self._transport.get(
            url, subject=self._subject, headers=headers, limit=MAX_MANIFEST, auth=endpoint.access
        )

    def _announced(self, response: Response, endpoint: RegistryEndpoint) -> Digest | None:
        """The Docker-Content-Digest; None where the registry sends none."""
        text = response.headers.get("Docker-Content-Digest", "")
        try:
            return Digest.parse(text) if text else None
        except FormatError as err:
            raise SourceError(f"{self._subject}: {endpoint.name} announces {err.what}") from err

    def _remember(self, raw: bytes, digest: Digest, endpoint: RegistryEndpoint) -> None:
        """Keep a manifest for this run; an IntegrityError when it has not its digest."""
        if not digest.matches(raw):
            raise IntegrityError(
                f"{self._subject}: {endpoint.name} gave a manifest with digest {Digest.of(raw)}, expected {digest}",
                hint="the registry or something between it and here changes bytes; nothing was kept",
            )
        self._registries.manifests[digest] = raw

    def _compare(self, descriptor: Descriptor, raw: bytes, endpoint: RegistryEndpoint) -> None:
        if descriptor.size not in (0, len(raw)):
            self._registries.meter.say(
                self._subject,
                f"warning: {endpoint.name} has {len(raw)} bytes for manifest {descriptor.digest}, which is listed "
                f"with {descriptor.size}; its digest is right",
            )

    def _endpoint(self, name: str, address: str, path: str, *, is_mirror: bool) -> RegistryEndpoint:
        access = self._registries.authenticator.access(name, path, subject=self._subject)
        url = f"{self._transport.base(address)}/v2/{path}"
        return RegistryEndpoint(name=name, url=url, access=access, is_mirror=is_mirror)

    @contextmanager
    def _explained(self, endpoint: RegistryEndpoint, left: Sequence[str] = ()) -> Iterator[None]:
        """Give an error of the body the next step that fits who answered, and what mirrors said before (`left`)."""
        try:
            yield
        except (SourceError, IntegrityError) as err:
            if isinstance(err, RegistryError) and not err.hint:
                err.hint = next_step_after(
                    err, self._reference, transport=self._transport, url=endpoint.url, access=endpoint.access,
                    subject=self._subject,
                )  # fmt: skip
            err.what += f"; before that, {'; '.join(left)}" if left and not endpoint.is_mirror else ""
            raise
