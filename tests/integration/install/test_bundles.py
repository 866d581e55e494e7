"""Every form of a carried bundle, from read-only media, and the commands as they are typed inside."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bundle.archive.reader import open_bundle
from tests.fixtures.benches.site_bench import Site, make_site
from tests.fixtures.benches.workbench import Ran
from tests.fixtures.parts.clusters import Cluster
from tests.fixtures.parts.helms import Helm
from tests.fixtures.parts.parts import program
from tests.fixtures.parts.registries import RunningRegistry

pytestmark = pytest.mark.parametrize("helm", [4], indirect=True, ids=["helm 4"])


@pytest.fixture
def site(tmp_path: Path, registry: RunningRegistry, helm: Helm, cluster: Cluster) -> Site:
    return make_site(tmp_path, registry, helm, cluster.new_namespace())


@contextmanager
def read_only(place: Path) -> Iterator[None]:
    """Mount a directory read-only over itself; nobody writes there then, not even root."""
    mount = program("mount")
    done = subprocess.run([mount, "--bind", place, place], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"can't mount here: {done.stderr.strip()}")
    try:
        subprocess.run([mount, "-o", "remount,bind,ro", place], check=True)
        with pytest.raises(OSError, match="Read-only"):
            (place / "probe").touch()
        yield
    finally:
        subprocess.run([program("umount"), "--lazy", place], check=True)


def media(site: Site) -> Path:
    """Only what was written outside, as on a disk that is carried: no directory, no state."""
    place = site.place / "media"
    place.mkdir()
    for path in site.bench.dist.glob("app-1.0*"):
        if path.is_dir():
            shutil.copytree(path, place / path.name)
        else:
            shutil.copy2(path, place)
    return place


@pytest.mark.parametrize(
    ("bundle", "named"),
    [
        ({"layout": "docker-archive"}, "app-1.0"),
        ({"archive": True}, "app-1.0.tar"),
        ({"split": "1MiB", "layout": "docker-archive"}, "app-1.0.tar.001"),
        ({"archive": "only", "layout": "docker-archive"}, "app-1.0.tar"),
    ],
    ids=["directory of docker archives", "archive", "parts of docker archives", "archive alone"],
)
def test_read_in_place_from_read_only_media(site: Site, bundle: dict[str, object], named: str) -> None:
    site.bench.spec["bundle"] = {"name": "app", "version": "1.0", **bundle}
    site.plan["actions"] = [{"name": "note", "run": ["./note.sh", "done"], "after": ["web"]}]
    note = site.bench.place / "note.sh"
    note.write_text('#!/bin/sh\nread word < word.txt; echo "$word $1" >&2\n')
    note.chmod(0o755)
    site.carry()
    carried = media(site)
    if bundle.get("archive") != "only" and not named.endswith("app-1.0"):
        shutil.rmtree(carried / "app-1.0")
    with read_only(carried):
        site.install(f"bundle={carried / named}")
        again = site.install(f"bundle={carried / named}")
    assert again.steps == []
    assert site.revision("web") == 1
    tag = site.registry.request(
        "HEAD", f"/v2/{site.namespace}/web/manifests/1.0",
        headers={"Accept": "application/vnd.oci.image.manifest.v1+json"},
    )  # fmt: skip
    manifest = open_bundle(site.bench.dist / named).manifest
    assert tag.headers["Docker-Content-Digest"] == str(manifest.images[0].digest)


def test_nothing_else_starts_on_a_damaged_bundle(site: Site) -> None:
    site.bench.spec["bundle"] = {"name": "app", "version": "1.0", "split": "1MiB"}
    site.carry()
    parts = media(site)
    chart = next((site.carried / "charts").glob("*.tgz"))
    data = bytearray(chart.read_bytes())
    data[len(data) // 2] ^= 1
    chart.write_bytes(data)
    (site.carried / "images/oci-layout").unlink()
    (site.carried / "extra.txt").write_text("not ours")
    ran = site.refused()
    for name in (f"charts/{chart.name}", "images/oci-layout", "extra.txt"):
        assert name in ran.err
    assert ran.steps == []
    (parts / "app-1.0.tar.002").unlink()
    ran = site.refused(f"bundle={parts / 'app-1.0.tar.001'}")
    assert "app-1.0.tar.002" in ran.err
    assert ran.steps == []
    ran = site.refused("bundle=/nowhere/app.tar")
    assert "FAILED verify: there is no bundle at '/nowhere/app.tar'" in ran.err
    assert site.is_untouched


def test_each_step_can_be_asked_for(site: Site) -> None:
    site.carry()
    verify = site.run("verify")
    assert (verify.code, verify.steps) == (0, ["verify"])
    assert site.run("verify").steps == ["verify"], "it is made whenever it is asked for"
    preflight = site.run("preflight")
    assert (preflight.code, preflight.steps) == (0, ["preflight"])
    assert site.is_untouched
    push = site.run("push:web")
    assert (push.code, push.steps) == (0, ["preflight", "push:web", "transfer"])
    assert site.is_untouched
    listed = site.run("list", "--all")
    assert listed.code == 0
    assert f"namespace:{site.namespace}" in listed.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["instal"], "did you mean 'install'?"),
        (["push:wbe"], "push:wbe"),
        (["install", "sight=x.yaml"], "did you mean site=?"),
        (["install", "jobs=many"], "jobs=many is not a number of transfers"),
    ],
    ids=["task", "step", "variable", "number"],
)
def test_a_wrong_command_line(site: Site, words: list[str], told: str) -> None:
    site.carry()
    ran = site.run(*words)
    assert ran.code == 3
    assert told in ran.out + ran.err
    assert site.is_untouched


# Brings loopback up (netdevice(7): SIOCSIFFLAGS, IFF_UP), then becomes the program.
LONELY = """
import fcntl, os, socket, struct, sys
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 1))
os.execv(sys.argv[1], sys.argv[1:])
"""


def alone(site: Site, *args: str) -> Ran:
    """Run the zipapp in a network namespace that holds only loopback."""
    words, env, cwd = site.command(*args)
    probe = [program("unshare"), "--net", "true"]
    if subprocess.run(probe, capture_output=True, check=False).returncode != 0:
        pytest.skip("can't make a network namespace here")
    done = subprocess.run(
        [program("unshare"), "--net", sys.executable, "-c", LONELY, *words],
        cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    return Ran(code=done.returncode, out=done.stdout, err=done.stderr)


def test_without_any_network_but_loopback(site: Site) -> None:
    """The registry and the cluster are out of reach there, so that install can but say so, and soon."""
    site.carry()
    verified = alone(site, "verify")
    assert (verified.code, verified.steps) == (0, ["verify"])
    assert alone(site, "list").code == 0
    ran = alone(site, "install")
    assert ran.code == 1
    assert ran.steps == []
    assert f"registry {site.registry.host}" in ran.err
    assert "cluster" in ran.err
    assert site.is_untouched
