"""What the checks of a site find, all of it at once, before the first change."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal

from bundle.errors import AirgapError
from bundle.formats.visible import one_line

Severity = Literal["error", "warning", "note"]

_ORDER: tuple[Severity, ...] = ("error", "warning", "note")
_AT_ONCE = 16  # probes mostly wait for their time-out


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing at the site that is not as it must be (error), that should be looked at (warning), or to know (note).

    `subject` is the check as the user knows it (`tcp db.example.com:3306`), `hint` the next step.
    """

    subject: str
    what: str
    expected: str = ""
    observed: str = ""
    hint: str = ""
    severity: Severity = "error"

    def __str__(self) -> str:
        details = [f"expected {self.expected}"] if self.expected else []
        details += [f"found {self.observed}"] if self.observed else []
        parts = [f"{self.severity}: {self.subject}", self.what, *([", ".join(details)] if details else [])]
        text = one_line(": ".join(parts))
        return f"{text}\n  next: {one_line(self.hint)}" if self.hint else text


Findings = tuple[Finding, ...]

Probe = Callable[[], Findings]
"""One check; empty without findings. It raises nothing but AirgapError, and ends by itself."""


def collect(probes: Iterable[Probe]) -> Findings:
    """Run all probes side by side; each finding once, errors before warnings before notes, then by subject.

    Of findings of one subject with the same next step, only the last one keeps it.
    """
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="probe") as pool:
        found = [finding for findings in pool.map(_run, probes) for finding in findings]
    ordered = sorted(dict.fromkeys(found), key=lambda each: (_ORDER.index(each.severity), each.subject, each.what))
    nexts = [(each.subject, each.hint) for each in ordered[1:]]
    return tuple(
        replace(each, hint="") if (each.subject, each.hint) == following else each
        for each, following in zip(ordered, [*nexts, None], strict=False)
    )


def render(findings: Sequence[Finding]) -> list[str]:
    """The findings as lines of text, in their order."""
    return [line for finding in findings for line in str(finding).split("\n")]


def finding_of(err: AirgapError, subject: str) -> Finding:
    """The finding that an error amounts to; the subject is not told twice."""
    return Finding(subject=subject, what=err.what.removeprefix(f"{subject}: "), hint=err.hint)


def _run(probe: Probe) -> Findings:
    try:
        return probe()
    except AirgapError as err:
        return (finding_of(err, "preflight"),)
