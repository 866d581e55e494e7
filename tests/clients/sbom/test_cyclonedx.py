import json
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from bundle.oci.digest import Digest
from bundle.sbom.image_contents import Contents, ImageContents
from bundle.sbom.inventory import Inventory
from bundle.sbom.package import Package, System
from clients.sbom.cyclonedx import write_sbom

SYSTEM = System(id="debian", version="12", title="Debian 12")


def package(*licences: str, name: str = "x", **more: Any) -> Package:
    return Package(type="npm", name=name, version="1", licences=licences, places=("a", "b"), **more)


def written(*packages: Package, platforms: tuple[str, ...] = ()) -> dict[str, Any]:
    inventory = Inventory(packages=packages, system=SYSTEM, not_read=("a layer",))
    contents = [
        Contents(digest=Digest.of(each.encode()), platform=each, inventory=inventory, origin="layers")
        for each in platforms or ("linux/amd64",)
    ]
    made = ImageContents(
        name="app", source="example.com/app:1", digest=Digest.of(b"app"), is_index=bool(platforms), contents=contents
    )
    raw = write_sbom(made, tool_version="1.0")
    assert raw == write_sbom(made, tool_version="1.0")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(raw.decode()) is None
    return dict(json.loads(raw))


@pytest.mark.parametrize(
    ("licences", "expected"),
    [
        pytest.param((), None, id="none"),
        pytest.param(("MIT",), [{"license": {"id": "MIT"}}], id="identifier"),
        pytest.param(("do what you like",), [{"license": {"name": "do what you like"}}], id="name"),
        pytest.param(("MIT OR ISC",), [{"expression": "MIT OR ISC"}], id="expression"),
        pytest.param(
            ("MIT AND ISC",), [{"license": {"id": "ISC"}}, {"license": {"id": "MIT"}}], id="all of several apply"
        ),
        pytest.param(
            ("MIT OR ISC", "Zlib"), [{"license": {"id": "Zlib"}}, {"license": {"name": "MIT OR ISC"}}], id="several"
        ),
    ],
)
def test_licences(licences: tuple[str, ...], expected: list[Any] | None) -> None:
    (component,) = [each for each in written(package(*licences))["components"] if each["name"] == "x"]
    given = component.get("licenses")
    assert (sorted(given, key=str) if given else None) == expected


def test_nothing_in_it_changes_by_itself() -> None:
    data = written(package("MIT"), package("MIT", name="y", namespace="@s"))
    assert "timestamp" not in data["metadata"]
    assert data["serialNumber"].startswith("urn:uuid:")
    found = {(each["type"], each.get("group"), each["name"]) for each in data["components"]}
    assert found == {("library", None, "x"), ("library", "@s", "y"), ("operating-system", None, "debian")}
    properties = {each["name"]: each["value"] for each in data["metadata"]["properties"]}
    assert properties == {
        "airgap:sbom:image-source": "example.com/app:1",
        "airgap:sbom:looked-for": "deb, apk, rpm, pypi, npm",
        "airgap:sbom:not-read": "a layer",
        "airgap:sbom:source": "layers",
    }


def test_platforms_are_kept_apart() -> None:
    data = written(package("MIT"), platforms=("linux/amd64", "linux/arm64"))
    assert [(each["name"], len(each["components"])) for each in data["components"]] == [
        ("linux/amd64", 2),
        ("linux/arm64", 2),
    ]
    told = [each["value"] for each in data["metadata"]["properties"] if each["name"] == "airgap:sbom:not-read"]
    assert told == ["linux/amd64: a layer", "linux/arm64: a layer"]
