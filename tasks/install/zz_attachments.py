"""Signatures and what else travels with an image, into its repository inside."""

from bundle.errors import RegistryError
from bundle.metadata.manifest import ImageEntry
from bundle.transfer.attachment import Attachment
from bundle.transfer.image import ImageSource, Manifest
from bundle.transfer.push import push_image
from tasks.site.receiver import Receiver

# Not logins, limits and faults: these say nothing of what was pushed.
_REFUSED = frozenset({400, 404, 405, 413, 415, 422})


def push_attachments(receiver: Receiver, entry: ImageEntry, source: ImageSource) -> None:
    """Bring everything that is attached to an image from its source into its repository; the image itself is there.

    A RegistryError says how to do without, where the registry refuses such things.
    """
    for attachment in receiver.destination.attachments(entry):
        try:
            _push(receiver, entry, attachment, source)
        except RegistryError as err:
            if err.status in _REFUSED:
                without = f"if this registry takes no such artifacts, set `referrers: false` of image {entry.name!r}"
                err.hint = f"{err.hint}; {without}" if err.hint else without
            raise


def _push(receiver: Receiver, entry: ImageEntry, attachment: Attachment, source: ImageSource) -> None:
    project, destination = receiver.project, receiver.destination
    raw = source.manifest(attachment.root)
    whole = Manifest.parse(raw, media_type=attachment.media_type, digest=attachment.digest)
    for root in whole.manifests if attachment.is_list else (whole.descriptor,):
        digest = root.digest if attachment.is_list else None
        push_image(
            source,
            root,
            destination.attachment_sink(entry, attachment.tag, digest),
            subject=f"image {entry.name!r}",
            meter=project.console,
            transfers=project.transfers,
        )
    if attachment.is_list:
        destination.lists(entry, attachment.tag).add(attachment.subject, whole)
