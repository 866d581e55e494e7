"""apk's database."""

from bundle.sbom._alpine import read_installed
from bundle.sbom.package import Package, System

PLACE = "lib/apk/db/installed"
BUSYBOX = "C:Q1abc=\nP:busybox-binsh\nV:1.36.1-r5\nA:x86_64\nL:GPL-2.0-only\no:busybox\nF:bin\nR:sh\nP:not this\n"


def packages(text: str, system: System) -> list[Package]:
    return list(read_installed(text.encode(), PLACE, system))


def test_all_that_is_known_of_a_package() -> None:
    (package,) = packages(BUSYBOX, System(id="alpine", version="3.19.1"))
    assert package.purl == ("pkg:apk/alpine/busybox-binsh@1.36.1-r5?arch=x86_64&distro=alpine-3.19.1&upstream=busybox")
    assert (package.licences, package.places) == (("GPL-2.0-only",), (PLACE,))


def test_its_own_origin_is_no_other_package() -> None:
    (package,) = packages("P:musl\nV:1\no:musl\n", System())
    assert package.purl == "pkg:apk/alpine/musl@1"


def test_blocks_without_a_name_or_a_version_are_passed_over() -> None:
    found = packages("P:a\n\nV:1\n\nrubbish\n\nP:b\nV:2\n\n\n\nP:c\nV:3", System(id="wolfi"))
    assert [package.purl for package in found] == ["pkg:apk/wolfi/b@2?distro=wolfi", "pkg:apk/wolfi/c@3?distro=wolfi"]
