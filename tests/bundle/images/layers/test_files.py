"""What a container sees of stacked layers: the last one that holds a path wins, whiteouts remove, links lead on."""

import gzip
import io
import tarfile

import pytest

from bundle.errors import IntegrityError, SourceError
from bundle.images.layers.files import LayeredFiles
from bundle.meter import SilentMeter
from bundle.oci.digest import Digest
from tests.fixtures.images.images import Image, Layer, image
from tests.fixtures.images.system_images import Files, Held, layer_of, layers_of, system

LIMIT = 10_000


def files_of(made: Image) -> LayeredFiles:
    return LayeredFiles.read(Held(made), layers_of(made), suffixes=(".pem",), subject="image 'x'", meter=SilentMeter())


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        pytest.param([{"a/x.pem": b"1"}], b"1", id="one layer"),
        pytest.param([{"a/x.pem": b"1"}, {"a/x.pem": b"2"}, {"b": b""}], b"2", id="the last one wins"),
        pytest.param([{"./a/x.pem": b"1"}, {"/a/x.pem": b"2"}], b"2", id="however paths are written"),
        pytest.param([{"a/x.pem": b"1"}, {"a/.wh.x.pem": b""}], None, id="whiteout"),
        pytest.param([{"a/x.pem": b"1"}, {".wh.a": b""}], None, id="whiteout of its directory"),
        pytest.param([{"a/x.pem": b"1"}, {"a/.wh.x.pem": b"", "a/x.pem": b"2"}], b"2", id="whiteout and anew"),
        pytest.param([{"a/x.pem": b"1"}, {"a/.wh..wh..opq": b""}], None, id="opaque directory"),
        pytest.param([{"a/x.pem": b"1"}, {"a/x.pem": b"2", "a/.wh..wh..opq": b""}], b"2", id="opaque, own file"),
        pytest.param([{"a/x.pem": b"1"}, {".wh..wh..opq": b""}], None, id="opaque root"),
        pytest.param([{"a/x.pem": b"1"}, {"a": b"file"}], None, id="a file in place of the directory"),
        pytest.param([{"a/x.pem": b"1"}, {"a": None}], b"1", id="the directory again"),
        pytest.param([{"a": "/elsewhere"}, {"a": None, "a/x.pem": b"1"}], b"1", id="directory for link"),
        pytest.param([{"a": "b"}, {"b/x.pem": b"1"}], b"1", id="through a link"),
        pytest.param([{"a": "../../b"}, {"b/x.pem": b"1"}], b"1", id="no link leads out"),
        pytest.param([{"a/x.pem": "/c/y.pem", "c": "d/e"}, {"d/e/y.pem": b"1"}], b"1", id="links in links"),
        pytest.param([{"a/x.pem": "y.pem"}], None, id="dangling link"),
    ],
)
def test_a_path_is_what_the_container_sees(layers: list[Files], expected: bytes | None) -> None:
    files = files_of(system(*layers))
    real = files.resolve("a/x.pem")
    entry = files.get(real)
    assert (files.content(real, LIMIT) if entry else None) == expected


def test_a_hard_link_is_the_file_it_leads_to() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as out:
        first = tarfile.TarInfo("store/one")
        first.size = 1
        out.addfile(first, io.BytesIO(b"1"))
        link = tarfile.TarInfo("a/x.pem")
        link.type, link.linkname = tarfile.LNKTYPE, "store/one"
        out.addfile(link)
    data = buffer.getvalue()
    files = files_of(image(Layer(data=data, diff_id=Digest.of(data), compressed=False)))
    assert files.content("a/x.pem", LIMIT) == b"1"


def test_owner_and_mode_are_known() -> None:
    files = files_of(image(layer_of({"a": None, "a/x.pem": b""}, mode=0o600, owner=70_000)))
    entry = files.get("a/x.pem")
    assert entry
    assert (entry.mode, entry.uid, entry.gid, entry.layer) == (0o600, 70_000, 70_000, 0)


def test_links_in_a_circle_are_told() -> None:
    files = files_of(system({"a": "b", "b": "a"}))
    with pytest.raises(SourceError, match="circular links at /a/x"):
        files.resolve("a/x")


def test_a_file_that_is_too_large_is_not_read() -> None:
    files = files_of(system({"x.pem": b"12345"}))
    with pytest.raises(SourceError, match=r"/x\.pem has 5 bytes, more than 4"):
        files.content("x.pem", 4)


def test_a_damaged_layer_is_told_by_its_digest() -> None:
    made = system({"x.pem": b"1"})
    (layer,) = layers_of(made)
    held = Held(made, damaged={layer.digest: layer_of({"x.pem": b"2"}).data})
    with pytest.raises(IntegrityError, match=f"its layer {layer.digest} is damaged"):
        LayeredFiles.read(held, [layer], suffixes=(".pem",), subject="image 'x'", meter=SilentMeter())


def test_what_follows_a_layers_gzip_is_passed_over_but_checked() -> None:
    plain = layer_of({"x.pem": b"1"}, compressed=False).data
    half = len(plain) // 2
    packed = gzip.compress(plain[:half]) + gzip.compress(plain[half:])
    made = image(Layer(data=packed + bytes(200_000), diff_id=Digest.of(plain), compressed=True))
    assert files_of(made).content("x.pem", LIMIT) == b"1"
    (layer,) = layers_of(made)
    held = Held(made, damaged={layer.digest: packed + bytes(199_999) + b"x"})
    with pytest.raises(IntegrityError, match=f"its layer {layer.digest} is damaged"):
        LayeredFiles.read(held, [layer], suffixes=(".pem",), subject="image 'x'", meter=SilentMeter())


@pytest.mark.parametrize(
    ("blob", "told"),
    [
        (b"\x28\xb5\x2f\xfd rest", "it is compressed with zstd, which is not read here"),
        (b"\x1f\x8b rest of it", "it is no gzip"),
        (b"no tar at all", "tar is cut off"),
    ],
    ids=["zstd", "broken gzip", "no tar"],
)
def test_a_layer_that_can_not_be_read_says_why(blob: bytes, told: str) -> None:
    made = image(Layer(data=blob, diff_id=Digest.of(blob), compressed=True))
    with pytest.raises(SourceError, match=told) as caught:
        files_of(made)
    assert "image 'x': layer sha256:" in str(caught.value)
