"""`doit publish` and `doit fetch` against the real CNCF registry, with oras and skopeo as witnesses."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from oras.client import OrasClient

from bundle.oci.digest import Digest
from tests.fixtures.benches.workbench import Ran, Workbench, make, write_layout
from tests.fixtures.images.images import image, layer
from tests.fixtures.parts.parts import Skopeo
from tests.fixtures.parts.registries import RunningRegistry, each_version
from tests.fixtures.parts.ssh_keys import Key, make_key
from tests.fixtures.places import ROOT

ACCEPT = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A finished bundle as a directory and in parts, and the key that it is signed by."""

    bench: Workbench
    key: Key

    @property
    def parts(self) -> Path:
        return self.bench.dist / "app-1.0.tar.001"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    place = tmp_path_factory.mktemp("exchange")
    key = make_key(place / "keys/release")
    bench = make(place / "project", bundle={"sign": {"key": str(key.path)}, "split": "1MiB"})
    assert bench.doit("bundle").code == 0
    return Made(bench=bench, key=key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Far:
    """The other side: a directory without a spec, where the program's checkout is at hand."""

    place: Path

    def doit(self, *words: str) -> Ran:
        """Run a command to its end."""
        argv, env = self.command(*words)
        done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=120)
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        return Ran(code=done.returncode, out=done.stdout, err=done.stderr)

    def command(self, *words: str) -> tuple[list[str], dict[str, str]]:
        """The words and the environment of a command."""
        given = [f"spec={self.place / 'none.yaml'}", f"out={self.dist}", f"state={self.place / 'state'}"]
        return [sys.executable, "-m", "doit", *given, *words], {**os.environ, "CI": "1"}

    @property
    def dist(self) -> Path:
        """Where fetched bundles land."""
        return self.place / "dist"

    def files(self) -> dict[str, bytes]:
        """What landed."""
        found = (path for path in self.dist.rglob("*") if path.is_file() and ".work" not in path.parts)
        return {str(path.relative_to(self.dist)): path.read_bytes() for path in found}

    def is_untouched(self) -> bool:
        """Whether nothing but unfinished work is there."""
        return self.files() == {}


@pytest.fixture
def far(tmp_path: Path) -> Far:
    return Far(place=tmp_path)


def at(registry: RunningRegistry, name: str) -> str:
    return f"http://{registry.host}/exchange/{name}"


def published(made: Made, registry: RunningRegistry, name: str, bundle: Path | None = None) -> Ran:
    ran = made.bench.doit("publish", f"bundle={bundle or made.bench.bundle}", f"to={at(registry, name)}")
    assert ran.code == 0, ran.err
    return ran


def manifest(registry: RunningRegistry, name: str, tag: str = "1.0") -> dict[str, object]:
    answer = registry.request("GET", f"/v2/exchange/{name}/manifests/{tag}", headers={"Accept": ACCEPT})
    assert answer.status == 200
    found = json.loads(answer.data)
    assert isinstance(found, dict)
    return found


@each_version
@pytest.mark.parametrize("form", ["directory", "parts"])
def test_there_and_back(made: Made, registry: RunningRegistry, far: Far, form: str) -> None:
    path = made.bench.bundle if form == "directory" else made.parts
    first = published(made, registry, form, path)
    assert f"next: doit fetch from=oci://{registry.host}/exchange/{form}@sha256:" in first.out
    assert manifest(registry, form)["artifactType"] == "application/vnd.airgap.bundle.v1"
    with registry.recorded() as requests:
        again = published(made, registry, form, path)
    assert "it is there already" in again.out
    assert {request.method for request in requests} <= {"HEAD", "GET"}
    signers = made.key.signers(far.place / "signers")
    ran = far.doit("fetch", f"from={at(registry, form)}:1.0", f"trust={signers}")
    assert ran.code == 0, ran.err
    assert "all checksums match; signed by release@example.com" in ran.out
    expected = {
        name: data for name, data in made.bench.files().items() if name.startswith("app-1.0/") == (form == "directory")
    }
    assert far.files() == expected
    if form == "directory":
        assert os.access(far.dist / "app-1.0/airgap.pyz", os.X_OK)
    with registry.recorded() as requests:
        second = far.doit("fetch", f"from={at(registry, form)}:1.0", f"trust={signers}")
    assert (second.code, "is here already" in second.out) == (0, True), second.err
    assert not [request for request in requests if "/blobs/" in request.path]
    assert not (far.dist / ".work/fetch/store").exists()


def test_an_archive_alone_is_published_and_pushed_without_being_named(
    tmp_path: Path, registry: RunningRegistry, far: Far
) -> None:
    key = make_key(tmp_path / "keys/release")
    bundle = {"sign": {"key": str(key.path)}, "archive": "only", "layout": "docker-archive"}
    bench = make(tmp_path / "alone", bundle=bundle)
    assert bench.doit("bundle").code == 0
    sent = bench.doit("publish", f"to={at(registry, 'alone')}")
    assert sent.code == 0, sent.err
    signers = key.signers(far.place / "signers")
    ran = far.doit("fetch", f"from={at(registry, 'alone')}:1.0", f"trust={signers}")
    assert ran.code == 0, ran.err
    assert "signed by release@example.com" in ran.out
    assert far.files() == bench.files()
    pushed = bench.doit("push", f"registry=http://{registry.host}/alone", f"trust={signers}")
    assert pushed.code == 0, pushed.out + pushed.err
    assert registry.request("HEAD", "/v2/alone/one/manifests/1.0", headers={"Accept": ACCEPT}).status == 200
    assert "app-1.0" not in [path.name for path in bench.dist.iterdir()]


@pytest.mark.parametrize("form", ["directory", "parts"])
def test_oras_pulls_what_we_publish(made: Made, registry: RunningRegistry, tmp_path: Path, form: str) -> None:
    published(made, registry, f"for-oras-{form}", made.bench.bundle if form == "directory" else made.parts)
    client = OrasClient(hostname=registry.host, insecure=True)
    client.pull(target=f"{registry.host}/exchange/for-oras-{form}:1.0", outdir=str(tmp_path))
    found = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    wanted = made.bench.files()
    if form == "directory":
        assert found == {name[8:]: data for name, data in wanted.items() if name.startswith("app-1.0/")}
    else:
        assert found == {name: data for name, data in wanted.items() if "/" not in name}


@each_version
def test_what_is_attached_is_listed_under_the_tag_of_the_referrers(
    made: Made, registry: RunningRegistry, far: Far
) -> None:
    """This registry has no referrers API: the list is a tag (distribution-spec, "Referrers Tag Schema")."""
    assert "attached to it: report, SBOMs\n" in published(made, registry, "attached").out
    head = registry.request("HEAD", "/v2/exchange/attached/manifests/1.0", headers={"Accept": ACCEPT})
    root = head.headers["Docker-Content-Digest"]
    accept = {"Accept": "application/vnd.oci.image.index.v1+json"}
    path = f"/v2/exchange/attached/manifests/{root.replace(':', '-')}"
    listed = json.loads(registry.request("GET", path, headers=accept).data)["manifests"]
    assert {each["artifactType"] for each in listed} == {
        "application/vnd.airgap.report.v1",
        "application/vnd.cyclonedx+json",
    }
    for each in listed:
        found = manifest(registry, "attached", each["digest"])
        assert found["subject"] == {"mediaType": ACCEPT, "digest": root, "size": int(head.headers["Content-Length"])}
        layers = found["layers"]
        assert isinstance(layers, list)
        for part in layers:
            data = registry.request("GET", f"/v2/exchange/attached/blobs/{part['digest']}").data
            assert data == (made.bench.bundle / part["annotations"]["org.opencontainers.image.title"]).read_bytes()
    assert "attached to it: report, SBOMs (already there)\n" in published(made, registry, "attached").out
    approver = make_key(far.place / "keys/approver")
    copy = shutil.copytree(made.bench.bundle, far.place / "copy/app-1.0")
    assert made.bench.doit("approve", f"key={approver.path}", f"bundle={copy}").code == 0
    assert "1 approval published with it\n" in published(made, registry, "attached", copy).out
    (far.place / "signers").write_text(made.key.line() + approver.line("approver@example.com"))
    (far.place / "site.yaml").write_text("trust: {signers: signers, require: 2}\n")
    assert far.doit("fetch", f"from={at(registry, 'attached')}:1.0").code == 0
    ran = far.doit("verify", f"site={far.place / 'site.yaml'}", f"bundle={far.dist / 'app-1.0'}")
    assert ran.code == 0, ran.err


def test_skopeo_copies_what_we_publish(made: Made, registry: RunningRegistry, skopeo: Skopeo, far: Far) -> None:
    published(made, registry, "for-skopeo", made.parts)
    source = f"docker://{registry.host}/exchange/for-skopeo:1.0"
    skopeo.copy(
        source, f"docker://{registry.host}/exchange/copied:1", "--src-tls-verify=false", "--dest-tls-verify=false"
    )
    assert manifest(registry, "copied", "1") == manifest(registry, "for-skopeo")
    assert far.doit("fetch", f"from={at(registry, 'copied')}:1").code == 0


def test_we_fetch_what_oras_pushed(
    made: Made, registry: RunningRegistry, far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made.bench.dist)
    names = sorted(path.name for path in made.bench.dist.glob("app-1.0.tar*"))
    client = OrasClient(hostname=registry.host, insecure=True)
    client.push(target=f"{registry.host}/exchange/by-oras:1", files=names)
    ran = far.doit("fetch", f"from={at(registry, 'by-oras')}:1", f"trust={made.key.signers(far.place / 'signers')}")
    assert ran.code == 0, ran.err
    assert far.files() == {name: (made.bench.dist / name).read_bytes() for name in names}


def test_a_directory_that_oras_packed(
    made: Made, registry: RunningRegistry, far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made.bench.dist)
    client = OrasClient(hostname=registry.host, insecure=True)
    client.push(target=f"{registry.host}/exchange/packed:1", files=["app-1.0"])
    ran = far.doit("fetch", f"from={at(registry, 'packed')}:1")
    assert (ran.code, far.is_untouched()) == (1, True)
    assert "is no bundle" in ran.err


def test_the_carried_program_fetches_and_publishes(made: Made, registry: RunningRegistry, tmp_path: Path) -> None:
    """Inside there is no checkout, only an earlier bundle."""
    published(made, registry, "inside")
    carried = tmp_path / "app-1.0"
    shutil.copytree(made.bench.bundle, carried)
    argv = [sys.executable, "-I", "-S", str(carried / "airgap.pyz")]
    for words in (
        ["fetch", f"from={at(registry, 'inside')}:1.0", f"out={tmp_path / 'dist'}"],
        ["publish", f"to={at(registry, 'again')}"],
    ):
        done = subprocess.run(
            [*argv, *words, f"state={tmp_path / 'state'}"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "dist/app-1.0/SHA256SUMS.sig").is_file()
    assert manifest(registry, "again") == manifest(registry, "inside")


def big(place: Path, size: int) -> Workbench:
    bench = make(place / "project", images=("one",))
    write_layout(bench.place / "images/one", image(layer("big", size)), "example.com/one:1.0")
    assert bench.doit("bundle").code == 0
    return bench


@each_version
def test_killed_half_way_both_go_on(registry: RunningRegistry, tmp_path: Path, far: Far) -> None:
    bench = big(tmp_path / "big", 60_000_000)
    to = f"to={at(registry, 'killed')}"
    _kill_when(bench.start("publish", f"bundle={bench.bundle}", to), lambda: _bytes(registry.data) > 5_000_000)
    assert registry.request("GET", "/v2/exchange/killed/manifests/1.0", headers={"Accept": ACCEPT}).status == 404
    assert bench.doit("publish", f"bundle={bench.bundle}", to).code == 0
    argv, env = far.command("fetch", f"from={at(registry, 'killed')}:1.0", "jobs=1")
    partial = far.dist / ".work/fetch/store/partial"
    process = subprocess.Popen(argv, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    _kill_when(process, lambda: _bytes(partial) > 1_000_000)
    assert far.is_untouched()
    ran = far.doit("fetch", f"from={at(registry, 'killed')}:1.0")
    assert ran.code == 0, ran.err
    assert {name: Digest.of(data) for name, data in far.files().items()} == {
        name: Digest.of(data) for name, data in bench.files().items()
    }


def _kill_when(process: "subprocess.Popen[str]", moment: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not moment() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    if process.stdout:
        process.stdout.close()


def _bytes(place: Path) -> int:
    total = 0
    for path in place.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def test_a_blob_that_the_registry_damaged(made: Made, registry: RunningRegistry, far: Far) -> None:
    published(made, registry, "damaged")
    sums = Digest.of((made.bench.bundle / "manifest.txt").read_bytes())
    path = registry.blob_path(sums)
    good = path.read_bytes()
    path.write_bytes(good.replace(b"app", b"apq"))
    try:
        ran = far.doit("fetch", f"from={at(registry, 'damaged')}:1.0")
    finally:
        path.write_bytes(good)
    assert (ran.code, ran.err.count("FAILED"), far.is_untouched()) == (1, 1, True)
    assert f"a blob does not have its digest {sums}" in ran.err


def test_a_file_that_was_damaged_before(made: Made, registry: RunningRegistry, tmp_path: Path) -> None:
    bundle = tmp_path / "app-1.0"
    shutil.copytree(made.bench.bundle, bundle)
    (bundle / "files/note.txt").write_text("evil me\n")
    ran = made.bench.doit("publish", f"bundle={bundle}", f"to={at(registry, 'before')}")
    assert (ran.code, ran.err.count("FAILED")) == (1, 1)
    assert "is damaged" in ran.err
    assert "next: run `doit verify` to see what is damaged" in ran.err
    (bundle / "files/note.txt").unlink()
    ran = made.bench.doit("publish", f"bundle={bundle}", f"to={at(registry, 'before')}")
    assert "can't be published\n  missing: files/note.txt" in ran.err
    assert registry.request("GET", "/v2/exchange/before/manifests/1.0", headers={"Accept": ACCEPT}).status == 404


def test_nobody_trusted_signed_it(made: Made, registry: RunningRegistry, far: Far) -> None:
    published(made, registry, "untrusted")
    signers = make_key(far.place / "keys/other").signers(far.place / "signers")
    ran = far.doit("fetch", f"from={at(registry, 'untrusted')}:1.0", f"trust={signers}")
    assert (ran.code, ran.err.count("FAILED"), far.is_untouched()) == (1, 1, True)
    assert "does not list; it lists release@example.com" in ran.err


def test_an_image_is_no_bundle(registry: RunningRegistry, far: Far) -> None:
    registry.put_image("exchange/image", "1")
    ran = far.doit("fetch", f"from={at(registry, 'image')}:1")
    assert (ran.code, far.is_untouched()) == (1, True)
    assert "is an image, expected a bundle" in ran.err


@pytest.mark.parametrize("title", ["../../evil", "/etc/evil", "a/../../evil", ""])
def test_titles_that_lead_out(registry: RunningRegistry, far: Far, title: str) -> None:
    config, data = b"{}", b"evil"
    for blob in (config, data):
        registry.put_blob("exchange/evil", Digest.of(blob), [blob], len(blob))
    layers = [_layer(data, title), _layer(data, "SHA256SUMS"), _layer(data, "manifest.json")]
    raw = json.dumps({"schemaVersion": 2, "mediaType": ACCEPT, "config": _layer(config, ""), "layers": layers}).encode()
    registry.put_manifest("exchange/evil", "1", raw, ACCEPT)
    ran = far.doit("fetch", f"from={at(registry, 'evil')}:1")
    assert (ran.code, far.is_untouched()) == (1, True)
    assert "is no bundle" in ran.err


def _layer(data: bytes, title: str) -> dict[str, object]:
    found: dict[str, object] = {
        "mediaType": "application/octet-stream",
        "digest": str(Digest.of(data)),
        "size": len(data),
    }
    return {**found, "annotations": {"org.opencontainers.image.title": title}} if title else found


def test_no_space_left(made: Made, registry: RunningRegistry, far: Far, small_disk: Callable[[int], Path]) -> None:
    published(made, registry, "full")
    disk = small_disk(1)
    ran = far.doit("fetch", f"from={at(registry, 'full')}:1.0", f"out={disk}")
    assert (ran.code, ran.err.count("FAILED")) == (1, 1), ran.err
    assert "No space left on device" in ran.err
    assert "next: free some space or choose another place with out=DIR" in ran.err
    assert not (disk / "app-1.0").exists()


class Refusing(BaseHTTPRequestHandler):
    """Answers everything with one status."""

    status = 500

    def _refuse(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.send_header("Retry-After", "0")
        self.end_headers()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = _refuse  # noqa: N815

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(params=[401, 403, 429, 500])
def refusing(request: pytest.FixtureRequest) -> Iterator[str]:
    handler = type("Refusing", (Refusing,), {"status": request.param})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/exchange/x:1 {request.param}"
        server.shutdown()


@pytest.mark.parametrize("command", ["publish", "fetch"])
def test_refusals(made: Made, far: Far, refusing: str, command: str) -> None:
    place, status = refusing.split()
    words = (
        ["publish", f"to={place}", f"bundle={made.bench.bundle}"]
        if command == "publish"
        else ["fetch", f"from={place}"]
    )
    ran = far.doit(*words)
    assert (ran.code, ran.err.count("FAILED"), far.is_untouched()) == (1, 1, True), ran.err
    assert status in ran.err
    assert "next: " in ran.err


def test_a_closed_port(made: Made, far: Far) -> None:
    for words in (
        ["fetch", "from=http://127.0.0.1:1/x/y:1"],
        ["publish", "to=http://127.0.0.1:1/x/y", f"bundle={made.bench.bundle}"],
    ):
        ran = far.doit(*words)
        assert (ran.code, ran.err.count("FAILED")) == (1, 1)
        assert "127.0.0.1:1" in ran.err
        assert "refused" in ran.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["fetch"], 3, "there is no spec|airgap.yaml|none.yaml"),
        (["fetch", "from=quay.io/x/y:1"], 3, "is no place in a registry"),
        (["fetch", "from=oci://quay.io/x/y"], 3, "is no whole name of a published bundle"),
        (["fetch", "from=http://quay.io/x/y:1"], 3, "only a registry on loopback"),
        (["fetch", "from=oci://quay.io/X Y:1"], 3, "from=oci://quay.io/X Y:1: "),
        (["publish", "to=oci://quay.io/x/y@sha256:" + "0" * 64], 3, "leave the digest out"),
    ],
)
def test_wrong_words(far: Far, words: list[str], code: int, said: str) -> None:
    ran = far.doit(*words)
    assert ran.code == code
    assert any(each in ran.err for each in said.split("|")), ran.err
