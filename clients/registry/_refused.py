"""The next step after a refused pull, by who refused it and why.

A 404 may be for the repository or only for what was asked for of it: many registries answer both with the same words.
"""

import difflib
from dataclasses import dataclass

from bundle.errors import AirgapError, RegistryError
from bundle.formats import strict_json
from bundle.formats.sizes import counted
from bundle.oci.digest import Digest
from bundle.oci.reference import Reference
from clients.http.addresses import netloc
from clients.http.auth import RepositoryAccess
from clients.http.retry import TransientError
from clients.http.transport import Transport
from clients.registry.hints import next_step, next_step_elsewhere

_MAX_TAGS = 1024 * 1024  # bytes of a list of tags; a longer one is not looked at
_NEAR = 3  # tags that are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedRepository:
    """Where was asked: `url` is the repository below /v2/, `subject` what the user calls the image."""

    url: str
    access: RepositoryAccess
    subject: str


def next_step_after(
    err: RegistryError, reference: Reference, part: Digest | None, asked: AskedRepository, transport: Transport
) -> str:
    """What to do about a refusal there.

    `part` is what was asked for where that is not what the reference names, but belongs to it.
    """
    if err.host not in ("", netloc(asked.url)):
        return next_step_elsewhere(reference, err.status, err.host)
    if err.status == 404 and part and part != reference.digest:
        return (
            f"{reference.repository} has no {part}, which its own manifest or index names: push the image there again, "
            "or choose a platform that is there"
        )
    if err.status == 404:
        return _after_absent(reference, err.code, asked, transport)
    return (asked.access.refused if err.status == 401 else "") or next_step(reference, err.status, err.code)


def _after_absent(reference: Reference, code: str, asked: AskedRepository, transport: Transport) -> str:
    """The list of tags tells what a 404 means; where it is refused too, the answer's own `code` has to do."""
    try:
        answer = transport.attempt(
            "GET", f"{asked.url}/tags/list", subject=asked.subject, limit=_MAX_TAGS, auth=asked.access
        )
        data = strict_json.loads(answer.body)
    except RegistryError as err:
        return next_step(reference, 404, "NAME_UNKNOWN" if err.status == 404 else code)
    except (AirgapError, TransientError, ValueError):
        return next_step(reference, 404, code)
    listed = data.get("tags") if isinstance(data, dict) else None
    tags = [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else []
    if reference.digest:
        return f"check the digest: {reference.repository} is there, and has no digest {reference.digest}"
    wanted = reference.tag or "latest"
    near = difflib.get_close_matches(wanted, tags, _NEAR)
    told = (
        f"near it are {', '.join(near)}"
        if near
        else f"it has {counted(len(tags), 'other tag')}"
        if tags
        else "it has none"
    )
    return f"check the tag: {reference.repository} has no tag {wanted!r}; {told}"
