"""Every parser of outside input, with input that it takes: what is changed of it may only end in an error of ours."""

import gzip
import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bundle.charts._helmignore import IgnoreRules
from bundle.charts.package import pack
from bundle.errors import AirgapError
from bundle.formats import strict_json
from bundle.formats.numbers import number
from bundle.metadata.checksums import parse_sums
from bundle.metadata.manifest import BundleManifest
from bundle.metadata.receipt import Receipt
from bundle.oci.digest import Digest
from bundle.oci.platform import Platform
from bundle.oci.reference import Reference
from bundle.sbom._languages import read_metadata as read_python
from bundle.sbom._languages import read_package as read_node
from bundle.sbom._rpm import read_database
from bundle.sbom.summary import SbomSummary
from bundle.signing.signers import Signers
from bundle.signing.ssh_signature import SshSignature
from bundle.storage.tar_reader import members
from bundle.storage.volume import ChunkStream
from bundle.transfer.image import Manifest
from clients.charts._index import ChartIndex
from clients.charts.annotations import annotated_images
from clients.charts.images import find_images
from clients.charts.metadata import read_metadata
from clients.cluster.diagnose import redact_text
from clients.http.auth import parse_challenges
from clients.preflight.objects.rendered import RenderedObjects
from schema.site.actions import parse_outputs
from schema.syntax.document import parse
from schema.syntax.problems import Problems
from schema.values.chart import ChartValues
from tests.fixtures.images.layers import tar_of

HEX = "a" * 64
DIGEST = f"sha256:{HEX}"
CHART = b"apiVersion: v2\nname: web\nversion: 1.0.0\nannotations: {images: '- image: r.x/a:1'}\n"
OBJECT = b"kind: Pod\nmetadata: {name: p, namespace: n}\nspec: {containers: [{image: 'r.x/a:1'}]}\n---\nkind: List\n"
KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIKtEnYPOGqT4Dl8Vhmkj1q+vdJ3Qmv0vF2m5q1qYc0xS"
SIGNATURE = (
    b"-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg\n-----END SSH SIGNATURE-----\n"
)
PACKAGE = b'{"name": "left-pad", "version": "1.0.0", "license": "MIT", "licenses": [{"type": "MIT"}]}'
DESCRIPTOR = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": DIGEST, "size": 3}
IMAGE = json.dumps({"schemaVersion": 2, "config": DESCRIPTOR, "layers": [DESCRIPTOR]}).encode()
BUNDLE = {"name": "a", "version": "1", "id": DIGEST, "created": "2026-01-31T12:00:00Z", "platform": "linux/amd64"}
RECEIPT = {"format": 1, "tool": "1", "installed": "2026-01-31T12:00:00Z", "bundle": BUNDLE, "images": []}
TEXT = '12 \' Authorization: Bearer abc password=x https://u:p@h/ {"token": "t"} -----BEGIN PRIVATE KEY-----\nAAAA'


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A parser, and input that it takes."""

    read: Callable[[bytes], object]
    seeds: tuple[bytes, ...]

    def __call__(self, data: bytes) -> None:
        """Give it the bytes; whatever is not an error of ours comes through."""
        with suppress(AirgapError):
            self.read(data)


def _text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: read(data.decode("utf-8", "replace"))


def _loads(data: bytes) -> None:
    try:
        strict_json.loads(data)
    except ValueError:
        return


def _database(data: bytes) -> list[bytes]:
    with TemporaryDirectory() as place:
        path = Path(place, "Packages.db")
        path.write_bytes(data)
        return list(read_database(path))


def _tgz(*files: tuple[str, bytes]) -> bytes:
    return pack(files)


def _repacked(read: Callable[[bytes], object]) -> Callable[[bytes], object]:
    """A chart whose bytes are changed inside its compression: else few changes would ever be read."""
    return lambda data: read(gzip.compress(data, 1))


_CHART = gzip.decompress(_tgz(("web/Chart.yaml", CHART), ("web/values.yaml", b"a: 1 # b\n# c: 2\n")))

TARGETS: Mapping[str, Target] = {
    "strict JSON": Target(read=lambda data: strict_json.decode(data, "x"), seeds=(PACKAGE, IMAGE)),
    "JSON": Target(read=_loads, seeds=(PACKAGE, IMAGE)),
    "number": Target(read=_text(number), seeds=(b"123",)),
    "manifest.json": Target(
        read=BundleManifest.decode, seeds=(b'{"format": 1, "name": "a"}', json.dumps(RECEIPT).encode())
    ),
    "receipt.json": Target(read=Receipt.decode, seeds=(json.dumps(RECEIPT).encode(),)),
    "SHA256SUMS": Target(read=lambda data: parse_sums(data, "x"), seeds=(f"{HEX}  a/b\n{HEX} *c\n".encode(),)),
    "signers": Target(
        read=lambda data: Signers.parse(data, label="x"),
        seeds=(f'me,*@x namespaces="a,b",valid-after="20260101Z" ssh-ed25519 {KEY} c\n'.encode(),),
    ),
    "SSH signature": Target(read=SshSignature.parse, seeds=(SIGNATURE,)),
    "digest": Target(read=_text(Digest.parse), seeds=(DIGEST.encode(),)),
    "reference": Target(read=_text(Reference.parse), seeds=(f"r.example.com:5000/a/b-c:1@{DIGEST}".encode(),)),
    "platform": Target(read=_text(Platform.parse), seeds=(b"linux/arm/v7",)),
    "image manifest": Target(read=Manifest.parse, seeds=(IMAGE,)),
    "tar": Target(
        read=lambda data: list(members(ChunkStream(iter([data])))), seeds=(tar_of({"a/b": b"x", "n" * 150: b"y"}),)
    ),
    "chart": Target(read=_repacked(lambda data: read_metadata(data, subject="x")), seeds=(_CHART,)),
    "chart's images": Target(read=_repacked(lambda data: annotated_images(data, subject="x")), seeds=(_CHART,)),
    "chart's values": Target(read=_repacked(lambda data: ChartValues.read(data, subject="x")), seeds=(_CHART,)),
    "gzip": Target(read=lambda data: read_metadata(data, subject="x"), seeds=(gzip.compress(_CHART),)),
    "repository index": Target(
        read=lambda data: ChartIndex.parse(data, subject="x"),
        seeds=(b"entries:\n  web:\n  - {version: 1.0.0, urls: [a.tgz], digest: x}\n",),
    ),
    "rendered images": Target(read=_text(lambda text: find_images(text, fields=(), subject="x")), seeds=(OBJECT,)),
    "rendered objects": Target(
        read=_text(lambda text: RenderedObjects.read(text, namespace="n", subject="x")), seeds=(OBJECT,)
    ),
    "helmignore": Target(
        read=_text(lambda text: IgnoreRules.parse(text).ignores("a/b.c", is_directory=False)),
        seeds=(b"*.[ch]\n!/a/\n",),
    ),
    "challenges": Target(
        read=lambda data: parse_challenges([data.decode("latin-1")]),
        seeds=(b'Bearer realm="https://r/t",service=s, Basic realm="a\\"b"',),
    ),
    "spec": Target(read=lambda data: parse(data, Problems("x")), seeds=(OBJECT, CHART, b"a: &a {b: [*a]}\n<<: 0x1f\n")),
    "outputs": Target(read=lambda data: parse_outputs(data, "x"), seeds=(b'{"a": {"b": [1, "c"]}}',)),
    "logs": Target(read=_text(redact_text), seeds=(TEXT.encode(),)),
    "SBOM": Target(
        read=SbomSummary.decode, seeds=(b'{"components": [{"name": "a", "version": "1", "licenses": []}]}',)
    ),
    "package.json": Target(read=lambda data: read_node(data, "node_modules/x/package.json"), seeds=(PACKAGE,)),
    "METADATA": Target(
        read=lambda data: read_python(data, "x.dist-info/METADATA"),
        seeds=(b"Name: x\nVersion: 1\nLicense: MIT\n\ntext",),
    ),
    "rpm database": Target(read=_database, seeds=(b"RpmP" + bytes(28), b"SQLite format 3\0" + bytes(84), bytes(512))),
}

SIGNS = (
    b"[",
    b"]",
    b"{",
    b"}",
    b'"',
    b"'",
    b"\\",
    b"\n",
    b"\r",
    b"\0",
    b"\xff",
    b"\xc2\xb2",
    b"\xe2\x80\xa8",
    b"*",
    b"&a ",
)
SIGNS += (
    b"9" * 40,
    b" ",
    b"\t",
    b"#",
    b"---\n",
    b"<<: ",
    b"!!",
    b"null",
    b"NaN",
    b"-1",
    b"../",
    b"\xed\xa0\x80",
    b"\x1b[2K",
)


def changed(seed: bytes, rng: random.Random, others: tuple[bytes, ...] = ()) -> bytes:
    """The input with a few changes: bits, signs that mean something, parts that come often or not at all."""
    data = bytearray(seed)
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        at, kind = rng.randrange(len(data) + 1), rng.randrange(6)
        if kind == 0 and data:
            data[at - 1] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at:at] = rng.choice(SIGNS)
        elif kind == 2:
            data[at : at + rng.randrange(20)] = rng.choice(SIGNS)
        elif kind == 3:
            part = bytes(data[at : at + rng.randrange(1, 40)])
            data[at:at] = part * rng.choice([1, 2, 100, 1000])
        elif kind == 4:
            del data[at : at + rng.randrange(200)]
        else:
            data[at:at] = rng.choice(others or SIGNS)
    return bytes(data)


def inputs(target: Target, rng: random.Random) -> Iterator[bytes]:
    """Changed seeds without end."""
    while True:
        yield changed(rng.choice(target.seeds), rng, target.seeds)
