"""Input that was made to keep a reader busy: each is answered within seconds and within a small memory."""

import gzip
import io
import json
import struct
import tarfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from bundle.archive.parts import find_archive
from bundle.charts._helmignore import IgnoreRules
from bundle.charts.package import MAX_UNPACKED, pack, read_archive
from bundle.errors import AirgapError, FormatError, SourceError
from bundle.formats import strict_json
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.sbom._rpm import read_database
from bundle.storage.tar_reader import members
from bundle.storage.tree import index_members
from bundle.storage.volume import ChunkStream, Part, Volume
from bundle.transfer.image import walk_manifests
from clients.charts import _index
from clients.charts._index import nearest
from clients.charts.annotations import annotated_images
from clients.charts.documents import documents
from clients.charts.images import find_images
from clients.charts.metadata import read_metadata
from clients.http.auth import parse_challenges
from clients.preflight.objects.rendered import RenderedObjects
from schema.values.chart import ChartValues

SECONDS = 5.0  # on a busy machine; the attacks took from ten seconds to hours
MEMORY = 100 * 1024 * 1024
DOUBLED = "b{0}: &a{0} [*a{1}, *a{1}]\n"


@contextmanager
def bounded(memory: int = MEMORY, seconds: float = SECONDS) -> Iterator[None]:
    limit = seconds
    tracemalloc.start()
    began = time.process_time()
    try:
        yield
        seconds, peak = time.process_time() - began, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert seconds < limit
    assert peak < memory


def pax(*records: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    data = b"".join(records)
    info = tarfile.TarInfo("pax")
    info.type, info.size = kind, len(data)
    return info.tobuf() + data + bytes(-len(data) % 512)


def record(key: bytes, value: bytes) -> bytes:
    body = b" " + key + b"=" + value + b"\n"
    size = len(body) + len(str(len(body)))
    size = len(body) + len(str(size))
    return str(size).encode() + body


def entry(name: str = "chart/a", data: bytes = b"") -> bytes:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    return info.tobuf() + data + bytes(-len(data) % 512)


def read(tar: bytes) -> list[str]:
    return [member.name for member in members(ChunkStream(iter([tar])))]


def test_an_extended_header_of_many_records() -> None:
    header = pax(record(b"a", b"b") * 170_000)
    with bounded():
        assert read(header + entry() + bytes(1024)) == ["chart/a"]


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_many_extended_headers_before_one_entry(kind: bytes) -> None:
    with bounded(), pytest.raises(FormatError, match="more than 3 extended headers"):
        read(pax(record(b"path", b"a" * 900_000), kind=kind) * 30 + entry() + bytes(1024))


def test_global_headers_without_end_count_as_entries() -> None:
    one = pax(record(b"comment", b"x"), kind=tarfile.XGLTYPE)
    with pytest.raises(FormatError, match="more than 10 entries"):
        list(members(ChunkStream(iter([one * 11 + bytes(1024)])), limit=10))


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(pax(b"9" * 200_000 + b" path=x\n"), id="digits of a length"),
        pytest.param(pax(record(b"size", b"9" * 200_000)), id="digits of a size"),
        pytest.param(pax(b"-1024 path=x\n"), id="negative"),
        pytest.param(pax(b"00000000 path=x\n"), id="zero"),
        pytest.param(pax("²5 path=x\n".encode()), id="other digits"),
    ],
)
def test_a_chart_whose_header_hangs_the_standard_library(header: bytes) -> None:
    with bounded(), pytest.raises(FormatError) as caught:
        read_archive(gzip.compress(header + entry() + bytes(1024)), keep=lambda _: True, subject="chart 'x'")
    assert len(caught.value.what) < 1000


@pytest.mark.parametrize("read_chart", [annotated_images, read_metadata, ChartValues.read])
def test_bombs_in_subcharts_share_one_bound(read_chart: Callable[..., object]) -> None:
    size = MAX_UNPACKED // 3
    bomb = gzip.compress(
        entry("sub/Chart.yaml", b"name: sub\nversion: 1.0.0\n") + entry("sub/b", bytes(size)) + bytes(1024), 1
    )
    files = [("chart/Chart.yaml", b"name: a\nversion: 1.0.0\n")]
    files += [(f"chart/charts/b{number}.tgz", bomb) for number in range(40)]
    with bounded(2 * MAX_UNPACKED), pytest.raises(FormatError, match="unpacks to more than"):
        read_chart(pack(files), subject="chart 'x'")


def test_charts_in_charts_without_end() -> None:
    chart = pack([("a/Chart.yaml", b"name: a\nversion: 1.0.0\n")])
    for _ in range(250):
        chart = gzip.compress(entry("a/charts/a.tgz", chart) + bytes(1024), 1)
    with bounded(), pytest.raises(FormatError, match="more than 200 packages"):
        annotated_images(chart, subject="chart 'x'")


def test_a_values_file_of_empty_lines() -> None:
    chart = pack([("a/Chart.yaml", b"name: a\nversion: 1.0.0\n"), ("a/values.yaml", b"\n" * 1_000_000 + b"# key: 1\n")])
    with bounded(200 * 1024 * 1024):
        assert ChartValues.read(chart, subject="chart 'x'").comments == {"key"}


@pytest.mark.parametrize("rule", ["*a" * 30 + "*b", "*?" * 250 + "b", "?*" * 50 + "b"])
def test_a_rule_that_backtracks(rule: str) -> None:
    with bounded():
        assert not IgnoreRules.parse(rule).ignores("a" * 200, is_directory=False)


@pytest.mark.parametrize(
    "header",
    [" " * 60_000, "Basic" + " " * 60_000 + "x", "Bearer realm=" + '"' * 60_000, ", " * 30_000],
    ids=["spaces", "spaces inside", "quotes", "commas"],
)
def test_a_challenge_of_many_spaces(header: str) -> None:
    with bounded():
        parse_challenges([header])


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "a: &a0 [x, x]\n" + "".join(f"b{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40)), id="aliases"
        ),
        pytest.param("a: &a [*a]\n", id="an alias of itself"),
        pytest.param("[" * 50_000, id="deep, in brackets"),
        pytest.param("".join(" " * n + "a:\n" for n in range(3000)), id="deep, by lines"),
        pytest.param("? " * 20_000, id="deep, by keys"),
        pytest.param("a: 2024-99-99\n", id="no date"),
        pytest.param("a: " + "9" * 5000 + "\n", id="a number of many digits"),
        pytest.param("a: !!int x\n", id="no number"),
        pytest.param("{[a]: b, {c: d}: e}\n", id="keys that are none"),
        pytest.param("a: \x00\n", id="a control character"),
    ],
)
def test_yaml_is_a_value_or_one_line(text: str) -> None:
    with bounded(), pytest.raises(FormatError) as caught:
        documents(text)
    assert len(caught.value.what) < 500
    assert "\n" not in caught.value.what
    head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
    with bounded():
        assert find_images(f"{head}data: {{x: {json.dumps(text)}}}\n", fields=(), subject="release 'x'") == ()


@pytest.mark.parametrize("metadata", ["text", "[a]", "7", "{namespace: [a], name: {b: c}}", "null"])
def test_objects_of_odd_metadata(metadata: str) -> None:
    text = f"apiVersion: v1\nkind: Pod\nmetadata: {metadata}\nspec: text\n"
    RenderedObjects.read(text, namespace="n", subject="release 'x'")
    find_images(text, fields=(), subject="release 'x'")


@pytest.mark.parametrize("raw", [b"[" * 200_000, b'{"a":' * 100_000, b"9" * 100_000, b"\xff", b'"\\ud800'])
def test_json_is_a_value_or_an_error(raw: bytes) -> None:
    with bounded():
        with pytest.raises(ValueError):  # noqa: PT011 - each of them, and nothing else
            strict_json.loads(raw)
        with pytest.raises(FormatError):
            strict_json.decode(raw, "it")


def test_versions_of_digits_of_all_kinds() -> None:
    with bounded():
        assert nearest("1.0.0", ["1.0.0-²", "1.0.0-" + "9" * 5000, "9" * 5000, "1.0.0"])


def test_an_rpm_database_whose_slots_share_one_header(tmp_path: Path) -> None:
    blob = json.dumps("x" * 400_000).encode()
    slots = 25_000
    pages = -(-(32 + slots * 16) // 4096)
    place = pages * 4096 // 16
    head = struct.pack("<4sIII", b"RpmP", 0, 1, pages).ljust(32, b"\0")
    data = (head + struct.pack("<4sIII", b"Slot", 1, place, 1) * slots).ljust(pages * 4096, b"\0")
    (tmp_path / "Packages.db").write_bytes(data + struct.pack("<4sIII", b"BlbS", 1, 1, len(blob)) + blob)
    with bounded(), pytest.raises(FormatError, match="damaged"):
        list(read_database(tmp_path / "Packages.db"))


def test_nothing_but_our_errors_leaves_a_chart_reader() -> None:
    whole = pack([("a/Chart.yaml", b"name: a\nversion: 1.0.0\n"), ("a/values.yaml", b"k: 1\n")])
    raw = bytearray(gzip.decompress(whole))
    for place in range(0, len(raw), 7):
        changed = raw.copy()
        changed[place] ^= 0x41
        out = io.BytesIO()
        with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=1) as file:
            file.write(changed)
        try:
            read_archive(out.getvalue(), keep=lambda _: True, subject="chart 'x'")
        except AirgapError:
            continue


def test_a_list_of_checksums_of_any_size(tmp_path: Path) -> None:
    (tmp_path / "app.tar").write_bytes(b"x")
    with (tmp_path / "app.tar.sha256").open("wb") as file:
        file.truncate(700_000_000)
    with bounded(), pytest.raises(FormatError, match="more than 16777216 bytes"):
        find_archive(tmp_path / "app.tar")


def test_an_archive_of_endless_entries(tmp_path: Path) -> None:
    tar = b"".join(entry(f"app/{number:06d}") for number in range(60_000))
    (tmp_path / "tar").write_bytes(tar)
    extent = Volume([Part(path=tmp_path / "tar")])
    # Without memory being traced it takes a fifth of that.
    with bounded(seconds=4 * SECONDS), pytest.raises(FormatError, match="tar has more than 50000 entries"):
        index_members(extent)


@pytest.mark.parametrize("number", [120, 2_500])
def test_an_index_of_endless_manifests(number: int) -> None:
    """All manifests of an image are kept: their number and their size have an end."""
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": str(Digest.of(b"c")), "size": 1}
    shell = {"schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST, "config": config, "layers": []}
    room = b" " * (4_000_000 if number < 1000 else 0)

    def child(at: int) -> bytes:
        return json.dumps({**shell, "annotations": {"n": str(at)}}).encode() + room

    # Names that lead to other bytes: whoever stores them compares, and asks one after another as here.
    listed = {Digest.of(str(at).encode()): at for at in range(number)}
    manifests = [{"mediaType": media_types.OCI_MANIFEST, "digest": str(each), "size": 9} for each in listed]
    index = json.dumps({"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": manifests}).encode()
    root = Descriptor(media_type=media_types.OCI_INDEX, digest=Digest.of(index), size=len(index))

    def load(descriptor: Descriptor) -> bytes:
        return index if descriptor == root else child(listed[descriptor.digest])

    with bounded(), pytest.raises(SourceError, match="its manifests are more than 2000, or have more than 16777216"):
        list(walk_manifests(load, root, "image 'x'"))


@pytest.mark.parametrize(
    "raw", [b"[" + b"[]," * 5_000_000 + b"1]", b"[" + b"{}," * 5_000_000 + b"1]"], ids=["lists", "objects"]
)
def test_json_of_millions_of_values(raw: bytes) -> None:
    with bounded(), pytest.raises(FormatError, match="more than 1000000 values"):
        strict_json.decode(raw, "x")
    with bounded(), pytest.raises(ValueError, match="more than 1000000 values"):
        strict_json.loads(raw)


@pytest.mark.parametrize("loader", ["as it is", "pure"])
def test_a_repository_index_that_is_nested_or_empty(monkeypatch: pytest.MonkeyPatch, loader: str) -> None:
    if loader == "pure":
        monkeypatch.setattr(_index, "_LOADER", yaml.SafeLoader)
    with bounded(), pytest.raises(FormatError, match=r"index\.yaml is not YAML: "):
        _index.ChartIndex.parse(b"entries: " + b"[" * 100_000, subject="c")
    with bounded():
        found = _index.ChartIndex.parse(b"entries:\n x:\n" + b" - {}\n" * 5_000, subject="c")
    assert found.entries == {"x": ()}


def test_a_chart_whose_name_is_yaml() -> None:
    chart = pack(
        [("x/Chart.yaml", b'{"name": "x, source: y}\\nfiles:\\n  - {name: pwn}\\n#\\u001b[31m", "version": "1.0.0"}')]
    )
    with pytest.raises(FormatError, match=r"Chart\.yaml: 'name' is ") as caught:
        read_metadata(chart, subject="chart 'x'")
    assert str(caught.value.what).isprintable()
