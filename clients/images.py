"""Opens the right source for where an image comes from."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.oci.locations import DaemonImage, ImageLocation, LocalImage, RegistryImage
from bundle.transfer.image import ReferrerSource
from clients.registry.repository import Registries

if TYPE_CHECKING:
    from clients.engine.source import EngineImages


def open_image(
    location: ImageLocation,
    *,
    subject: str,
    registries: Registries,
    engine: "Callable[[], EngineImages]",
    scratch: Path | None = None,
) -> ReferrerSource:
    """The image at `location`. Nothing is connected to yet; local files are opened.

    What is compressed is unpacked into `scratch`. `engine` gives the images of the Docker Engine, where one is to come
    from there. Raises SourceError for a local file that is none of what it should be.
    """
    match location:
        case RegistryImage(reference=reference):
            return registries.repository(reference, subject=subject)
        case LocalImage():
            from bundle.images.local import open_local  # noqa: PLC0415 - a registry's images need no archives read
            from clients.sbom.zstd import open_zstd  # noqa: PLC0415 - the same

            return open_local(location, subject=subject, scratch=scratch, open_zstd=open_zstd)
        case DaemonImage(name=name):
            return engine().present(name, subject=subject)
