"""Helm releases and their revisions, as `helm ... --output json` tells them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from bundle.errors import ReleaseError
from bundle.formats.numbers import count

DEPLOYED = "deployed"
SUPERSEDED = "superseded"
PENDING = frozenset({"pending-install", "pending-upgrade", "pending-rollback", "uninstalling"})
"""What a release is in while helm works on it, and stays in when helm was killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A release's newest revision. `chart` is NAME-VERSION, `updated` as helm writes it.

    `manifest` (YAML, with secrets) and `description` are filled only where said.
    """

    name: str
    namespace: str
    revision: int
    status: str
    chart: str
    updated: str = ""
    description: str = ""
    manifest: str = field(default="", repr=False)

    @property
    def is_pending(self) -> bool:
        """Whether helm works on it now, or was killed when it did."""
        return self.status in PENDING

    @classmethod
    def listed(cls, data: Mapping[str, Any]) -> Self:
        """From an element of `helm list`."""
        return cls(
            name=str(data["name"]),
            namespace=str(data["namespace"]),
            revision=count(data["revision"]),
            status=str(data["status"]),
            chart=str(data["chart"]),
            updated=str(data.get("updated") or ""),
        )

    @classmethod
    def upgraded(cls, data: Mapping[str, Any]) -> Self:
        """From what `helm upgrade` answers; with description and manifest. Its values, with secrets, are left out."""
        info, metadata = data["info"], data["chart"]["metadata"]
        return cls(
            name=str(data["name"]),
            namespace=str(data["namespace"]),
            revision=count(data["version"]),
            status=str(info["status"]),
            chart=f"{metadata['name']}-{metadata['version']}",
            updated=str(info.get("last_deployed") or ""),
            description=str(info.get("description") or ""),
            manifest=str(data.get("manifest") or ""),
        )

    @classmethod
    def past(cls, data: Mapping[str, Any], *, name: str, namespace: str) -> Self:
        """From an element of `helm history`; with description."""
        return cls(
            name=name,
            namespace=namespace,
            revision=count(data["revision"]),
            status=str(data["status"]),
            chart=str(data["chart"]),
            updated=str(data.get("updated") or ""),
            description=str(data.get("description") or ""),
        )


def read_release(read: Callable[[Mapping[str, Any]], Release], data: Mapping[str, Any], subject: str) -> Release:
    """What `read` makes of helm's answer; a ReleaseError where that has another form."""
    try:
        release = read(data)
    except (KeyError, TypeError, AttributeError) as err:
        raise ReleaseError(f"{subject}: helm gave an answer of another form", hint="try the same by hand") from err
    if not release.revision:
        raise ReleaseError(f"{subject}: helm named no revision", hint="try the same by hand")
    return release


def was_deployed(revision: Release) -> bool:
    """Whether a revision is in use, or was before another took its place."""
    return revision.status in (DEPLOYED, SUPERSEDED)


def stands_for(history: Sequence[Release], revision: int) -> bool:
    """Whether what is deployed is what this revision deployed: each later one failed, or went back to it.

    `history` is oldest first. Helm itself describes a revision that it rolled back to another.
    """
    same = {revision}
    for each in history:
        if each.revision <= revision or not was_deployed(each):
            continue
        if each.description not in {f"Rollback to {number}" for number in same}:
            return False
        same.add(each.revision)
    return bool(history) and history[-1].revision in same


def last_good(history: Sequence[Release]) -> Release | None:
    """The newest revision that was deployed once; None when none ever was.

    A revision is superseded only when another was deployed after it, so it was deployed itself.
    """
    deployed = [each for each in history if each.status == DEPLOYED]
    superseded = [each for each in history if each.status == SUPERSEDED]
    return max(deployed or superseded, key=lambda each: each.revision, default=None)
