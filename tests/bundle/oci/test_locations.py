"""Where images and charts come from, as the spec writes it."""

from pathlib import Path

import pytest

from bundle.errors import FormatError
from bundle.oci.locations import (
    DaemonImage,
    LocalChart,
    LocalImage,
    OciChart,
    RegistryImage,
    RepositoryChart,
    parse_chart,
    parse_image,
)
from bundle.oci.reference import Reference

BASE = Path("/base")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nginx:1", RegistryImage(reference=Reference.parse("nginx:1"))),
        ("oci:5000/x", LocalImage(transport="oci", path=BASE / "5000/x")),
        ("oci:image", LocalImage(transport="oci", path=BASE / "image")),
        ("oci:image:1.0", LocalImage(transport="oci", path=BASE / "image", ref="1.0")),
        ("oci:/abs/image:host:5000/x:1", LocalImage(transport="oci", path=Path("/abs/image"), ref="host:5000/x:1")),
        ("docker-archive:x.tar:a/b:1", LocalImage(transport="docker-archive", path=BASE / "x.tar", ref="a/b:1")),
        ("oci-archive:x.tar", LocalImage(transport="oci-archive", path=BASE / "x.tar")),
        ("docker-daemon:app:1", DaemonImage(name="app:1")),
    ],
)
def test_images(text: str, expected: object) -> None:
    assert parse_image(text, BASE) == expected


DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("there", "text", "path", "ref"),
    [
        ("nginx:1.27.tar", "nginx:1.27.tar", "nginx:1.27.tar", ""),
        ("nginx:1.27.tar", "nginx:1.27.tar:team/app:1", "nginx:1.27.tar", "team/app:1"),
        ("nginx", "nginx:1.27.tar", "nginx", "1.27.tar"),
        ("a:b:c.tar", "a:b:c.tar:@0", "a:b:c.tar", "@0"),
        ("", "x.tar:app:1", "x.tar", "app:1"),
        ("", f"x.tar@{DIGEST}", "x.tar", f"@{DIGEST}"),
        ("", f"x.tar:@{DIGEST}", "x.tar", f"@{DIGEST}"),
        ("", f"x.tar:app:1@{DIGEST}", "x.tar", f"app:1@{DIGEST}"),
        ("a:b.tar", f"a:b.tar:app@{DIGEST}", "a:b.tar", f"app@{DIGEST}"),
        ("", f"{'x' * 300}:1", "x" * 300, "1"),
    ],
)
def test_the_longest_part_that_is_there_is_the_path(tmp_path: Path, there: str, text: str, path: str, ref: str) -> None:
    if there:
        (tmp_path / there).touch()
    found = parse_image(f"docker-archive:{text}", tmp_path)
    assert found == LocalImage(transport="docker-archive", path=tmp_path / path, ref=ref)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("docker://nginx", "leave out docker://"),
        ("https://registry/x", "leave out https://"),
        ("oci://registry/x", "leave out oci://"),
        ("oci:", "names no path"),
        ("docker-daemon:", "names no image"),
        ("UPPER/x y", "no valid"),
    ],
)
def test_image_refusals(text: str, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        parse_image(text, BASE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("oci://quay.io/charts/app", OciChart(reference=Reference.parse("quay.io/charts/app"))),
        ("oci://localhost:5000/app", OciChart(reference=Reference.parse("localhost:5000/app"))),
        ("https://charts.example.com/stable/", RepositoryChart(url="https://charts.example.com/stable")),
        ("charts/app", LocalChart(path=BASE / "charts/app")),
        ("../app-1.0.tgz", LocalChart(path=BASE / "../app-1.0.tgz")),
    ],
)
def test_charts(text: str, expected: object) -> None:
    assert parse_chart(text, BASE) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("oci://quay.io", "no registry host and path"),
        ("oci://charts/app", "no registry host and path"),
        ("oci://quay.io/app:1.0", "carries a tag"),
        ("ftp://x/y", "not a chart source"),
    ],
)
def test_chart_refusals(text: str, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        parse_chart(text, BASE)
