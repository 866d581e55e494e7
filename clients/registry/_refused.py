"""The next step after a refused pull, by who refused it and why.

A 404 may be for the repository or only for what was asked for of it: many registries answer both with the same words.
"""

import difflib

from bundle.errors import AirgapError, RegistryError
from bundle.formats import strict_json
from bundle.formats.sizes import counted
from bundle.oci.reference import Reference
from clients.http.addresses import netloc
from clients.http.auth import RepositoryAccess
from clients.http.retry import TransientError
from clients.http.transport import Transport
from clients.registry.hints import NO_BLOB, next_step, next_step_elsewhere

_MAX_TAGS = 1024 * 1024  # bytes of a list of tags; a longer one is not looked at
_NEAR = 3  # tags that are shown


def next_step_after(
    err: RegistryError, reference: Reference, *, transport: Transport, url: str, access: RepositoryAccess, subject: str
) -> str:
    """What to do about a refusal of what is below `url`, the repository below /v2/."""
    if err.host not in ("", netloc(url)):
        return next_step_elsewhere(reference, err.status, err.host)
    if err.status == 404 and err.code not in NO_BLOB:
        return _after_absent(reference, err.code, transport=transport, url=url, access=access, subject=subject)
    return (access.refused if err.status == 401 else "") or next_step(reference, err.status, err.code)


def _after_absent(
    reference: Reference, code: str, *, transport: Transport, url: str, access: RepositoryAccess, subject: str
) -> str:
    """The list of tags tells what a 404 means; where it is refused too, the answer's own `code` has to do."""
    try:
        answer = transport.attempt("GET", f"{url}/tags/list", subject=subject, limit=_MAX_TAGS, auth=access)
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
