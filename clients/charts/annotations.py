"""What the annotations of a chart's Chart.yaml say: the images that it uses, and what there is to read of a release.

The images are what the authors wrote down, not what is rendered: helpful where an operator starts further images, and
often out of date. Formats: Artifact Hub's `artifacthub.io/images`, and `images` and
`helm.sh/images`, which look the same.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from bundle.charts.package import Room, read_archive
from bundle.errors import FormatError
from clients.charts.documents import TEXTS, documents
from clients.charts.images import FoundImage

_ANNOTATIONS = ("artifacthub.io/images", "images", "helm.sh/images")
_CHART = re.compile(r"(?:charts/[^/]+/)*Chart\.yaml")
_PACKAGED = re.compile(r"(?:charts/[^/]+/)*charts/(?![_.])[^/]+\.tgz")
_LINKS, _SECURITY = "artifacthub.io/links", "artifacthub.io/containsSecurityUpdates"
_OF_A_RELEASE = re.compile(r"release|change|upgrad|what'?s.?new|migrat|news", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseNotes:
    """What Artifact Hub's annotations say of one version: addresses by their names, and whether it closes holes.

    Where links name release notes or the like, only these are taken.
    """

    links: Mapping[str, str]
    is_security: bool

    @classmethod
    def of(cls, annotations: Any) -> Self:
        """Read the annotations; what can't be read is passed over, and none is no error."""
        given = _mapping(annotations)
        listed = _yaml(given[_LINKS]) if isinstance(given.get(_LINKS), str) else None
        items = [_mapping(each) for each in listed] if isinstance(listed, list) else []
        links = {str(each.get("name") or "link"): str(each["url"]) for each in items if "url" in each}
        links = {name: url for name, url in links.items() if url.startswith(("https://", "http://"))}
        notes = {name: url for name, url in links.items() if _OF_A_RELEASE.search(f"{name} {url}")}
        return cls(links=notes or links, is_security=str(given.get(_SECURITY)).lower() == "true")


def annotated_images(chart: bytes, *, subject: str) -> tuple[FoundImage, ...]:
    """The images that a packaged chart lists, suspected; a FormatError for a package that Helm would refuse."""
    return tuple(dict.fromkeys(_images(chart, "", subject, Room())))


def _images(chart: bytes, above: str, subject: str, room: Room) -> Iterator[FoundImage]:
    files = read_archive(
        chart, keep=lambda name: bool(_CHART.fullmatch(name) or _PACKAGED.fullmatch(name)), subject=subject, room=room
    )
    for name, content in sorted(files.items()):
        if name.endswith(".tgz"):
            yield from _images(content, f"{above}{name}/", f"{subject}: {name}", room)
            continue
        metadata = _mapping(_yaml(content))
        for key, value in _mapping(metadata.get("annotations")).items():
            if key in _ANNOTATIONS and isinstance(value, str):
                yield from (
                    FoundImage(
                        text=text,
                        object=f"Chart/{metadata.get('name')}",
                        field=f"{above}{name}",
                        evidence=f"annotation {key}",
                    )
                    for text in _listed(_yaml(value))
                )


def _listed(value: Any) -> Iterator[str]:
    for item in value if isinstance(value, list) else ():
        text = item.get("image") if isinstance(item, dict) else item
        if isinstance(text, str) and text.strip():
            yield text.strip()


def _yaml(text: bytes | str) -> Any:
    try:
        return next(iter(documents(text, loader=TEXTS)), None)
    except FormatError:
        return None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
