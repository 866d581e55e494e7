"""What a check of a bundle found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

FindingKind = Literal["missing", "extra", "damaged", "unreadable", "unsafe", "duplicate", "unlisted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One item that is not as it must be; `affects` names the images, charts and files of the spec that need it."""

    kind: FindingKind
    item: str
    expected: str = ""
    observed: str = ""
    affects: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"{self.kind}: {self.item}"
        if self.affects:
            text += f" (of {', '.join(self.affects)})"
        details = [f"expected {self.expected}"] if self.expected else []
        details += [f"found {self.observed}"] if self.observed else []
        return f"{text}: {', '.join(details)}" if details else text


def with_owners(findings: Sequence[Finding], owners: Mapping[str, Sequence[str]]) -> tuple[Finding, ...]:
    """The same findings, each saying whose content it touches; one that is there twice is kept once."""
    told = (replace(finding, affects=tuple(owners.get(finding.item, ()))) for finding in findings)
    return tuple(dict.fromkeys(told))
