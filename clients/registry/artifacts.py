"""Tags of a repository, and small artifacts that refer to what is in one, by oras; connected side only.

What oras says of HTTP goes through our transport, so that CA, logins, proxies and attempts are those that the spec
declares; a mirror is asked for tags first, as for images.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import oras.oci
import oras.provider
import requests
from oras.container import Container

from bundle.errors import RegistryError, SourceError
from bundle.formats import strict_json
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.reference import Reference
from bundle.transfer.image import Manifest
from bundle.transfer.referrers import list_bytes
from clients.http.addresses import origin, registry_address
from clients.http.auth import RepositoryAccess
from clients.http.messages import Method
from clients.http.transport import Transport
from clients.registry.hints import next_push_step
from clients.registry.referrers_tag import ReferrerLists
from clients.registry.repository import RegistryEndpoint, RegistryRepository
from clients.registry.upload import Uploads

_MAX_ANSWER = 16 * 1024 * 1024  # bytes of one page of tags
_MOST_REQUESTS = 2000  # pages of tags; no repository has so many, a registry that goes round does


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """An artifact to attach: its type, its files by title with their media types, and annotations of the whole."""

    kind: str
    files: Mapping[str, tuple[Path, str]]
    annotations: Mapping[str, str]


def list_tags(repository: RegistryRepository, *, transport: Transport, subject: str) -> tuple[str, ...]:
    """All tags of a repository (distribution-spec, "Listing Tags"), page by page, those of referrers left out."""

    def ask(endpoint: RegistryEndpoint) -> Sequence[str]:
        client = _Client(transport, endpoint.url, endpoint.access, subject=subject)
        return cast(Sequence[str], client.get_tags(client.container))

    found = repository.first(ask)
    return tuple(sorted(tag for tag in set(found) if isinstance(tag, str) and not tag.startswith("sha256-")))


class Attachments:
    """Artifacts whose subject is one manifest of a repository. Errors quote the subject as the user knows it."""

    def __init__(self, uploads: Uploads, repository: Reference, root: Descriptor, *, subject: str) -> None:
        registries = uploads.registries
        self._reference, self._root = repository, root
        url = f"{registries.transport.base(registry_address(repository.host))}/v2/{repository.path}"
        access = registries.authenticator.access(repository.host, repository.path, subject=subject, actions="pull,push")
        self._client = _Client(registries.transport, url, access, subject=subject)
        self._lists = ReferrerLists(uploads, repository, subject=subject)

    def attach(self, artifact: Attached, empty: Path) -> tuple[Digest, bool]:
        """Attach it unless it is there; `empty` is a file with `{}`. Returns its digest, and whether it is new.

        A registry without the referrers API gets the list under its tag (distribution-spec, "Referrers Tag Schema").
        """
        try:
            return self._attach(artifact, empty)
        except RegistryError as err:
            refused = self._client.refused if err.status == 401 else ""
            err.hint = err.hint or refused or next_push_step(self._reference, err.status, err.code)
            raise

    def _attach(self, artifact: Attached, empty: Path) -> tuple[Digest, bool]:
        data = oras.oci.NewManifest()
        layers = {title: oras.oci.NewLayer(str(path), kind) for title, (path, kind) in artifact.files.items()}
        data["artifactType"] = artifact.kind
        data["config"] = oras.oci.NewLayer(str(empty), media_types.OCI_EMPTY)
        data["layers"] = [
            {**layer, "annotations": {"org.opencontainers.image.title": title}} for title, layer in layers.items()
        ]
        data["subject"] = asdict(oras.oci.Subject(self._root.media_type, str(self._root.digest), self._root.size))
        data["annotations"] = dict(artifact.annotations)
        manifest = Manifest.parse(strict_json.canonical(data), media_type=media_types.OCI_MANIFEST)
        if manifest.digest in self._lists.listed(self._root.digest):
            return manifest.digest, False
        self._client.container.digest = str(manifest.digest)
        self._client.upload_blob(str(empty), self._client.container, data["config"])
        for title, layer in layers.items():
            self._client.upload_blob(str(artifact.files[title][0]), self._client.container, layer)
        self._client.upload_manifest(data, self._client.container)
        self._lists.add(self._root.digest, Manifest.parse(list_bytes([manifest]), media_type=media_types.OCI_INDEX))
        return manifest.digest, True


class _Client(oras.provider.Registry):  # type: ignore[misc]
    """oras' client of one repository, whose address below /v2/ is `url`."""

    def __init__(self, transport: Transport, url: str, access: RepositoryAccess, *, subject: str) -> None:
        super().__init__()
        self._transport, self._access, self._subject = transport, access, subject
        self._origin, self._left = origin(url), _MOST_REQUESTS
        scheme, _, rest = url.partition("://")
        self.prefix = scheme
        host, _, path = rest.partition("/v2/")
        self.container = Container("name", registry=host)  # given whole: oras takes a dot in a path for a host
        self.container.namespace, _, self.container.repository = path.rpartition("/")

    @property
    def refused(self) -> str:
        """What to do, where the user's login was not accepted."""
        return self._access.refused

    def do_request(
        self,
        url: str,
        method: Method = "GET",
        *,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        stream: bool = False,
    ) -> requests.Response:
        """Called by oras for all that it wants; a refusal is a RegistryError, but for a HEAD's 404."""
        self._left -= 1
        if origin(url) != self._origin or self._left < 0:
            what = "sends to another host for more" if self._left >= 0 else "goes on without an end"
            raise SourceError(f"{self._subject}: {self.container.registry} {what}, which is not followed")
        answer = requests.Response()
        answer.url = url
        try:
            found = self._transport.request(
                method, url, subject=self._subject, headers=headers, limit=_MAX_ANSWER, auth=self._access,
                body=strict_json.canonical(json) if json is not None else data,
            )  # fmt: skip
        except RegistryError as err:
            if err.status != 404 or method != "HEAD":
                raise
            answer.status_code = err.status
            return answer
        answer.status_code, answer.url, answer.raw = found.status, found.url, io.BytesIO(found.body)
        answer.headers.update(found.headers)
        return answer
