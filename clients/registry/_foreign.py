"""Layers that a registry does not hold, and names addresses for (image-spec descriptor.md, "urls").

The base layers of Windows are such ones: they are in Microsoft's registry only.
"""

from collections.abc import Iterator

from bundle.errors import AirgapError, IntegrityError, RegistryError, SourceError
from bundle.oci.descriptor import Descriptor
from clients.http.addresses import netloc
from clients.http.transport import Transport


def is_elsewhere(descriptor: Descriptor, err: AirgapError) -> bool:
    """Whether a registry's error says that a blob is to be had elsewhere only."""
    return bool(descriptor.urls) and isinstance(err, RegistryError) and err.status == 404


def read_elsewhere(
    transport: Transport, descriptor: Descriptor, offset: int, registry: str, *, subject: str
) -> Iterator[bytes]:
    """A blob's bytes from `offset` on, from the first of its addresses that has them. Not checked here."""
    at = offset
    for number, url in enumerate(descriptor.urls, 1):
        try:
            for chunk in transport.stream(url, subject=subject, size=descriptor.size, offset=at):
                at += len(chunk)
                yield chunk
        except (SourceError, IntegrityError) as err:
            if number < len(descriptor.urls):
                continue
            raise SourceError(
                f"{err.what}; {registry} does not hold this layer ({descriptor.digest}), and names that address for it",
                hint=f"make sure that {netloc(url)} can be reached from here, or choose platforms that do not need it",
            ) from err
        return
