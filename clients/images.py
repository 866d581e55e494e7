"""Opens the right source for where an image comes from."""

from bundle.errors import SourceError
from bundle.local_source import open_local
from bundle.locations import ImageLocation, LocalImage, RegistryImage
from bundle.referrers import ReferrerSource
from clients.registry import Registries


def open_image(location: ImageLocation, *, subject: str, registries: Registries) -> ReferrerSource:
    """The image at `location`. Nothing is connected to yet; local files are opened.

    Raises SourceError for a local file that is none of what it should be, and for an image in the Docker Engine, which
    keeps layers unpacked: what it would give has other digests than the image that was once pulled.
    """
    match location:
        case RegistryImage(reference=reference):
            return registries.repository(reference, subject=subject)
        case LocalImage():
            return open_local(location, subject=subject)
    raise SourceError(
        f"{subject}: images are not taken from the Docker Engine directly",
        hint=f"docker save -o image.tar {location.name}, and give docker-archive:image.tar as the source",
    )
