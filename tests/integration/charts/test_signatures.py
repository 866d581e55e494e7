"""Charts signed by helm with keys of GPG, and checked by helm when a keyring is given."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundle.metadata.manifest import BundleManifest
from bundle.oci.digest import Digest
from tests.fixtures.benches.workbench import Ran, Workbench
from tests.fixtures.parts.clusters import asset
from tests.fixtures.parts.parts import PartError, program

VENDOR, STRANGER = "vendor@example.com", "stranger@example.com"
TEMPLATE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n"


class Gpg:
    """Keys in a directory of their own, without passphrases."""

    def __init__(self, home: Path) -> None:
        self.home = home
        for name in (VENDOR, STRANGER):
            self.run("--quick-generate-key", name, "rsa2048", "sign", "never")

    def run(self, *args: str) -> bytes:
        argv = [program("gpg"), "--homedir", str(self.home), "--batch", "--passphrase", "", "--pinentry-mode=loopback"]
        return subprocess.run([*argv, *args], check=True, capture_output=True, stdin=subprocess.DEVNULL).stdout

    def close(self) -> None:
        subprocess.run([program("gpgconf"), "--homedir", str(self.home), "--kill", "all"], check=True)


@pytest.fixture(scope="module")
def gpg() -> Iterator[Gpg]:
    try:
        program("gpg")
        asset("helm3")
    except PartError as err:
        pytest.skip(str(err))
    with tempfile.TemporaryDirectory(prefix="gpg-") as home:  # short: its agent's socket lies there
        made = Gpg(Path(home))
        yield made
        made.close()


@pytest.fixture(params=["helm3", "helm4"])
def helm(request: pytest.FixtureRequest, gpg: Gpg, tmp_path: Path) -> Path:
    """A directory to put on PATH."""
    place = tmp_path / "bin"
    place.mkdir()
    (place / "helm").symlink_to(asset(request.param))
    return place


@pytest.fixture
def bench(tmp_path: Path, gpg: Gpg, helm: Path) -> Workbench:
    """A project with the chart `web` of its vendor, which is not signed yet."""
    bench = Workbench(place=tmp_path / "project")
    bench.env["PATH"] = f"{helm}{os.pathsep}{os.environ['PATH']}"
    bench.write(
        {
            "version": 1,
            "bundle": {"name": "app", "version": "1.0"},
            "registry": {"prefix": "registry.example.com/team"},
            "charts": [
                {"name": "web", "source": "web-1.0.0.tgz", "version": "1.0.0", "verify": {"keyring": "vendor.gpg"}}
            ],
        }
    )
    (bench.place / "vendor.gpg").write_bytes(gpg.run("--export", VENDOR))
    package(bench, helm)
    return bench


def package(bench: Workbench, helm: Path, *options: str, template: str = TEMPLATE) -> None:
    """Write web-1.0.0.tgz as helm makes it."""
    source = bench.place / "source/web"
    (source / "templates").mkdir(parents=True, exist_ok=True)
    (source / "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 1.0.0\n")
    (source / "templates/map.yaml").write_text(template)
    argv = [str(helm / "helm"), "package", str(source), f"--destination={bench.place}", *options]
    subprocess.run(argv, check=True, capture_output=True, env={**os.environ, "HOME": str(bench.place)})


def sign(bench: Workbench, helm: Path, gpg: Gpg, name: str, *, template: str = TEMPLATE) -> None:
    """The same with its .prov file."""
    secret = bench.place.parent / "secret.gpg"
    secret.write_bytes(gpg.run("--export-secret-keys", name))
    package(bench, helm, "--sign", f"--key={name}", f"--keyring={secret}", template=template)


def refused(bench: Workbench) -> str:
    ran: Ran = bench.doit("bundle")
    assert ran.code == 1, ran.out + ran.err
    assert "FAILED chart:web: chart 'web'" in ran.err
    assert ran.err.count("  next: ") == 1
    assert not bench.bundle.exists()
    return ran.err


def test_a_signed_chart(bench: Workbench, helm: Path, gpg: Gpg) -> None:
    sign(bench, helm, gpg, VENDOR)
    ran = bench.doit("bundle")
    assert ran.code == 0, ran.err
    assert "signature checked" in ran.out
    assert (bench.bundle / "charts/web-1.0.0.tgz.prov").is_file()
    keyring = Digest.of((bench.place / "vendor.gpg").read_bytes())
    (entry,) = BundleManifest.decode((bench.bundle / "manifest.json").read_bytes()).charts
    assert entry.keyring == keyring
    assert f"checked with the keyring of {keyring}" in (bench.bundle / "manifest.txt").read_text()
    assert bench.doit("bundle").out.startswith("nothing to do")


def test_a_chart_without_a_signature(bench: Workbench) -> None:
    told = refused(bench)
    assert "is not signed, which verify.keyring wants: web-1.0.0.tgz has no .prov file for it" in told
    assert not (bench.place / "airgap.lock").exists()


def test_another_signer(bench: Workbench, helm: Path, gpg: Gpg) -> None:
    sign(bench, helm, gpg, STRANGER)
    assert "is not signed as verify.keyring wants (vendor.gpg): " in refused(bench)
    assert not (bench.place / "airgap.lock").exists()


def test_a_package_that_was_changed(bench: Workbench, helm: Path, gpg: Gpg) -> None:
    sign(bench, helm, gpg, VENDOR)
    package(bench, helm, template=TEMPLATE.replace("web", "other"))
    assert "is not signed as verify.keyring wants (vendor.gpg): " in refused(bench)


def test_a_keyring_that_is_none(bench: Workbench, helm: Path, gpg: Gpg) -> None:
    sign(bench, helm, gpg, VENDOR)
    (bench.place / "vendor.gpg").write_bytes(b"no keys")
    assert "in binary form for helm 3 (`gpg --export KEY > FILE`)" in refused(bench)


def test_another_keyring_is_asked_again(bench: Workbench, helm: Path, gpg: Gpg) -> None:
    """The chart is pinned and in the cache; the key that it must be signed with changes."""
    sign(bench, helm, gpg, VENDOR)
    assert bench.doit("bundle").code == 0
    (bench.place / "vendor.gpg").write_bytes(gpg.run("--export", STRANGER))
    ran = bench.doit("bundle")
    assert ran.code == 1
    assert "is not signed as verify.keyring wants" in ran.err
    assert "FAILED lock: chart 'web' is not signed" in bench.doit("lock").err


def test_without_helm(bench: Workbench, helm: Path, gpg: Gpg) -> None:
    sign(bench, helm, gpg, VENDOR)
    (helm / "helm").unlink()
    if shutil.which("helm", path=bench.env["PATH"]):
        pytest.skip("there is another helm here")
    told = refused(bench)
    assert "helm is not on PATH, and the bundle carries none, so its signature can't be checked" in told
    assert "next: install helm" in told
