"""A bundle's approvals to the registry that it is published in; also where `oras` is not installed."""

from dataclasses import replace

from bundle.archive.approvals_artifact import ApprovalsSource
from bundle.meter import Meter
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.reference import Reference
from bundle.transfer.image import Manifest
from bundle.transfer.push import push_image
from bundle.transfer.referrers import list_bytes
from bundle.transfer.transfers import Transfers
from clients.registry.referrers_tag import ReferrerLists
from clients.registry.upload import Uploads


def push_approvals(
    uploads: Uploads,
    repository: Reference,
    bundle: Descriptor,
    approvals: ApprovalsSource,
    *,
    subject: str,
    meter: Meter,
    transfers: Transfers,
) -> bool:
    """Attach them to the `bundle` in the repository; returns whether they were not there yet.

    A registry without the referrers API gets the list under its tag (distribution-spec, "Referrers Tag Schema").
    """
    root = approvals.resolve()
    place = replace(repository, tag="", digest=root.digest)
    sink = uploads.repository(place, subject=subject)
    pushed = push_image(approvals, root, sink, subject=subject, meter=meter, transfers=transfers)
    wanted = Manifest.parse(list_bytes([approvals.artifact]), media_type=media_types.OCI_INDEX)
    ReferrerLists(uploads, repository, subject=subject).add(bundle.digest, wanted)
    return pushed.changed
