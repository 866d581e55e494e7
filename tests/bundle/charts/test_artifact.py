"""A chart as `helm push` makes it: the same artifact each time."""

import json

import pytest

from bundle.charts.artifact import ChartSource, chart_tag, placed_names
from bundle.errors import SourceError
from bundle.meter import SilentMeter
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.transfer.image import Manifest
from bundle.transfer.push import push_image
from bundle.transfer.transfers import Transfers
from tests.fixtures.images.fake_images import FakeSink, FakeSource


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


@pytest.fixture
def sink() -> FakeSink:
    return FakeSink()


METADATA = {"apiVersion": "v2", "name": "demo", "version": "0.3.0+build.1", "description": "größer"}


@pytest.mark.parametrize("provenance", [None, b"signed"], ids=["chart", "chart-and-provenance"])
def test_a_chart_is_helms_artifact(sink: FakeSink, provenance: bytes | None) -> None:
    source = ChartSource(b"packaged", metadata=METADATA, provenance=provenance, subject="chart 'demo'")
    done = push_image(
        source, source.resolve(), sink, subject="chart 'demo'", meter=SilentMeter(), transfers=Transfers(1)
    )
    manifest = Manifest.parse(sink.content[done.root.digest])
    assert manifest.media_type == media_types.OCI_MANIFEST
    assert manifest.config.media_type == media_types.HELM_CONFIG
    assert json.loads(sink.content[manifest.config.digest]) == METADATA
    expected = [(media_types.HELM_CHART, b"packaged"), (media_types.HELM_PROVENANCE, b"signed")][
        : 2 if provenance else 1
    ]
    assert [(each.media_type, sink.content[each.digest]) for each in manifest.layers] == expected
    assert manifest.data["annotations"]["org.opencontainers.image.version"] == METADATA["version"]


def test_a_chart_has_one_digest_only() -> None:
    made = [
        ChartSource(b"x", metadata=dict(order), provenance=None, subject="chart").resolve()
        for order in (METADATA.items(), reversed(METADATA.items()))
    ]
    assert made[0] == made[1]


def test_a_chart_source_has_nothing_else() -> None:
    source = ChartSource(b"x", metadata=METADATA, provenance=None, subject="chart 'demo'")
    absent = Descriptor(media_type=media_types.HELM_CHART, digest=Digest.of(b"y"), size=1)
    with pytest.raises(SourceError, match="chart 'demo' has no sha256"):
        list(source.read(absent, 0))
    assert b"".join(source.read(Descriptor(media_type="", digest=Digest.of(b"x"), size=1), 1)) == b""


@pytest.mark.parametrize(("version", "tag"), [("1.2.3", "1.2.3"), ("1.2.3-rc.1+b.4", "1.2.3-rc.1_b.4")])
def test_the_tag_of_a_chart(version: str, tag: str) -> None:
    assert chart_tag(version) == tag


@pytest.mark.parametrize(
    ("charts", "placed"),
    [
        ([("app", "app", "1"), ("web", "web", "1")], {"app": "app", "web": "web"}),
        ([("app", "app", "1"), ("old", "app", "2")], {"app": "app", "old": "app"}),
        ([("app", "app", "1"), ("theirs", "app", "1")], {"app": "app", "theirs": "theirs"}),
    ],
    ids=["two charts", "two versions", "two makers"],
)
def test_what_charts_are_called_inside(charts: list[tuple[str, str, str]], placed: dict[str, str]) -> None:
    assert placed_names(charts) == placed
