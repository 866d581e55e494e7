"""The images that Chart.yaml lists."""

import pytest

from bundle.charts.package import pack
from clients.charts.annotations import annotated_images


def chart(name: str, annotations: str) -> bytes:
    return f"apiVersion: v2\nname: {name}\nversion: 1.0.0\nannotations: {annotations}\n".encode()


@pytest.mark.parametrize(
    ("annotations", "found"),
    [
        ('{images: "- {name: a, image: \'q.io/a:1.10\'}"}', [("q.io/a:1.10", "annotation images")]),
        ('{artifacthub.io/images: "- {image: a:1}\\n- {image: b:1}"}',
         [("a:1", "annotation artifacthub.io/images"), ("b:1", "annotation artifacthub.io/images")]),
        ('{helm.sh/images: "[a:1]"}', [("a:1", "annotation helm.sh/images")]),
        ('{images: "a: ["}', []),
        ('{images: "none"}', []),
        ('{images: "- {name: a}\\n- 1\\n- \'\'"}', [("1", "annotation images")]),
        ('{other: "- {image: a:1}"}', []),
        ("[]", []),
        ("{images: {}}", []),
    ],
)  # fmt: skip
def test_each_format(annotations: str, found: list[tuple[str, str]]) -> None:
    package = pack([("app/Chart.yaml", chart("app", annotations))])
    assert [(each.text, each.evidence) for each in annotated_images(package, subject="app")] == found


def test_subcharts_packed_or_not() -> None:
    inner = pack([("low/Chart.yaml", chart("low", '{images: "[low:1]"}'))])
    package = pack(
        [
            ("app/Chart.yaml", chart("app", '{images: "[app:1]"}')),
            ("app/charts/mid/Chart.yaml", chart("mid", '{images: "[mid:1]"}')),
            ("app/charts/mid/charts/low-1.0.0.tgz", inner),
            ("app/files/Chart.yaml", chart("none", '{images: "[none:1]"}')),
        ]
    )
    found = {(each.text, each.object, each.field) for each in annotated_images(package, subject="app")}
    assert found == {
        ("app:1", "Chart/app", "Chart.yaml"),
        ("mid:1", "Chart/mid", "charts/mid/Chart.yaml"),
        ("low:1", "Chart/low", "charts/mid/charts/low-1.0.0.tgz/Chart.yaml"),
    }
