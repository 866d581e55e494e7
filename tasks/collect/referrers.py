"""What refers to an image of the spec: pinned with it, fetched, checked, and what of it travels."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bundle.errors import AirgapError, IntegrityError, SignatureError, storage_errors
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.transfer.attachment import Attachment
from bundle.transfer.fetch import FetchedImage, ResolvedImage, stored_image
from bundle.transfer.image import Manifest, ReferrerSource, leads_to
from bundle.transfer.referrers import (
    Referrer,
    attached_to,
    attachments,
    fetch_referrers,
    find_referrers,
    named_roots,
    stored_referrers,
)
from schema.lock import ImagePin
from schema.spec.contents import ImageSpec
from tasks.runtime.project import Project


def looked_up(
    project: Project, image: ImageSpec, pin: ImagePin, found: ResolvedImage, source: ReferrerSource, *, subject: str
) -> ImagePin:
    """The pin with what refers to the image now; a SignatureError when it must be signed and is not.

    What the source refuses to tell, or can't be asked, is in the pin and a warning, and an error where referrers are
    required, or where a signature is and none was found. An index that only one platform is taken of is looked at where
    a signature is wanted, as that is what is signed.
    """
    if not image.referrers and not image.cosign_key:
        return pin
    index = found.top.digest if image.cosign_key and found.top.digest != pin.digest else None
    subjects = (*found.manifests, *((index,) if index else ()))
    faults: list[AirgapError] | None = None if image.require_referrers else []
    found_now = find_referrers(source, subjects, subject=subject, faults=faults)
    pin = replace(pin, index=index, referrers=found_now, unknown_referrers=_unknown(faults, subject))
    if image.cosign_key:
        if faults and not found_now:
            raise faults[0]
        pin = fetch(project, image, pin, source)
        check(project, image, pin, source, subject=subject)
    warn(project, image, pin)
    return pin


def warn(project: Project, image: ImageSpec, pin: ImagePin) -> None:
    """Say what is not known of an image that is taken all the same."""
    if pin.unknown_referrers and image.referrers:
        project.console.text(
            f"   warning: image {image.name!r}: not all signatures and SBOMs of it are known: {pin.unknown_referrers}\n"
            f"  next: `doit lock {image.name}` asks again; `referrers: false` of the image does not ask"
        )


def fetch(project: Project, image: ImageSpec, pin: ImagePin, source: ReferrerSource) -> ImagePin:
    """Bring what refers to the image into the cache, where it travels or a signature is looked for in it.

    Returns the pin without those that can't be had, which is an error where they are required.
    """
    faults: list[AirgapError] | None = None if image.require_referrers else []
    wanted = pin.referrers if image.referrers or image.cosign_key else ()
    came = fetch_referrers(
        source,
        wanted,
        project.store,
        subject=image.name,
        meter=project.console,
        transfers=project.transfers,
        faults=faults,
    )
    if not faults:
        return pin
    known = {each.digest for each in wanted} - {each.digest for each in came}
    left = tuple(each for each in pin.referrers if each.digest not in known)
    return replace(pin, referrers=left, unknown_referrers=_unknown(faults, ""))


def check(project: Project, image: ImageSpec, pin: ImagePin, source: ReferrerSource, *, subject: str) -> None:
    """Does nothing where the spec wants no signature; a SignatureError when it wants one and there is none.

    Signed must be the image, or an index that lists it. The signatures must be in the cache.
    """
    if not image.cosign_key:
        return
    from clients.cosign import check_signed  # cryptography is for who checks signatures only

    if not pin.referrers:
        raise SignatureError(
            f"{subject}: no signature of {pin.digest} was there when it was pinned",
            hint=f"if it is signed by now, `doit lock {image.name}` looks for signatures anew",
        )
    manifests = [_manifest(project, each, subject) for each in pin.referrers]
    digests = (pin.digest, *((pin.index,) if pin.index else ()))
    signed = check_signed(
        manifests,
        lambda layer: _cached(project, layer.digest, subject),
        key=image.cosign_key,
        digests=digests,
        subject=subject,
    )
    if signed != pin.digest:
        _check_listed(project, pin, source, subject)


def travelling(project: Project, image: ImageSpec, pin: ImagePin) -> tuple[Referrer, ...]:
    """What travels with the image: all that refers to its manifests, which must be in the cache."""
    held = stored_image(project.store, pin.digest, pin.media_type) if image.referrers and pin.referrers else None
    if held is None:
        return ()
    return attached_to(pin.referrers, [each.digest for each in held.manifests])


def stored(project: Project, image: ImageSpec, pin: ImagePin) -> tuple[FetchedImage, ...] | None:
    """What the cache knows of what travels; None when a manifest of it is not there."""
    return stored_referrers(project.store, travelling(project, image, pin))


def roots(project: Project, image: ImageSpec, pin: ImagePin) -> dict[str, Descriptor]:
    """What travels, by the tags that it has in the bundle and inside. It must be in the cache."""
    return named_roots(project.store, travelling(project, image, pin))


def attached(project: Project, image: ImageSpec, pin: ImagePin) -> tuple[Attachment, ...]:
    """The same, as the manifest states it."""
    return attachments(project.store, travelling(project, image, pin))


def identity(image: ImageSpec, pin: ImagePin) -> dict[str, Any]:
    """What the above follows from, besides the image itself: empty for an image that nothing refers to."""
    told: dict[str, Any] = {"referrers": [str(each.digest) for each in pin.referrers]} if pin.referrers else {}
    told |= {"unknown_referrers": pin.unknown_referrers} if pin.unknown_referrers else {}
    return told | ({"cosign_key": str(key_digest(image))} if image.cosign_key else {})


def key_digest(image: ImageSpec) -> Digest | None:
    """The sha256 of the file with the key that the image must be signed with, where it must."""
    if not image.cosign_key:
        return None
    with storage_errors(f"read the cosign key of image {image.name!r}", image.cosign_key):
        return Digest.of(image.cosign_key.read_bytes())


def _unknown(faults: Sequence[AirgapError] | None, subject: str) -> str:
    """What stands in the pin for questions that were not answered, each cause once."""
    return "; ".join(dict.fromkeys(fault.what.removeprefix(f"{subject}: ") for fault in faults or ()))


def _check_listed(project: Project, pin: ImagePin, source: ReferrerSource, subject: str) -> None:
    """A signature of an index vouches for what it lists, and for nothing else."""
    store = project.store

    def load(descriptor: Descriptor) -> bytes:
        raw = store.get(descriptor.digest)
        if raw is None:
            raw = source.manifest(descriptor)
            store.put(raw)
        return raw

    index = Descriptor(media_type=media_types.OCI_INDEX, digest=pin.index or pin.digest, size=0)
    taken = [pin.digest]
    if pin.subset_of:
        made = Descriptor(media_type=pin.media_type, digest=pin.digest, size=0)
        taken = [each.digest for each in Manifest.parse(load(made), media_type=pin.media_type).manifests]
    if not all(leads_to(index, each, load, subject=subject) for each in taken):
        raise SignatureError(
            f"{subject}: the signed index {pin.index} does not list {pin.digest}, which {project.lock_path.name} pins",
            hint=f"bring back {project.lock_path.name} from version control, or run `doit lock`",
        )


def _manifest(project: Project, referrer: Referrer, subject: str) -> Manifest:
    raw = _cached(project, referrer.digest, subject)
    return Manifest.parse(raw, media_type=referrer.media_type, digest=referrer.digest)


def _cached(project: Project, digest: Digest, subject: str) -> bytes:
    raw = project.store.get(digest)
    if raw is None:
        raise IntegrityError(f"{subject}: the cache has no good copy of {digest} any more", hint="run again")
    return raw
