"""What is different between two bundles, from whatever paper of the earlier one there is."""

import json
from dataclasses import replace

from bundle.report.changes import changes
from bundle.report.snapshot import Held, Snapshot
from bundle.sbom.summary import SbomSummary


def held(**images: str) -> Snapshot:
    found = {name: Held(version=text.split()[0], digest=text.split()[1]) for name, text in images.items()}
    return Snapshot(
        name="shop", version="1", id="sha256:x", source="there", images=found, charts={}, files={}, values={}
    )


def deb(*packages: tuple[str, str, str]) -> SbomSummary:
    """An SBOM of Debian packages: name, version, licence."""
    components = [
        {
            "type": "library", "name": name, "version": version, "purl": f"pkg:deb/debian/{name}@{version}?arch=amd64",
            "licenses": [{"license": {"id": licence}}],
        }
        for name, version, licence in packages
    ]  # fmt: skip
    return SbomSummary.decode(json.dumps({"bomFormat": "CycloneDX", "components": components}).encode())


def test_images_new_gone_changed_renamed() -> None:
    before = held(a="1 sha256:a", b="1 sha256:b", c="1 sha256:c", same="1 sha256:s")
    after = held(a="2 sha256:a2", b="2 sha256:b", d="1 sha256:d", same="1 sha256:s")
    found = changes(before, after)
    assert [(each.name, each.kind) for each in found.images] == [
        ("a", "changed"), ("b", "renamed"), ("c", "gone"), ("d", "new"),
    ]  # fmt: skip
    assert (found.images[0].before, found.images[0].after) == ("1 sha256:a", "2 sha256:a2")
    assert found.counts()["images"] == 4


def test_packages_of_images_that_changed() -> None:
    images = {"a": "1 sha256:1", "b": "1 sha256:1", "same": "1 sha256:s"}
    base = [("up", "1.9", "MIT"), ("down", "2.0", "MIT"), ("gone", "1", "MIT"), ("same", "1", "MIT")]
    now = [("up", "1.10", "MIT"), ("down", "2.0~rc1", "MIT"), ("new", "1", "AGPL-3.0"), ("same", "1", "MIT")]
    before = replace(held(**images), packages=dict.fromkeys(images, deb(*base)))
    changed = held(a="2 sha256:2", b="2 sha256:2", same="1 sha256:s")
    after = replace(changed, packages={"a": deb(*now), "b": deb(*now[:1], *base[1:]), "same": deb(*now)})
    found = changes(before, after)
    assert [(each.name, each.direction, each.images) for each in found.packages] == [
        ("debian/down", "down", ("a",)),
        ("debian/gone", "gone", ("a",)),
        ("debian/new", "new", ("a",)),
        ("debian/up", "up", ("a", "b")),
    ]
    assert found.licences == ("AGPL-3.0",)
    assert found.unknown == ()


def test_a_package_that_is_there_in_several_versions() -> None:
    before = replace(held(a="1 sha256:1"), packages={"a": deb(("x", "1", "MIT"), ("x", "2", "MIT"))})
    after = replace(held(a="1 sha256:2"), packages={"a": deb(("x", "2", "MIT"), ("x", "3", "MIT"))})
    (change,) = changes(before, after).packages
    assert (change.before, change.after, change.direction) == ("1, 2", "2, 3", "other")


def test_values() -> None:
    before = replace(held(), values={"v.yaml: a": "1", "v.yaml: b": '""', "v.yaml: c": "2"})
    after = replace(held(), values={"v.yaml: a": "1", "v.yaml: b": '"x"', "v.yaml: d": '""'})
    assert [(each.name, each.kind, each.before, each.after) for each in changes(before, after).values] == [
        ("v.yaml: b", "changed", '""', '"x"'),
        ("v.yaml: c", "gone", "2", ""),
        ("v.yaml: d", "new", "", '""'),
    ]


def test_what_cannot_be_compared_is_said() -> None:
    before = replace(held(a="1 sha256:1"), files=None, values=None)
    after = replace(
        held(a="1 sha256:2"), files={"f": Held(version="", digest="x")}, values={"k": "v"}, packages={"a": deb()}
    )
    found = changes(before, after)
    assert [each.partition(":")[0] for each in found.unknown] == ["packages of a", "files", "values"]
    assert (found.files, found.values, found.licences) == ((), (), ())
