"""Two of an image's platforms from a real registry into a real one, in both layouts; skopeo is the witness."""

import json
import subprocess
from pathlib import Path

import pytest

from bundle.oci.platform import Platform
from tests.fixtures.benches.workbench import Workbench
from tests.fixtures.images.images import AMD64, image, index, layer
from tests.fixtures.parts.parts import Skopeo
from tests.fixtures.parts.registries import RunningRegistry

ARM64, S390X = Platform.parse("linux/arm64"), Platform.parse("linux/s390x")


@pytest.mark.parametrize("layout", ["oci", "docker-archive"])
def test_an_index_of_two_platforms(registry: RunningRegistry, skopeo: Skopeo, tmp_path: Path, layout: str) -> None:
    name = f"platforms-{layout}"
    made = {each: image(layer(f"{name}-{each}", 4096), platform=each) for each in (AMD64, ARM64, S390X)}
    registry.put(index(*made.values()), name, "1")
    single = registry.put_image(f"{name}-single", "1")
    bench = Workbench(place=tmp_path / "project", env={"DOCKER_CONFIG": str(tmp_path)})
    bench.write(
        {
            "version": 1,
            "bundle": {
                "name": "app", "version": "1.0", "layout": layout, "platform": ["linux/amd64", "linux/arm64"],
            },
            "registry": {"prefix": f"{registry.host}/inside-{name}"},
            "registries": {registry.host: {"plain_http": True}},
            "images": [
                {"name": "app", "source": f"{registry.host}/{name}:1"},
                {"name": "one", "source": f"{registry.host}/{name}-single:1", "platform": "linux/amd64"},
            ],
        }
    )  # fmt: skip
    ran = bench.doit("bundle")
    assert ran.code == 0, ran.err
    assert bench.doit("verify").code == 0
    assert "nothing to do" in bench.doit("bundle").out
    entry, one = json.loads((bench.bundle / "manifest.json").read_bytes())["images"]
    assert (entry["platform"], one["digest"]) == ("linux/amd64,linux/arm64", str(single.digest))
    assert len(entry["blobs"]) == 4
    sbom = json.loads((bench.bundle / entry["sbom"]).read_bytes())
    if layout == "docker-archive":
        assert (entry["file"], entry["archives"]) == ("images/app.tar", {"linux/arm64": "images/linux-arm64/app.tar"})
        assert (one["file"], "archives" in one) == ("images/one.tar", False)
        for file, platform in ((entry["file"], AMD64), (entry["archives"]["linux/arm64"], ARM64)):
            config = json.loads(skopeo.run("inspect", "--config", "--raw", f"docker-archive:{bench.bundle / file}"))
            assert (config["os"], config["architecture"]) == (platform.os, platform.architecture)
            assert file in (bench.bundle / "manifest.txt").read_text()
            assert file in (bench.bundle / "report.html").read_text()
    told = json.dumps(sbom)
    assert all(f'"{each}"' in told for each in ("linux/amd64", "linux/arm64"))
    assert "linux/s390x" not in told
    for page in ("manifest.txt", "report.html"):
        assert "linux/amd64,linux/arm64" in (bench.bundle / page).read_text()
    ran = bench.doit("install", f"bundle={bench.bundle}", f"state={tmp_path / 'inside'}")
    assert ran.code == 0, ran.err
    raw = inspect(skopeo, f"{registry.host}/inside-{name}/{name}:1")
    assert [(each["digest"], each["platform"]["architecture"]) for each in raw["manifests"]] == [
        (str(made[each].descriptor.digest), each.architecture) for each in (AMD64, ARM64)
    ]
    for each in (AMD64, ARM64):
        copied = subprocess.run(
            [
                "skopeo", "copy", "-q", "--insecure-policy", "--src-tls-verify=false",
                f"--override-arch={each.architecture}", "--override-os=linux",
                f"docker://{registry.host}/inside-{name}/{name}:1", f"dir:{tmp_path / each.architecture}",
            ],
            check=False,
        )  # fmt: skip
        assert copied.returncode == 0
    again = bench.doit("bundle", f"state={tmp_path / 'fresh'}", f"out={tmp_path / 'other'}")
    assert again.code == 0, again.err  # from the lock alone, without the cache
    assert "airgap.lock" not in again.err


def inspect(skopeo: Skopeo, name: str) -> dict[str, list[dict[str, dict[str, str]]]]:
    told = subprocess.run(
        ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{name}"], capture_output=True, check=True
    )
    found: dict[str, list[dict[str, dict[str, str]]]] = json.loads(told.stdout)
    return found
