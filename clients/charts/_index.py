"""The index of an HTTP chart repository (`index.yaml`, Helm's repository format)."""

import bisect
import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import yaml

from bundle.errors import FormatError, SourceError
from bundle.formats.numbers import number

ARTIFACT_HUB = "artifacthub.io/"
MAX_INDEX = 128 * 1024 * 1024  # bytes; the largest public ones have some 30 million

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NEAREST = 4
_MAX_DEPTH = 100  # of what is passed over; the scanner's time grows with it
_NUMBERS = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?")

_Order = tuple[tuple[int, ...], bool, tuple[tuple[bool, int, str], ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """One version of a chart: where it is (absolute, or relative to the repository) and its sha256 (or empty).

    `annotations` are those of Artifact Hub, which tell of a release.
    """

    version: str
    urls: tuple[str, ...]
    digest: str
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartIndex:
    """The versions of each chart, in the order of the file."""

    entries: Mapping[str, tuple[IndexEntry, ...]]

    @classmethod
    def parse(cls, raw: bytes, *, subject: str) -> Self:
        """Read an index in one pass, keeping only what fetching needs: built whole, a big one takes minutes."""
        try:
            events = iter(yaml.parse(raw, Loader=_LOADER))
            first = next(event for event in events if not _opening(event))
            if not isinstance(first, yaml.MappingStartEvent):
                raise FormatError(f"{subject}: index.yaml is no repository index: it is not a mapping")
            found = dict(_charts(events))
        except yaml.YAMLError as err:
            raise FormatError(f"{subject}: index.yaml is not YAML: {_one_line(err)}") from err
        return cls(entries=found)

    def find(self, name: str, version: str, *, subject: str, source: str) -> IndexEntry:
        """The entry of exactly this version; a SourceError names those that come near."""
        if name not in self.entries:
            near = difflib.get_close_matches(name, self.entries, n=_NEAREST)
            hint = f"it has {', '.join(near)}" if near else "check the chart's name and the repository's address"
            raise SourceError(f"{subject}: the repository {source} has no chart {name!r}", hint=hint)
        versions = self.entries[name]
        for entry in versions:
            if entry.version == version:
                return entry
        raise SourceError(
            f"{subject}: the repository {source} has no version {version!r} of chart {name!r}",
            hint=f"it has {', '.join(nearest(version, [entry.version for entry in versions])) or 'none at all'}",
        )

    def newest(self, name: str, *, subject: str, source: str) -> str:
        """A chart's highest version, a pre-release only where there is no other; a SourceError without the chart."""
        if not self.entries.get(name):
            self.find(name, "", subject=subject, source=source)
        versions = [entry.version for entry in self.entries[name]]
        return max([each for each in versions if "-" not in each] or versions, key=_order)


def nearest(version: str, versions: list[str]) -> list[str]:
    """The versions around this one and the newest, in ascending order (semver 2.0.0, as far as they follow it)."""
    ordered = sorted(set(versions), key=_order)
    place = bisect.bisect_left(ordered, _order(version), key=_order)
    start = max(0, min(place - _NEAREST // 2, len(ordered) - _NEAREST))
    return list(dict.fromkeys([*ordered[start : start + _NEAREST], *ordered[-1:]]))


def _order(version: str) -> _Order:
    core, _, prerelease = version.partition("+")[0].partition("-")
    numbers = _NUMBERS.fullmatch(core)
    parts = tuple((number(part) is None, number(part) or 0, part) for part in prerelease.split("."))
    return tuple(number(each or "0") or 0 for each in numbers.groups()) if numbers else (), not prerelease, parts


def _opening(event: yaml.Event) -> bool:
    return isinstance(event, yaml.StreamStartEvent | yaml.DocumentStartEvent)


def _charts(events: Iterator[yaml.Event]) -> Iterator[tuple[str, tuple[IndexEntry, ...]]]:
    for key, value in _pairs(events):
        if key == "entries" and isinstance(value, yaml.MappingStartEvent):
            for name, versions in _pairs(events):
                if isinstance(versions, yaml.SequenceStartEvent):
                    entries = (_entry(item, events) for item in _items(events))
                    yield name, tuple(entry for entry in entries if entry.version)
                else:
                    _skip(versions, events)
        else:
            _skip(value, events)


def _entry(item: yaml.Event, events: Iterator[yaml.Event]) -> IndexEntry:
    texts = {"version": "", "digest": ""}
    urls: tuple[str, ...] = ()
    annotations: Mapping[str, str] = {}
    if isinstance(item, yaml.MappingStartEvent):
        for key, value in _pairs(events):
            if key in texts and isinstance(value, yaml.ScalarEvent):
                texts[key] = value.value
            elif key == "urls" and isinstance(value, yaml.SequenceStartEvent):
                urls = tuple(url.value for url in _items(events) if isinstance(url, yaml.ScalarEvent))
            elif key == "annotations" and isinstance(value, yaml.MappingStartEvent):
                annotations = dict(_annotations(events))
            else:
                _skip(value, events)
    else:
        _skip(item, events)
    return IndexEntry(version=texts["version"], urls=urls, digest=texts["digest"], annotations=annotations)


def _annotations(events: Iterator[yaml.Event]) -> Iterator[tuple[str, str]]:
    for key, value in _pairs(events):
        if isinstance(value, yaml.ScalarEvent) and key.startswith(ARTIFACT_HUB):
            yield key, value.value
        else:
            _skip(value, events)


def _pairs(events: Iterator[yaml.Event]) -> Iterator[tuple[str, yaml.Event]]:
    """Key and first event of each value of a mapping; the caller takes the value's other events before going on."""
    for event in events:
        if isinstance(event, yaml.MappingEndEvent):
            return
        if isinstance(event, yaml.ScalarEvent):
            yield event.value, next(events)
        else:
            _skip(event, events)
            _skip(next(events), events)


def _items(events: Iterator[yaml.Event]) -> Iterator[yaml.Event]:
    """First event of each item of a sequence; the caller takes the item's other events before going on."""
    for event in events:
        if isinstance(event, yaml.SequenceEndEvent):
            return
        yield event


def _skip(event: yaml.Event, events: Iterator[yaml.Event]) -> None:
    """Take the other events of the value that begins with this one."""
    depth = int(isinstance(event, yaml.CollectionStartEvent))
    while depth:
        following = next(events)
        depth += isinstance(following, yaml.CollectionStartEvent) - isinstance(following, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise yaml.YAMLError("it is nested too deeply")


def _one_line(err: yaml.YAMLError) -> str:
    return " ".join(str(err).split())
