"""The reviewer's report as one HTML page: no script, nothing loaded from anywhere, every text escaped."""

from collections.abc import Iterator

from bundle.formats.sizes import human
from bundle.oci.platform import ALL_PLATFORMS
from bundle.report._html import Markup, element, facts, joined, section, table
from bundle.report._picture import MOST, bar, picture, share_name
from bundle.report._sections import (
    changes_section,
    charts_section,
    files_section,
    images_section,
    media_section,
    packages_section,
)
from bundle.report._style import style_sheet
from bundle.report.model import SUBJECTS, Report, Result

# Even if a text of the bundle became markup, the browser would run and load nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_WORDS = {"good": "good", "open": "open", "bad": "FAILED"}
_TITLES = {
    "checksums": "Checksums",
    "signature": "Signature",
    "proof": "Proof that all images are here",
    "rehearsal": "Rehearsal without network",
    "vulnerabilities": "Known vulnerabilities",
}


def report_page(report: Report) -> str:
    """The whole page."""
    title = f"{report.manifest.name} {report.manifest.version}: what is in the bundle"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        element("style", Markup(style_sheet())),
    )
    body = element("body", joined(*_body(report)))
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def _body(report: Report) -> Iterator[Markup]:
    sections = [each for each in _sections(report) if each[2]]
    links = [element("li", element("a", title, href=f"#{anchor}")) for anchor, title, _ in sections]
    yield element("a", "Skip to the content", href="#main", class_="skip")
    yield element("header", *_heading(report))
    yield element("nav", element("ul", *links), aria_label="Contents")
    yield element("main", *(section(*each) for each in sections), id="main", tabindex="-1")
    made = f"Made by airgap {report.manifest.tool}. The same is in report.json, for programs."
    yield element("footer", element("p", made))


def _heading(report: Report) -> Iterator[Markup]:
    manifest = report.manifest
    yield element("h1", f"{manifest.name} {manifest.version}")
    yield element("p", "What this bundle transfers to the air-gapped side, for the approver.", class_="quiet")
    others = sum(each.size for each in manifest.charts) + sum(each.size for each in manifest.files)
    yield facts(
        {
            "Images": str(len(manifest.images)),
            "Charts": str(len(manifest.charts)),
            "Files": str(len(manifest.files)),
            "Size": human(report.image_bytes + others),
            "Packages": str(report.package_count) if report.packages else "not listed",
            "Platform": str(manifest.platform or ALL_PLATFORMS),
            "Created": f"{manifest.created:%Y-%m-%d %H:%M} UTC",
        }
    )
    yield element("p", "Content id ", element("code", str(manifest.id)))


def _sections(report: Report) -> Iterator[tuple[str, str, Markup]]:
    """Anchor, title and content of each section, in order; one without content is left out."""
    yield "results", "What is proven", _results(report)
    yield "verify", "How to check it yourself", _commands(report)
    yield "changes", "What is new", changes_section(report.changes)
    yield "size", "Size by image", _sizes(report)
    yield "images", "Images", images_section(report)
    yield "charts", "Charts", charts_section(report)
    yield "files", "Files", files_section(report)
    yield "packages", "Packages and licences", packages_section(report)
    yield "media", "Files to carry", media_section(report)


def _results(report: Report) -> Markup:
    rows = [(_TITLES[subject], *_result(report.results[subject])) for subject in SUBJECTS]
    note = "Open means that it was not checked, or could not be decided. It does not mean that it is well."
    return joined(element("p", note), table("Results of all checks", ("Check", "Result", "What was found"), rows))


def _result(result: Result) -> tuple[Markup, Markup]:
    state = element("span", _WORDS[result.state], class_=f"state {result.state}")
    details = [element("ul", *(element("li", text) for text in result.details))] if result.details else []
    return state, joined(result.summary, *details)


def _commands(report: Report) -> Markup:
    shown = []
    for command in report.commands:
        shown += [element("h3", command.title), element("pre", element("code", "\n".join(command.lines)))]
        shown += [element("p", f"Expected output: {command.expect}", class_="quiet")]
    return joined(*shown)


def _sizes(report: Report) -> Markup:
    if not report.shares:
        return joined()
    largest = report.shares[0].size
    rows = []
    for share in report.shares:
        kind = "shared" if share.is_shared else "own"
        names = (
            joined(share_name(share), element("small", ", ".join(share.images))) if share.is_shared else share.images[0]
        )
        rows.append((names, human(share.size), bar(share.size, largest, kind)))
    once = report.image_bytes
    alone = sum(sum(entry.blobs.values()) for entry in report.manifest.images)
    told = f"The images take {human(once)} with every layer once; each for itself they would take {human(alone)}."
    if once == alone:
        told = f"The images take {human(once)}. They share no layer."
    if report.manifest.delta:
        told = f"This bundle carries {human(once)} of the images' layers. Left out are {human(report.left_out_bytes)}, "
        told += f"which are inside already by {report.manifest.delta.base}."
    if report.manifest.layout == "docker-archive":
        told += " In this bundle each image is an archive of its own, so shared layers cross with each of them."
    figure = [_figure(report)] if len(report.shares) > 1 else []
    return joined(element("p", told), *figure, table("Bytes by who needs them", ("Needed by", "#Size", "Share"), rows))


def _figure(report: Report) -> Markup:
    rest = f" The {MOST} largest are drawn." if len(report.shares) > MOST else ""
    key = element(
        "figcaption",
        element("span", class_="key own"), "needed by one image",
        element("span", class_="key shared"), f"shared by several images, drawn once.{rest}",
    )  # fmt: skip
    return element("figure", picture(report.shares), key)
