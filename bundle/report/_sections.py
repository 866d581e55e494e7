"""The report's tables of what a bundle holds: images, charts, files, packages and licences, files to carry."""

from collections import Counter
from collections.abc import Iterator, Sequence

from bundle.formats.sizes import human
from bundle.metadata.manifest import ImageEntry
from bundle.oci.platform import ALL_PLATFORMS
from bundle.report._html import Markup, code, element, item, joined, table
from bundle.report.changes import Change, Changes, PackageChange
from bundle.report.model import Report

MOST_LICENCES = 100  # rows; report.json has all
_MOST_NAMES = 6  # images that a row names


def images_section(report: Report) -> Markup:
    """Every image: its name inside, digest, source, size and packages."""
    rows = [
        (
            joined(entry.name, element("small", str(entry.platform or ALL_PLATFORMS))),
            _image(entry),
            joined(human(entry.size), element("small", f"own {human(report.own(entry.name))}")),
            _package_cell(report, entry),
        )
        for entry in report.manifest.images
    ]
    if not rows:
        return joined()
    parts = [table("Images in the order of the spec", ("Image", "What it is", "#Size", "#Packages"), rows)]
    if checked := [entry.name for entry in report.manifest.images if entry.cosign_key]:
        told = f"The signature of its maker was checked when the bundle was made: {', '.join(checked)}."
        parts.insert(0, element("p", told))
    if report.manifest.derived:
        made = [
            (each.name, code(str(each.reference)), f"{each.base} with the certificates of {each.add_ca}")
            for each in report.manifest.derived
        ]
        parts.append(table("Images that install makes of these", ("Image", "Name inside", "Made of"), made))
    return joined(*parts)


def _image(entry: ImageEntry) -> Markup:
    """Where it comes from, what it is called, and what travels with it."""
    attached = [f"{each.tag} ({', '.join(sorted(set(each.artifacts.values())))})" for each in entry.attachments]
    digests = {
        "digest": entry.digest,
        "key file": entry.cosign_key,
        "engine ID": entry.config,
        "pulled as": entry.upstream,
    }
    return item(
        {
            "name inside": code(str(entry.reference)),
            **{name: code(str(digest)) for name, digest in digests.items() if digest},
            "source": code(entry.source),
            "file": code(", ".join(entry.files)) if entry.file else "",
            "with it": code(", ".join(attached)) if attached else "",
            "not known": f"whether it has more signatures: {told}" if (told := entry.unknown_referrers) else "",
        }
    )


def charts_section(report: Report) -> Markup:
    """Every chart with its version, digest and source."""
    rows = [
        (
            entry.name,
            entry.version,
            item({
                "sha256": code(entry.digest.hex), "source": code(entry.source), "file": code(entry.file),
                "signed": code(entry.provenance) if entry.provenance else "",
                "key file": code(str(entry.keyring)) if entry.keyring else "",
            }),
            human(entry.size),
        )
        for entry in report.manifest.charts
    ]  # fmt: skip
    return table("Helm charts", ("Chart", "Version", "What it is", "#Size"), rows) if rows else joined()


def files_section(report: Report) -> Markup:
    """Every other file, and those that the installation reads."""
    rows = [
        (
            joined(entry.name, *([element("small", "a tool: on PATH during install")] if entry.tool else [])),
            item({"sha256": code(entry.digest.hex), "source": code(entry.source), "file": code(entry.file)}),
            human(entry.size),
        )
        for entry in report.manifest.files
    ]
    parts = [table("Files", ("File", "What it is", "#Size"), rows)] if rows else []
    if report.install:
        read = [(code(name), code(digest.hex)) for name, digest in report.install.items()]
        caption = "What the installation reads: values, certificates, what its actions run"
        parts.append(table(caption, ("File", "sha256"), read))
    return joined(*parts)


def packages_section(report: Report) -> Markup:
    """How many packages, and the licences they come under."""
    if not report.manifest.images:
        return joined()
    if not report.packages:
        return element("p", "The bundle has no lists of packages (SBOM), so nothing is known of what is in its images.")
    lacking = [entry.name for entry in report.manifest.images if entry.name not in report.packages]
    told = f"{report.package_count} different packages, as the SBOM of each image in sbom/ lists them. A licence is "
    told += "worded as its package words it, and counts in each image: that is a hint, and no legal advice."
    parts = [element("p", told)]
    if lacking:
        parts.append(element("p", f"Without an SBOM: {', '.join(lacking)}.", class_="open"))
    unread = [(name, text) for name, sbom in report.packages.items() for text in sbom.not_read]
    if unread:
        parts.append(table("What could not be read for an SBOM", ("Image", "What"), unread))
    rows = [(each.licence, str(each.packages), _names(each.images)) for each in report.licences[:MOST_LICENCES]]
    rest = len(report.licences) - len(rows)
    caption = "Licences, the most frequent first" + (f"; {rest} more are in report.json" if rest else "")
    return joined(*parts, table(caption, ("Licence", "#Packages", "Images"), rows))


def media_section(report: Report) -> Markup:
    """The archive or its parts."""
    rows = [
        (code(medium.file), code(medium.digest.hex), "" if medium.size is None else human(medium.size))
        for medium in report.media
    ]
    return table("The bundle as it is carried", ("File", "sha256", "#Size"), rows) if rows else joined()


def _package_cell(report: Report, entry: ImageEntry) -> Markup:
    held = report.packages.get(entry.name)
    if held is None:
        return joined("not listed")
    return joined(str(held.count), *(element("small", f"{kind} {count}") for kind, count in held.types.items()))


def _names(images: tuple[str, ...]) -> str:
    rest = len(images) - _MOST_NAMES
    return ", ".join(images[:_MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")


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
