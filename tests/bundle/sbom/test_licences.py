import pytest

from bundle.sbom._licences import from_classifiers, from_copyright, named

MACHINE_READABLE = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: demo
# a comment: no field
License: GPL-2+

Files: *
Copyright: 2020 A
License: GPL-2+

Files: lib/*
Copyright: 2020 B
License: LGPL-2.1+ or Artistic
 The text of it.
 License: no field

Files: x
License: Expat

Files: y
License: GPL-3+ with exception

License: BSD-3-clause
 Only a text, which puts no file under it.
"""


@pytest.mark.parametrize(
    ("text", "licences"),
    [
        pytest.param(
            MACHINE_READABLE,
            (
                "GPL-2.0-or-later",
                "GPL-3.0-or-later with exception",
                "LGPL-2.1-or-later OR Artistic-1.0-Perl",
                "MIT",
            ),
            id="machine-readable",
        ),
        pytest.param("\ufeffFormat-Specification: x\n\nFiles: *\nLicense: GPL-1, GPL-3\n", None, id="old form"),
        pytest.param(
            "On Debian systems: /usr/share/common-licenses/GPL-2 and\n/usr/share/common-licenses/Apache-2.0.\n",
            ("Apache-2.0", "GPL-2 (as referred to)"),
            id="for people",
        ),
        pytest.param("All rights reserved.\n", (), id="neither"),
        pytest.param("", (), id="empty"),
    ],
)
def test_a_debian_copyright_file(text: str, licences: tuple[str, ...] | None) -> None:
    expected = ("GPL-1.0-only GPL-3.0-only",) if licences is None else licences
    assert from_copyright(text) == expected


@pytest.mark.parametrize(
    ("text", "licences"),
    [
        pytest.param("MIT", ("MIT",), id="one"),
        pytest.param("  GPL-2.0-only\n AND MIT ", ("GPL-2.0-only AND MIT",), id="spaces"),
        pytest.param("x" * 201, (), id="a text"),
        pytest.param("UNKNOWN", (), id="unknown"),
        pytest.param("", (), id="empty"),
        pytest.param(None, (), id="nothing"),
        pytest.param(3, (), id="a number"),
    ],
)
def test_a_licence_field(text: object, licences: tuple[str, ...]) -> None:
    assert named(text) == licences


def test_classifiers() -> None:
    told = [
        "Programming Language :: Python",
        "License :: OSI Approved",
        "License :: OSI Approved :: MIT License",
        "License :: OSI Approved :: BSD License",
        "License :: Public Domain",
        "License :: OSI Approved :: MIT License",
    ]
    assert from_classifiers(told) == ("MIT", "BSD License", "Public Domain")
