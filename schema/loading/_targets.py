"""What images are called inside, where they come from a source."""

from bundle.errors import FormatError
from bundle.oci.locations import DaemonImage, ImageLocation, RegistryImage
from bundle.oci.reference import Reference


def internal_name(prefix: str, written: str, name: str, location: ImageLocation, *, keep: bool) -> Reference:
    """The full internal name: below the prefix, as written, or else by the source's last component and tag.

    To `keep` the path is to take all of the source's path instead of that component.
    """
    default_path, default_tag = _default_target(name, location)
    if keep:
        default_path = _path(location)
    if "@" in written:
        raise FormatError(f"target {written!r} has a digest", hint="write PATH[:TAG]; the digest is the image's own")
    inside = Reference.parse(f"{prefix}/{written or default_path}")
    if inside.tag:
        return inside
    return Reference.parse(f"{prefix}/{written or default_path}:{default_tag}")


def _path(location: ImageLocation) -> str:
    """The path that an image has in the registry where it is at home."""
    if isinstance(location, RegistryImage):
        return location.reference.path
    ref = location.name if isinstance(location, DaemonImage) else location.ref
    try:
        return Reference.parse(ref).path
    except FormatError:
        raise FormatError(
            "'keep_path' has no path to keep: the source does not name a repository", hint="write a `target` instead"
        ) from None


def _default_target(name: str, location: ImageLocation) -> tuple[str, str]:
    if isinstance(location, RegistryImage):
        reference = location.reference
        if reference.digest and not reference.tag:
            return reference.name, f"digest-{reference.digest.hex[:12]}"
        return reference.name, reference.tag or "latest"
    ref = location.name if isinstance(location, DaemonImage) else location.ref
    for candidate in (f"image:{ref}", ref):
        try:
            if tag := Reference.parse(candidate).tag:
                return name.lower(), tag
        except FormatError:
            continue
    return name.lower(), "latest"
