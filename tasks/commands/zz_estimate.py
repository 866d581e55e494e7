"""How many bytes a run would fetch, as far as that is known without asking anybody."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from bundle.formats.sizes import human
from bundle.oci.digest import Digest
from tasks.collect.images import missing, pin_of
from tasks.runtime.project import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchEstimate:
    """The bytes that pulls would fetch: `certain` are known to be missing, `most` is the most that pinned images whose
    manifest is not in the cache can need, `unknown` names images that are not pinned yet.
    """

    certain: int
    most: int
    unknown: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For `doit plan --json`."""
        return {"bytes_to_fetch": self.certain, "bytes_at_most": self.most, "unknown": list(self.unknown)}

    def lines(self) -> Iterator[str]:
        """For people; nothing when nothing is to be fetched."""
        if not (self.most or self.unknown):
            return
        known = human(self.certain) if self.certain == self.most else f"{human(self.certain)} to {human(self.most)}"
        more = f", and {', '.join(self.unknown)}, whose size is not known before it is pinned" if self.unknown else ""
        yield f"to fetch: {known}{more}"


def fetch_estimate(project: Project, names: Collection[str]) -> FetchEstimate:
    """What pulling the named images would fetch, each shared blob counted once."""
    parts: dict[Digest, int] = {}
    most, unknown = 0, []
    for image in project.spec.images:
        if image.name not in names:
            continue
        pin, lacking = pin_of(project, image), missing(project, image)
        if lacking is not None:
            parts.update({part.digest: part.size for part in lacking})
        elif pin:
            most += pin.size
        else:
            unknown.append(image.name)
    certain = sum(parts.values())
    return FetchEstimate(certain=certain, most=certain + most, unknown=tuple(unknown))
