"""The report's tables, each on what a bundle has, and on what it has not."""

from dataclasses import replace

import pytest

from bundle.oci.digest import Digest
from bundle.oci.platform import ALL_PLATFORMS
from bundle.report import _sections as sections
from bundle.report._html import Markup
from bundle.report.model import Report
from tests.fixtures.made.made_report import report_of
from tests.fixtures.pages import Page

NOTHING = replace(report_of(1).manifest, images=(), charts=(), files=())
EMPTY = replace(report_of(1), manifest=NOTHING, packages={}, install={}, media=())


def page(markup: Markup) -> Page:
    found = Page(f"<body>{markup}</body>")
    assert found.faults == []
    return found


def test_a_bundle_without_anything_has_no_empty_tables() -> None:
    for make in (
        sections.images_section,
        sections.charts_section,
        sections.files_section,
        sections.packages_section,
        sections.media_section,
    ):
        assert make(EMPTY) == ""


def test_every_image_has_a_row() -> None:
    report = report_of(6)
    text = page(sections.images_section(report)).text
    for entry in report.manifest.images:
        for told in (entry.name, str(entry.reference), str(entry.digest), entry.source):
            assert told in text


def test_an_image_for_all_platforms_says_so() -> None:
    report = report_of(1)
    every = replace(report.manifest, images=(replace(report.manifest.images[0], platform=None),))
    found = page(sections.images_section(replace(report, manifest=every)))
    assert ALL_PLATFORMS in found.texts["small"]


def test_images_whose_signature_was_checked_are_named() -> None:
    report = report_of(2)
    first, second = report.manifest.images
    signed = replace(report.manifest, images=(replace(first, cosign_key=Digest.of(b"key")), second))
    text = page(sections.images_section(replace(report, manifest=signed))).text
    assert f"was checked when the bundle was made: {first.name}." in text
    assert str(Digest.of(b"key")) in text
    assert "was checked" not in page(sections.images_section(report)).text


def test_charts_files_and_what_install_reads() -> None:
    report = report_of(1)
    assert "charts/shop-2.1.0.tgz.prov" in page(sections.charts_section(report)).text
    text = page(sections.files_section(report)).text
    for told in ("files/helm", "a tool: on PATH during install", "install/values/shop.yaml"):
        assert told in text


def with_licences(count: int) -> Report:
    report = report_of(1)
    name = report.manifest.images[0].name
    summary = report.packages[name]
    told = replace(summary, licences={f"Licence-{number:03}": 1 for number in range(count)}, unlicensed=0, not_read=())
    return replace(report, packages={name: told})


@pytest.mark.parametrize(("more", "told"), [(0, False), (3, True)])
def test_a_long_list_of_licences_ends_and_says_so(more: int, told: bool) -> None:
    found = page(sections.packages_section(with_licences(sections.MOST_LICENCES + more)))
    assert len(found.all("tr")) == sections.MOST_LICENCES + 1
    assert ("3 more are in report.json" in found.text) is told


def test_images_without_a_list_of_packages_are_named() -> None:
    report = report_of(3)
    lacking = report.manifest.images[-1].name
    assert f"Without an SBOM: {lacking}." in page(sections.packages_section(report)).text
    bare = replace(report, packages={})
    assert "The bundle has no lists of packages (SBOM)" in page(sections.packages_section(bare)).text


def test_what_could_not_be_read_is_told() -> None:
    report = report_of(1)
    name = report.manifest.images[0].name
    summary = replace(report.packages[name], not_read=("opt/x.jar: a Java archive",))
    found = page(sections.packages_section(replace(report, packages={name: summary})))
    assert "opt/x.jar: a Java archive" in found.text


def test_nothing_compared_says_how_to() -> None:
    assert "doit report since=PREVIOUS" in page(sections.changes_section(None)).text


def test_differences_by_kind_and_none_at_all() -> None:
    changes = report_of(6).changes
    assert changes
    text = page(sections.changes_section(changes)).text
    for told in ("Compared with shop 2.0.0", "Images", "Charts", "Values", "Packages in images that changed", "DOWN"):
        assert told in text
    assert "No difference was found." not in text
    same = replace(changes, images=(), charts=(), files=(), packages=(), licences=(), values=(), unknown=("sbom of x",))
    text = page(sections.changes_section(same)).text
    assert "No difference was found." in text
    assert "Could not be compared:sbom of x" in text


def test_a_long_list_of_packages_ends_and_says_so() -> None:
    changes = report_of(6).changes
    assert changes
    many = replace(changes, packages=changes.packages[:1] * (sections.MOST_PACKAGES + 2))
    assert "2 more rows are in report.json" in page(sections.changes_section(many)).text
