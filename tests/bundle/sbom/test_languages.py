"""Packages of Python and Node.js, from the files that they leave."""

import json
from typing import Any

import pytest

from bundle.sbom._languages import METADATA, PACKAGE, read_metadata, read_package


@pytest.mark.parametrize(
    ("path", "tells"),
    [
        ("usr/lib/python3/dist-packages/a-1.dist-info/METADATA", True),
        ("a-1.egg-info", True),
        ("x/a-1.egg-info/PKG-INFO", True),
        ("x/a-1-py3.11.egg/EGG-INFO/PKG-INFO", True),
        ("EGG-INFO/PKG-INFO", True),
        ("x/a-1.dist-info/RECORD", False),
        ("x/PKG-INFO", False),
        ("x/aEGG-INFO/PKG-INFO", False),
        ("x/METADATA", False),
    ],
)
def test_files_of_python(path: str, tells: bool) -> None:
    assert bool(METADATA.fullmatch(path)) is tells


@pytest.mark.parametrize(
    ("path", "tells"),
    [
        ("app/node_modules/a/package.json", True),
        ("node_modules/@s/a/package.json", True),
        ("a/node_modules/b/node_modules/c/package.json", True),
        ("app/package.json", False),
        ("app/node_modules/a/test/package.json", False),
        ("app/node_modules/.bin/package.json", False),
        ("app/node_modules/@s/package.json", False),
    ],
)
def test_files_of_node(path: str, tells: bool) -> None:
    assert bool(PACKAGE.fullmatch(path)) is tells


@pytest.mark.parametrize(
    ("fields", "licences"),
    [
        ("License-Expression: MIT OR Apache-2.0\nLicense: BSD\n", ("MIT OR Apache-2.0",)),
        ("License: BSD\nClassifier: License :: OSI Approved :: MIT License\n", ("MIT",)),
        ("License: BSD\n", ("BSD",)),
        ("License: The whole text\n        over lines\n", ()),
        ("License: UNKNOWN\n", ()),
        ("", ()),
    ],
)
def test_the_most_exact_licence_counts(fields: str, licences: tuple[str, ...]) -> None:
    package = read_metadata(f"Metadata-Version: 2.1\r\nName: A_b\r\nVersion: 1\r\n{fields}\r\n".encode(), "x")
    assert package
    assert (package.purl, package.licences, package.places) == ("pkg:pypi/a-b@1", licences, ("x",))


def test_what_follows_the_head_is_text() -> None:
    package = read_metadata(b"Name: a\nVersion: 1\n\nVersion: 2\nLicense: MIT\n", "x")
    assert package
    assert (package.version, package.licences) == ("1", ())


@pytest.mark.parametrize("data", [b"", b"Name: a\n", b"Version: 1\n", b"\n\nrubbish", b"\xff\xfe"])
def test_metadata_without_a_name_or_a_version(data: bytes) -> None:
    assert read_metadata(data, "x") is None


@pytest.mark.parametrize(
    ("told", "purl", "licences"),
    [
        ({"name": "a", "version": "1.0.0", "license": "MIT"}, "pkg:npm/a@1.0.0", ("MIT",)),
        ({"name": "@s/a", "version": "1"}, "pkg:npm/%40s/a@1", ()),
        ({"name": "a", "version": "1", "license": {"type": "ISC"}}, "pkg:npm/a@1", ("ISC",)),
        ({"name": "a", "version": "1", "licenses": [{"type": "MIT"}, "BSD-3-Clause", 5]}, "pkg:npm/a@1",
         ("MIT", "BSD-3-Clause")),
    ],
)  # fmt: skip
def test_a_package_of_node(told: dict[str, Any], purl: str, licences: tuple[str, ...]) -> None:
    package = read_package(json.dumps(told).encode(), "x")
    assert package
    assert (package.purl, package.licences) == (purl, licences)


@pytest.mark.parametrize(
    "data",
    [b"{", b"[]", b"{}", b'{"name": "a"}', b'{"name": 1, "version": "1"}', b'{"name": "", "version": "1"}', b"\xff"],
)
def test_what_is_no_package_of_node(data: bytes) -> None:
    assert read_package(data, "x") is None
