"""The report's section on what is new since an earlier bundle."""

from collections import Counter
from collections.abc import Iterator, Sequence

from bundle.report._html import Markup, element, joined
from bundle.report.changes import Change, Changes, PackageChange
from bundle.report.zz_report_tables import code, item, table

MOST_PACKAGES = 500  # rows; report.json has all
_WORDS = {"new": "new", "gone": "gone", "up": "up", "down": "DOWN", "other": "changed"}


def changes_section(changes: Changes | None) -> Markup:
    """All differences by kind; how to get them when nothing was compared."""
    if changes is None:
        text = "Not compared: no earlier bundle was named or found. "
        return element("p", text, code("doit report since=PREVIOUS"), " compares with one.")
    return joined(*_parts(changes))


def _parts(changes: Changes) -> Iterator[Markup]:
    since = changes.since
    text = f"Compared with {since.title}{f' ({since.created})' if since.created else ''}, content id "
    yield element("p", text, code(since.id), f", as {since.source} tells it.")
    if changes.unknown:
        yield element("p", "Could not be compared:", class_="open")
        yield element("ul", *(element("li", each) for each in changes.unknown))
    for title, items in (("Images", changes.images), ("Charts", changes.charts), ("Files", changes.files)):
        yield from _table(title, title.removesuffix("s"), items)
    yield from _packages(changes.packages)
    if changes.licences:
        yield element("h3", "Licences that no package had before")
        yield element("ul", *(element("li", each) for each in changes.licences))
    yield from _table("Values", "File and key", changes.values)
    if not any(changes.counts().values()):
        yield element("p", "No difference was found.")


def _table(title: str, subject: str, items: Sequence[Change]) -> Iterator[Markup]:
    if items:
        yield element("h3", title)
        rows = [(each.name, each.kind, _before_and_after(each)) for each in items]
        caption = _counted(Counter(each.kind for each in items))
        yield table(caption, (subject, "Change", "Before and after"), rows)


def _before_and_after(change: Change) -> Markup:
    return item({name: code(text) for name, text in (("before", change.before), ("after", change.after)) if text})


def _packages(packages: Sequence[PackageChange]) -> Iterator[Markup]:
    if not packages:
        return
    yield element("h3", "Packages in images that changed")
    rows = [
        (
            joined(each.name, element("small", each.kind)),
            _WORDS[each.direction],
            each.before or "none",
            each.after or "none",
            ", ".join(each.images),
        )
        for each in packages[:MOST_PACKAGES]
    ]
    counted = _counted(Counter(_WORDS[each.direction] for each in packages))
    rest = len(packages) - len(rows)
    caption = counted + (f"; {rest} more rows are in report.json" if rest else "")
    yield table(caption, ("Package", "Change", "Before", "After", "Images"), rows)


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
