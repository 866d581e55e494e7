"""Where Chart.yaml, Chart.lock and charts/ of a chart say different things of its dependencies.

Helm installs what lies in charts/ and compares names only: a chart that was changed without `helm dependency update` is
installed with the old parts.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_EXACT = re.compile(r"v?([0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]+)?)")
_UPDATE = "`helm dependency update` of the chart brings them together"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """Versions of dependencies by name: as wanted, as locked (None without a lock), and as they are there."""

    wanted: Mapping[str, str]
    locked: Mapping[str, str] | None
    there: Mapping[str, str]


def drift(found: Dependencies) -> Iterator[str]:
    """What is worth a warning, a sentence each."""
    locked = found.locked
    if locked is not None and locked.keys() != found.wanted.keys():
        names = ", ".join(sorted(locked.keys() ^ found.wanted.keys()))
        yield f"Chart.yaml and Chart.lock do not name the same dependencies ({names}); {_UPDATE}"
    for name, version in found.there.items():
        if found.wanted and name not in found.wanted:
            yield f"charts/ holds {name} {version}, which Chart.yaml does not name, and Helm installs it all the same"
        elif locked and name in locked and not _same(locked[name], version):
            yield f"charts/ holds {name} {version}, Chart.lock says {locked[name]}; {_UPDATE}"
        elif (exact := _EXACT.fullmatch(found.wanted.get(name, "").strip())) and not _same(exact[1], version):
            yield f"charts/ holds {name} {version}, Chart.yaml says {exact[1]}; {_UPDATE}"


def _same(one: str, other: str) -> bool:
    return one.removeprefix("v") == other.removeprefix("v")
