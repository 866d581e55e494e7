"""The page as a parser sees it: well-formed, loading nothing, readable without seeing it, and complete."""

from dataclasses import replace
from itertools import pairwise

import pytest

from bundle.formats.visible import visible
from bundle.metadata.entries import ProofEntry
from bundle.metadata.manifest import DerivedEntry, ImageEntry
from bundle.oci.digest import Digest
from bundle.report.model import Report, Result
from bundle.report.page import report_page
from bundle.sbom.summary import SbomSummary
from bundle.transfer.attachment import Attachment
from tests.fixtures.made.hostile import HOSTILE
from tests.fixtures.made.made_report import report_of
from tests.fixtures.pages import Page

SIZES = [pytest.param(1, id="1 image"), pytest.param(6, id="6 images"), pytest.param(50, id="50 images")]
LOADING = {"src", "srcset", "data", "poster", "action", "formaction", "background", "xlink:href", "style"}


def page_of(report: Report) -> Page:
    return Page(report_page(report))


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("compared", [True, False], ids=["compared", "alone"])
def test_it_is_well_formed_and_loads_nothing(count: int, compared: bool) -> None:
    page = page_of(report_of(count, compared=compared))
    assert (page.faults, page.open) == ([], [])
    tags = {tag for tag, _, _ in page.elements}
    assert (
        tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "foreignobject", "use"} == set()
    )
    for tag, attributes, _ in page.elements:
        assert not LOADING & attributes.keys(), (tag, attributes)
        assert not [name for name in attributes if name.startswith("on")]
        assert attributes.get("href", "#").startswith("#")
    policy = next(each["content"] for each in page.all("meta") if each.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")


@pytest.mark.parametrize("count", SIZES)
def test_it_can_be_read_without_seeing_it(count: int) -> None:
    page = page_of(report_of(count))
    assert page.all("html") == [{"lang": "en"}]
    assert [tag for tag, _, around in page.elements if around == ("html", "body")] == [
        "a",
        "header",
        "nav",
        "main",
        "footer",
    ]
    assert page.all("a")[0] == {"href": "#main", "class": "skip"}
    ids = [attributes["id"] for _, attributes, _ in page.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    named = [a["href"][1:] for a in page.all("a")]
    for attribute in ("aria-labelledby", "aria-describedby"):
        named += [name for _, a, _ in page.elements for name in a.get(attribute, "").split()]
    assert set(named) <= set(ids)
    levels = [int(tag[1]) for tag, _, _ in page.elements if tag in ("h1", "h2", "h3", "h4")]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert len(page.texts["caption"]) == len(page.all("table"))
    assert all(page.texts["caption"])
    assert {each.get("scope") for each in page.all("th")} == {"col", "row"}
    for tag, attributes, around in page.elements:
        if attributes.get("tabindex") == "0":
            assert attributes["role"] == "region" and attributes["aria-label"], tag  # noqa: PT018
        if tag == "svg" and "figure" not in around[:-1]:
            assert attributes.get("role") == "img" or attributes.get("aria-hidden") == "true"


@pytest.mark.parametrize("count", SIZES)
def test_it_tells_all_of_the_bundle(count: int) -> None:
    report = report_of(count)
    text = page_of(report).text
    for image in report.manifest.images:
        assert all(each in text for each in (image.name, str(image.digest), image.source, str(image.reference)))
    for chart in report.manifest.charts:
        assert all(each in text for each in (chart.name, chart.version, chart.digest.hex, chart.source))
    for file in report.manifest.files:
        assert all(each in text for each in (file.name, file.digest.hex, file.source))
    for licence in report.licences:
        assert licence.licence in text
    for command in report.commands:
        assert "\n".join(command.lines) in text
    for result in report.results.values():
        assert result.summary in text
        assert all(detail in text for detail in result.details)
    assert report.changes
    for change in (*report.changes.images, *report.changes.values):
        assert change.before in text
        assert change.after in text
    for package in report.changes.packages:
        assert package.name in text
    assert str(report.manifest.id) in text
    assert {"good", "open", "FAILED"} <= set(page_of(report).texts["span"])


@pytest.mark.parametrize("text", HOSTILE)
def test_names_of_a_hostile_bundle_stay_names(text: str) -> None:
    honest = report_of(2)
    manifest = replace(
        honest.manifest,
        name=text,
        version=text,
        images=tuple(hostile_image(image, text) for image in honest.manifest.images),
        charts=tuple(replace(chart, name=text, version=text, source=text) for chart in honest.manifest.charts),
        files=tuple(replace(file, name=text, source=text) for file in honest.manifest.files),
        proof=(ProofEntry(release=text, proven=False, reason=text),),
    )
    assert honest.changes
    changes = replace(
        honest.changes,
        since=replace(honest.changes.since, name=text, version=text, id=text, source=text, created=text),
        images=tuple(replace(each, name=text, before=text, after=text) for each in honest.changes.images),
        packages=tuple(
            replace(each, kind=text, name=text, before=text, after=text, images=(text,))
            for each in honest.changes.packages
        ),
        licences=(text,),
        unknown=(text,),
    )
    report = replace(
        honest,
        manifest=manifest,
        packages={text: hostile_sbom(text)},
        install={text: manifest.id},
        media=tuple(replace(medium, file=text) for medium in honest.media),
        results={key: Result(state="open", summary=text, details=(text,)) for key in honest.results},
        changes=changes,
        commands=tuple(replace(each, title=text, lines=(text,), expect=text) for each in honest.commands),
    )
    page, plain = page_of(report), page_of(without(report, text))
    assert page.faults == []
    assert visible(text) in page.text
    assert [(tag, around) for tag, _, around in page.elements] == [(tag, around) for tag, _, around in plain.elements]
    assert not set(page.text) & {chr(0x202E), chr(0x200B), chr(0x2066), chr(0), chr(0x1B)}


def hostile_sbom(text: str) -> SbomSummary:
    return SbomSummary(
        types={text: 1}, licences={text: 1}, unlicensed=0, versions={text: (text,)}, source=text, not_read=(text,)
    )


def hostile_image(image: ImageEntry, text: str) -> ImageEntry:
    return replace(image, name=text, source=text, file=text)


def without(report: Report, text: str) -> Report:
    """The same report with a harmless word of the same length for every hostile one."""
    word = "w" * len(visible(text))

    def tame(value: object) -> object:
        if isinstance(value, str):
            return value.replace(text, word)
        if isinstance(value, tuple):
            return tuple(tame(each) for each in value)
        if isinstance(value, dict):
            return {tame(key): tame(each) for key, each in value.items()}
        if hasattr(value, "__dataclass_fields__"):
            return replace(value, **{name: tame(getattr(value, name)) for name in value.__dataclass_fields__})  # type: ignore[type-var]
        return value

    tamed = tame(report)
    assert isinstance(tamed, Report)
    return tamed


def test_what_belongs_to_an_image_is_told() -> None:
    honest = report_of(2)
    image, other = honest.manifest.images
    key, config = Digest.of(b"key"), Digest.of(b"config")
    signature = Attachment(
        tag=f"sha256-{image.digest.hex}.sig",
        digest=key,
        media_type=image.media_type,
        size=9,
        artifacts={config: "cosign"},
    )
    marked = replace(image, attachments=(signature,), cosign_key=key, config=config, upstream=other.digest)
    made = DerivedEntry(name="trusting", base=other.name, add_ca="${site.ca}", reference=other.reference)
    manifest = replace(honest.manifest, images=(marked, other), derived=(made,))
    text = page_of(replace(honest, manifest=manifest)).text
    for told in (str(key), str(config), f"{signature.tag} (cosign)", "web with the certificates of ${site.ca}"):
        assert told in text
    assert f"was checked when the bundle was made: {image.name}." in text


def test_a_bundle_without_anything() -> None:
    honest = report_of(1, compared=False)
    empty = replace(honest.manifest, images=(), charts=(), files=(), proof=())
    page = page_of(replace(honest, manifest=empty, packages={}, install={}, media=(), changes=None))
    assert page.faults == []
    assert "doit report since=PREVIOUS" in page.text
    assert "Size by image" not in page.text


def test_the_same_report_gives_the_same_page() -> None:
    assert report_page(report_of(6)) == report_page(report_of(6))
