"""The lists of what refers to manifests, on the side that is pushed to (distribution-spec, "Pushing Manifests with
Subject"): a registry with the referrers API keeps them by itself, in another they are indexes with a tag.
"""

from bundle.errors import FormatError, RegistryError, SourceError
from bundle.oci import media_types
from bundle.oci.digest import Digest
from bundle.oci.reference import Reference
from bundle.transfer.image import MAX_MANIFEST, Manifest
from bundle.transfer.referrers import list_tag, merged_list
from clients.http.addresses import registry_address
from clients.registry._blob_upload import MAX_ANSWER
from clients.registry.upload import Uploads


class ReferrerLists:
    """Those of one repository. Errors quote the subject and carry the registry's words."""

    def __init__(self, uploads: Uploads, repository: Reference, *, subject: str) -> None:
        registries = uploads.registries
        self._uploads = uploads
        self._registries = registries
        self._transport = registries.transport
        self._host = repository.host
        self._subject = subject
        self._url = f"{self._transport.base(registry_address(repository.host))}/v2/{repository.path}"
        self._access = registries.authenticator.access(
            repository.host, repository.path, subject=subject, actions="pull,push"
        )

    def listed(self, subject: Digest) -> frozenset[Digest]:
        """The manifests that are found here as referring to `subject`."""
        own = self._by_api(subject)
        if own is not None:
            return own
        tagged = self._tagged(subject)
        return frozenset(each.digest for each in tagged.manifests) if tagged else frozenset()

    def add(self, subject: Digest, wanted: Manifest) -> None:
        """Make sure that everything in the list `wanted` is found; the manifests themselves must be there.

        What others have put into a list stays in it.
        """
        if self._by_api(subject) is not None:
            return
        with self._uploads.alone(self._host, subject):
            there = self._tagged(subject)
            known = {each.digest for each in there.manifests} if there else set()
            if not known.issuperset(each.digest for each in wanted.manifests):
                self._put(subject, merged_list(there, wanted) if there else wanted.raw)

    def _by_api(self, subject: Digest) -> frozenset[Digest] | None:
        found = self._registries.referring(self._host, self._url, subject, access=self._access, subject=self._subject)
        return None if found is None else frozenset(each.digest for each in found)

    def _tagged(self, subject: Digest) -> Manifest | None:
        try:
            answer = self._transport.get(
                self._place(subject),
                subject=self._subject,
                headers={"Accept": media_types.OCI_INDEX},
                limit=MAX_MANIFEST,
                auth=self._access,
            )
        except RegistryError as err:
            if err.status == 404:
                return None
            raise
        try:
            found = Manifest.parse(answer.body, media_type=media_types.OCI_INDEX)
        except FormatError as err:
            raise SourceError(f"{self._subject}: {list_tag(subject)}: {err.what}") from err
        if not found.is_index:
            raise SourceError(
                f"{self._subject}: the tag {list_tag(subject)} is taken by something that is no list of referrers",
                hint="remove that tag, or leave signatures out with `referrers: false`",
            )
        return found

    def _put(self, subject: Digest, raw: bytes) -> None:
        self._transport.request(
            "PUT", self._place(subject), subject=self._subject, auth=self._access,
            headers={"Content-Type": media_types.OCI_INDEX}, body=raw, limit=MAX_ANSWER,
        )  # fmt: skip

    def _place(self, subject: Digest) -> str:
        return f"{self._url}/manifests/{list_tag(subject)}"
