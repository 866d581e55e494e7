"""What is different between two bundles: images, charts, files, packages up and down, licences, values."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal
from urllib.parse import unquote

from bundle.report._version_order import compare
from bundle.report.snapshot import Held, Snapshot
from bundle.sbom.summary import SbomSummary

_KINDS = ("images", "charts", "files", "packages", "values")

Direction = Literal["new", "gone", "up", "down", "other"]
_ORDER: tuple[Direction, ...] = ("down", "gone", "new", "other", "up")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One item that is not as it was; `before` is empty for a new one, `after` for one that is gone.

    A `renamed` one has another version, and the same content.
    """

    kind: Literal["new", "gone", "changed", "renamed"]
    name: str
    before: str
    after: str

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageChange:
    """A package with another version than before in some images; several versions at once are joined by commas."""

    kind: str
    name: str
    before: str
    after: str
    direction: Direction
    images: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {**asdict(self), "images": list(self.images)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """All that is different since an earlier bundle, and in sentences what could not be compared (`unknown`).

    `packages` is about images that both hold with different digests; `licences` are those that no package had before.
    """

    since: Snapshot
    images: tuple[Change, ...]
    charts: tuple[Change, ...]
    files: tuple[Change, ...]
    values: tuple[Change, ...]
    packages: tuple[PackageChange, ...]
    licences: tuple[str, ...]
    unknown: tuple[str, ...]

    def counts(self) -> dict[str, int]:
        """How many there are of each kind."""
        return {key: len(getattr(self, key)) for key in _KINDS}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        since = {key: getattr(self.since, key) for key in ("name", "version", "id", "created", "source")}
        items = {key: [change.to_dict() for change in getattr(self, key)] for key in _KINDS}
        return {"since": since, **items, "licences": list(self.licences), "unknown": list(self.unknown)}


def changes(before: Snapshot, after: Snapshot) -> Changes:
    """What is in `after` and not as it was in `before`, sorted by name."""
    moved = [name for name, held in after.images.items() if _differs(before.images.get(name), held)]
    compared = [name for name in moved if name in before.packages and name in after.packages]
    licences: tuple[str, ...] = ()
    if all(name in before.packages for name in before.images) and after.packages:
        licences = tuple(sorted(_licences(after.packages) - _licences(before.packages)))
    return Changes(
        since=before,
        images=tuple(_items(before.images, after.images)),
        charts=tuple(_items(before.charts, after.charts)),
        files=tuple(_items(before.files or {}, after.files or {})) if before.files is not None else (),
        values=tuple(_values(before.values, after.values)),
        packages=_packages(before, after, compared),
        licences=licences,
        unknown=tuple(_unknown(before, after, [name for name in moved if name not in compared])),
    )


def _licences(packages: Mapping[str, SbomSummary]) -> set[str]:
    return {licence for sbom in packages.values() for licence in sbom.licences}


def _differs(before: Held | None, after: Held) -> bool:
    return before is not None and before.digest != after.digest


def _items(before: Mapping[str, Held], after: Mapping[str, Held]) -> Iterator[Change]:
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            yield Change(kind="gone" if new is None else "new", name=name, before=_told(old), after=_told(new))
        elif old != new:
            kind: Literal["renamed", "changed"] = "renamed" if old.digest == new.digest else "changed"
            yield Change(kind=kind, name=name, before=_told(old), after=_told(new))


def _told(held: Held | None) -> str:
    return "" if held is None else f"{held.version} {held.digest}".strip()


def _values(before: Mapping[str, str] | None, after: Mapping[str, str] | None) -> Iterator[Change]:
    if before is None or after is None:
        return
    for key in sorted({*before, *after}):
        if before.get(key) != after.get(key):
            kind: Literal["new", "gone", "changed"]
            kind = "changed" if key in before and key in after else "new" if key in after else "gone"
            yield Change(kind=kind, name=key, before=before.get(key, ""), after=after.get(key, ""))


def _packages(before: Snapshot, after: Snapshot, images: list[str]) -> tuple[PackageChange, ...]:
    """Equal changes of several images are one. What is rarely meant comes first."""
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for image in images:
        old, new = before.packages[image].versions, after.packages[image].versions
        for package in old.keys() | new.keys():
            versions = (_version(old, package), _version(new, package))
            if versions[0] != versions[1]:
                found[package, *versions].append(image)
    told = (_change(*key, images=tuple(found[key])) for key in sorted(found))
    return tuple(sorted(told, key=lambda change: _ORDER.index(change.direction)))


def _version(versions: Mapping[str, tuple[str, ...]], package: str) -> str:
    """The versions that are there, empty when the package is not."""
    return ", ".join(version or "without a version" for version in versions.get(package, ()))


def _change(package: str, before: str, after: str, *, images: tuple[str, ...]) -> PackageChange:
    """`package` is a package URL without version, `pkg:TYPE/NAME`, or a name."""
    kind, _, name = package.removeprefix("pkg:").partition("/") if package.startswith("pkg:") else ("", "", package)
    return PackageChange(
        kind=kind or "other",
        name=unquote(name),
        before=before,
        after=after,
        direction=_direction(kind, before, after),
        images=images,
    )


def _direction(kind: str, before: str, after: str) -> Direction:
    if not before or not after:
        return "new" if after else "gone"
    if ", " in before or ", " in after:
        return "other"
    order = compare(kind, before, after)
    return "up" if order < 0 else "down" if order > 0 else "other"


def _unknown(before: Snapshot, after: Snapshot, images: list[str]) -> Iterator[str]:
    if images:
        yield f"packages of {', '.join(images)}: an SBOM of both bundles is needed; name the earlier bundle itself"
    if before.files is None and after.files:
        yield f"files: {before.source} does not tell them"
    if before.values is None and after.values:
        yield f"values: {before.source} does not tell them; name the earlier bundle itself"
