"""dpkg's database: what is installed, and what it was made of."""

import pytest

from bundle.sbom._debian import copyright_path, read_status
from bundle.sbom.package import Package, System

SYSTEM = System(id="debian", version="12")


def packages(text: str, system: System = SYSTEM) -> list[Package]:
    return list(read_status(text.encode(), "var/lib/dpkg/status", system, lambda name: (f"licence of {name}",)))


@pytest.mark.parametrize(
    ("status", "is_there"),
    [
        ("Status: install ok installed\n", True),
        ("Status: hold ok installed\n", True),
        ("Status: install ok half-configured\n", True),
        ("", True),
        ("Status: deinstall ok config-files\n", False),
        ("Status: purge ok not-installed\n", False),
    ],
)
def test_of_which_packages_files_are_there(status: str, is_there: bool) -> None:
    assert bool(packages(f"Package: a\n{status}Version: 1\n")) is is_there


@pytest.mark.parametrize(
    ("source", "upstream"),
    [
        ("", ""),
        ("Source: a\n", ""),
        ("Source: gcc-12\n", "gcc-12"),
        ("Source: gcc-12 (12.2.0-14)\n", "gcc-12@12.2.0-14"),
        ("Source: a (0.9)\n", "a@0.9"),
        ("Source: gcc-12 (1)\n", "gcc-12"),
    ],
)
def test_the_source_package_where_it_is_another(source: str, upstream: str) -> None:
    (package,) = packages(f"Package: a\nVersion: 1\n{source}")
    assert package.qualifiers["upstream"] == upstream


def test_all_that_is_known_of_a_package() -> None:
    (package,) = packages(
        "Package: libc6\nVersion: 2.36-9+deb12u4\nArchitecture: amd64\nDescription: GNU C Library\n Version: not this\n"
    )
    assert package.purl == "pkg:deb/debian/libc6@2.36-9%2Bdeb12u4?arch=amd64&distro=debian-12"
    assert package.licences == ("licence of libc6",)
    assert package.places == ("var/lib/dpkg/status",)


def test_a_derivative_is_its_own_vendor() -> None:
    (package,) = packages("Package: a\nVersion: 1\n", System(id="ubuntu", version="24.04"))
    assert package.purl == "pkg:deb/ubuntu/a@1?distro=ubuntu-24.04"


def test_stanzas_without_a_name_or_a_version_and_rubbish_are_passed_over() -> None:
    found = packages(
        "Package: a\n\nVersion: 1\n\n\nrubbish \ufffd\nPackage: b\nVersion: 2\n\n   \nPackage: c\nVersion: 3"
    )
    assert [(package.name, package.version) for package in found] == [("b", "2"), ("c", "3")]


def test_where_licences_are_told() -> None:
    assert copyright_path("libc6") == "usr/share/doc/libc6/copyright"
