"""The list of what refers to a manifest, as registries give it (distribution-spec, "Listing Referrers")."""

import re
from collections.abc import Iterator
from typing import Any

from bundle.errors import FormatError, RegistryError, SourceError
from bundle.formats import strict_json
from bundle.meter import Meter
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.transfer.image import MAX_MANIFEST
from clients.http.addresses import address, netloc, origin
from clients.http.messages import Authorizer
from clients.http.transport import Transport

# How registries say that they do not know this part of the specification. Not 401, 403 or 429: those say nothing of it.
_UNKNOWN_API = frozenset({400, 404, 405, 406, 501})
_NEXT = re.compile(r'<([^<>]*)>\s*;[^,<]*\brel="?next\b')
_MOST_PAGES = 100


def list_referrers(
    transport: Transport, url: str, *, auth: Authorizer, subject: str, meter: Meter
) -> tuple[Descriptor, ...] | None:
    """All pages of the list at `url`, `/v2/REPOSITORY/referrers/DIGEST`; None where the registry has no such API.

    An entry that names no digest is passed over with a warning. Sizes are hints, 0 where none can be read.
    """
    found: list[Descriptor] = []
    page = url
    for _ in range(_MOST_PAGES):
        try:
            answer = transport.get(
                page, subject=subject, headers={"Accept": media_types.OCI_INDEX}, limit=MAX_MANIFEST, auth=auth
            )
        except RegistryError as err:
            if err.status in _UNKNOWN_API and page == url:
                return None
            raise
        content_type = answer.media_type
        if content_type != media_types.OCI_INDEX and page == url:
            return None  # a page of a portal, say: the specification wants this type
        try:
            found += _entries(answer.body, netloc(answer.url), subject, meter)
        except FormatError as err:
            raise SourceError(f"{subject}: the list of its referrers: {err.what}") from err
        following = _NEXT.search(answer.headers.get("Link", ""))
        if not following:
            return tuple(found)
        page = address(answer.url, following[1], subject)
        if origin(page) not in (origin(url), origin(answer.url)):
            raise SourceError(f"{subject}: the list of its referrers goes on at another host, which is not followed")
    raise SourceError(f"{subject}: the list of its referrers has more than {_MOST_PAGES} pages")


def _entries(raw: bytes, host: str, subject: str, meter: Meter) -> Iterator[Descriptor]:
    data = strict_json.decode(raw, "list")
    listed = data.get("manifests") if isinstance(data, dict) else None
    if not isinstance(listed, list):
        raise FormatError("it has no list of manifests")
    for entry in listed:
        try:
            yield Descriptor.from_dict(_sized(entry))
        except FormatError as err:
            meter.say(subject, f"warning: {host} lists a referrer that can't be read: {err.what}")


def _sized(entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise FormatError(f"{entry!r} is no object")
    size = entry.get("size")
    good = isinstance(size, int) and not isinstance(size, bool) and size >= 0
    return entry if good else {**entry, "size": 0}
