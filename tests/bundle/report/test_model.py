"""The report's model: what it reads of a bundle, and that report.json is what its schema says."""

import json
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from bundle.metadata.delta import BaseName, Delta
from bundle.metadata.entries import ProofEntry
from bundle.report.model import proof_result
from bundle.sbom.summary import NO_LICENCE
from tests.fixtures.made.made_bundle import manifest_of
from tests.fixtures.made.made_report import report_of
from tests.fixtures.places import ROOT

SCHEMA = ROOT / "schema"


def schema(name: str) -> dict[str, object]:
    found = json.loads((SCHEMA / f"{name}.schema.json").read_text())
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("count", [1, 6, 50])
@pytest.mark.parametrize("compared", [True, False], ids=["compared", "alone"])
def test_report_json_is_as_its_schema_says(count: int, compared: bool) -> None:
    registry: Registry[object] = Registry().with_resource(
        "manifest.schema.json", Resource.from_contents(schema("manifest"))
    )
    Draft202012Validator.check_schema(schema("report"))
    data = json.loads(report_of(count, compared=compared).encode())
    Draft202012Validator(schema("report"), registry=registry).validate(data)
    assert [image["name"] for image in data["images"]] == [image["name"] for image in data["manifest"]["images"]]


def test_every_field_of_the_schema_is_described() -> None:
    def properties(node: object, place: str = "") -> list[str]:
        if not isinstance(node, dict):
            return []
        bare = [
            f"{place}/{name}"
            for name, each in node.get("properties", {}).items()
            if not each.get("description", "").endswith(".")
        ]
        return bare + [found for key, each in node.items() for found in properties(each, f"{place}/{key}")]

    assert properties(schema("report")) == []


def test_a_delta_shows_what_it_carries() -> None:
    whole = report_of(6)
    image = whole.manifest.images[0]
    base = BaseName(kind="receipt", name="shop", version="2.0.0", id=image.digest, time=whole.manifest.created)
    absent = {digest: ("there",) for digest, size in image.blobs.items() if size > 1000}
    part = replace(whole, manifest=replace(whole.manifest, delta=Delta(base=base, blobs=absent)))
    assert part.left_out_bytes == sum(size for size in image.blobs.values() if size > 1000)
    assert part.image_bytes == whole.image_bytes - part.left_out_bytes
    assert part.own(image.name) < 1000
    assert not any(share.is_shared for share in part.shares)


@pytest.mark.parametrize(
    ("proof", "state", "summary"),
    [
        pytest.param((), "open", "names no release", id="no release"),
        pytest.param((True,), "good", "charts of 1 release render is in the bundle", id="proven"),
        pytest.param((True, False), "open", "not proven for 1 release of 2", id="one is not"),
    ],
)
def test_the_proof_is_told(proof: tuple[bool, ...], state: str, summary: str) -> None:
    entries = tuple(
        ProofEntry(release=f"r{n}", proven=each, reason="" if each else "no helm") for n, each in enumerate(proof)
    )
    result = proof_result(replace(manifest_of([], "oci"), proof=entries))
    assert result.state == state
    assert summary in result.summary
    assert len(result.details) == len(proof)


def test_licences_over_all_images() -> None:
    counts = {count.licence: (count.packages, count.images) for count in report_of(3).licences}
    assert counts["MIT"] == (48, ("api", "web"))
    assert counts[NO_LICENCE] == (2, ("api", "web"))
    assert report_of(3).package_count == 120 + 1 + 2 + 1
    assert next(iter(counts)) == "Apache-2.0"
