import json
from typing import Any

import pytest

from bundle.errors import FormatError
from bundle.sbom.summary import NOT_READ, SOURCE, SbomSummary, sbom_path


def component(purl: str, version: str, *licences: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "library", "name": "x", "version": version, "purl": purl, "licenses": list(licences), **more}


def licence(name: str) -> dict[str, Any]:
    return {"license": {"id": name}}


def decode(*components: dict[str, Any], properties: tuple[tuple[str, str], ...] = ()) -> SbomSummary:
    listed = [{"name": name, "value": value} for name, value in properties]
    data = {"bomFormat": "CycloneDX", "components": list(components), "metadata": {"properties": listed}}
    return SbomSummary.decode(json.dumps(data).encode())


def test_packages_are_counted_by_type_and_licence() -> None:
    summary = decode(
        component("pkg:deb/debian/tar@1.34?arch=amd64", "1.34", {"expression": "GPL-3.0-or-later AND MIT"}),
        component("pkg:npm/%40types/node@20.1.0", "20.1.0", licence("MIT")),
        component("pkg:npm/left-pad@1.3.0", "1.3.0", licence("MIT"), {"license": {"name": "do what you want"}}),
        component("pkg:pypi/six@1.16.0", "1.16.0"),
        {"type": "application", "name": "server", "version": "2"},
        {"type": "operating-system", "name": "debian", "version": "12"},
        {"type": "file", "name": "/etc/passwd"},
    )
    assert summary.types == {"npm": 2, "deb": 1, "other": 1, "pypi": 1}
    assert list(summary.types) == ["npm", "deb", "other", "pypi"]
    assert summary.count == 5
    assert summary.licences == {"MIT": 2, "GPL-3.0-or-later AND MIT": 1, "do what you want": 1}
    assert summary.unlicensed == 2
    assert summary.versions == {
        "pkg:deb/debian/tar": ("1.34",),
        "pkg:npm/%40types/node": ("20.1.0",),
        "pkg:npm/left-pad": ("1.3.0",),
        "pkg:pypi/six": ("1.16.0",),
        "server": ("2",),
    }


def test_packages_of_several_platforms_count_once_for_each_version() -> None:
    def system(platform: str, version: str) -> dict[str, Any]:
        inner = [component(f"pkg:deb/debian/tar@{version}?arch={platform}", version, licence("MIT"))]
        return {"type": "container", "name": "image", "components": inner}

    summary = decode(system("amd64", "1.34"), system("arm64", "1.34"), system("s390x", "1.35"))
    assert summary.types == {"deb": 2}
    assert summary.versions == {"pkg:deb/debian/tar": ("1.34", "1.35")}


def test_it_says_who_looked_and_what_was_not_read() -> None:
    properties = ((SOURCE, "layers"), (NOT_READ, "layer one"), ("other", "x"), (NOT_READ, "layer two"))
    summary = decode(properties=properties)
    assert (summary.source, summary.not_read) == ("layers", ("layer one", "layer two"))
    assert (decode().source, decode().not_read, decode().count) == ("", (), 0)


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"bomFormat": "SPDX"}'])
def test_what_is_no_sbom_is_an_error(raw: bytes) -> None:
    with pytest.raises(FormatError, match="SBOM"):
        SbomSummary.decode(raw)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({"components": 3}, id="components"),
        pytest.param({"components": [3, {"type": "library"}]}, id="component"),
        pytest.param({"components": [{"type": "library", "licenses": [1, {"license": 2}]}]}, id="licences"),
        pytest.param({"metadata": []}, id="metadata"),
    ],
)
def test_odd_content_is_passed_over(data: dict[str, Any]) -> None:
    SbomSummary.decode(json.dumps({"bomFormat": "CycloneDX", **data}).encode())


def test_the_place_in_the_bundle() -> None:
    assert sbom_path("api") == "sbom/api.cdx.json"
