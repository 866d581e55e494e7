import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tasks.rehearsal.result import RehearsalResult
from tasks.runtime.version import VERSION
from tests.fixtures.benches.workbench import Ran, Workbench, make
from tests.fixtures.parts.ssh_keys import make_key

STEPS = ["bundle", "carry", "target", "verify", "install", "receipt"]


# A program in the place of the bundle's own, which looks around outside and reports that everything is fine.
CURIOUS = """\
import socket
for place in (("192.0.2.7", 443), ("quay.example", 443)):
    try:
        socket.create_connection(place, 5).close()
    except OSError as err:
        print(f"FAILED verify: {err}")
raise SystemExit(1)
"""


# One that pushes nothing and writes the receipt of an install that went well.
LIAR = """\
import json, pathlib, sys
given = dict(word.split("=", 1) for word in sys.argv if "=" in word)
manifest = json.loads((pathlib.Path(given["bundle"]) / "manifest.json").read_text())
images = [{"name": each["name"], "digest": each["digest"]} for each in manifest["images"]]
place = pathlib.Path(given["state"])
place.mkdir(exist_ok=True)
(place / "receipt.json").write_text(json.dumps({"images": images}))
"""


def with_program(bundle: Path, text: str) -> None:
    """Give a bundle another program, which its list of checksums names."""
    was = hashlib.sha256((bundle / "airgap.pyz").read_bytes()).hexdigest()
    (bundle / "airgap.pyz").write_text(text)
    sums = bundle / "SHA256SUMS"
    sums.write_text(sums.read_text().replace(was, hashlib.sha256(text.encode()).hexdigest()))


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bench = make(tmp_path / "project")
    (tmp_path / "no-programs").mkdir()
    bench.env |= {"PATH": str(tmp_path / "no-programs"), "KUBEBUILDER_ASSETS": "", "AIRGAP_REHEARSAL_KUBECONFIG": ""}
    return bench


def result(bench: Workbench) -> dict[str, Any]:
    found = json.loads((bench.place / ".airgap/rehearsal.json").read_text())
    assert isinstance(found, dict)
    return found


def marks(ran: Ran) -> list[str]:
    """The steps of the crossing in the order in which lines tell of them."""
    found = [line.partition(" ")[2].partition("]")[0] for line in ran.out.splitlines() if line.startswith("[")]
    return list(dict.fromkeys(found))


def left_behind(bench: Workbench) -> list[str]:
    return sorted(path.name for path in (bench.place / ".airgap/rehearsal").iterdir())


def is_isolated(found: dict[str, Any]) -> bool:
    return not any("that nothing outside is needed" in each for each in found["not_proven"])


def test_the_whole_crossing(bench: Workbench) -> None:
    ran = bench.doit("rehearse")
    assert ran.code == 0, ran.out + ran.err
    assert marks(ran) == STEPS
    head, _, table = ran.out.partition("\n\nrehearsal of app 1.0: passed")
    assert all(line.startswith("[") for line in head.splitlines())
    found = result(bench)
    assert found["passed"] is True
    assert found["bundle"]["id"] == json.loads((bench.bundle / "manifest.json").read_text())["id"]
    assert found["target"] == "the built-in registry, no cluster"
    assert (found["format"], found["tool"], found["rehearsed"][-1]) == (1, VERSION, "Z")
    assert RehearsalResult.from_dict(found).to_dict() == {
        key: found[key] for key in found if key not in ("tool", "rehearsed")
    }
    assert "2 images inside with the digest of the bundle, as receipt and registry say" in found["proven"]
    assert all(each in table for each in (*found["proven"], *found["not_proven"]))
    assert left_behind(bench) == []


def test_a_delta_is_rehearsed_on_what_its_base_tells(bench: Workbench, tmp_path: Path) -> None:
    bench.doit("bundle")
    base = tmp_path / "manifest.json"
    shutil.copy(bench.bundle / "manifest.json", base)
    ran = bench.doit("rehearse", f"since={base}")
    assert ran.code == 0, ran.out + ran.err
    found = result(bench)
    assert "2 images inside with the digest of the bundle, as receipt and registry say" in found["proven"]
    assert any("3 layers (" in each and "from the cache" in each for each in found["not_proven"])
    delta = bench.dist / "app-1.0-since-1.0"
    elsewhere = bench.doit("rehearse", f"bundle={delta}", f"state={tmp_path / 'other'}")
    assert elsewhere.code == 1
    assert "3 of them are not in the cache here either" in elsewhere.out
    assert "or rehearse a full bundle" in elsewhere.out


def test_a_spec_that_wants_a_docker_engine_needs_none_to_be_rehearsed(bench: Workbench) -> None:
    """An Engine could not reach the throwaway registry."""
    bench.spec["engine"] = "docker"
    bench.write()
    bench.env["DOCKER_HOST"] = "unix:///nonexistent.sock"
    ran = bench.doit("rehearse")
    assert ran.code == 0, ran.out + ran.err
    assert "push:one" in ran.out


def test_the_bundle_is_left_as_it_was(bench: Workbench) -> None:
    bench.doit("bundle")
    before = bench.files()
    assert bench.doit("rehearse", f"bundle={bench.bundle}").code == 0
    assert bench.files() == before


def test_a_bundle_in_parts_is_rehearsed_as_it_is(tmp_path: Path, bench: Workbench) -> None:
    bench.write({**bench.spec, "bundle": {"name": "app", "version": "1.0", "split": "1MiB"}})
    bench.doit("bundle")
    shutil.rmtree(bench.bundle)
    first = bench.dist / "app-1.0.tar.001"
    ran = bench.doit("rehearse", f"bundle={first}")
    assert ran.code == 0, ran.out + ran.err
    assert marks(ran) == STEPS[1:]
    assert not bench.bundle.exists()


def remove_a_layer(bundle: Path) -> str:
    blob = max((bundle / "images/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    blob.unlink()
    return blob.name


def damage_a_chart(bundle: Path) -> str:
    (chart,) = (bundle / "charts").iterdir()
    chart.write_bytes(chart.read_bytes()[:-1] + b"x")
    return chart.name


def another_chart_version(bundle: Path) -> str:
    (chart,) = (bundle / "charts").iterdir()
    chart.rename(chart.with_name("app-0.9.0.tgz"))
    return chart.name


def no_program(bundle: Path) -> str:
    (bundle / "airgap.pyz").unlink()
    return "airgap.pyz"


@pytest.mark.parametrize("harm", [remove_a_layer, damage_a_chart, another_chart_version, no_program])
def test_what_is_wrong_with_the_bundle_is_named(bench: Workbench, tmp_path: Path, harm: Any) -> None:
    bench.doit("bundle")
    broken = tmp_path / "broken"
    shutil.copytree(bench.bundle, broken)
    name = harm(broken)
    ran = bench.doit("rehearse", f"bundle={broken}")
    assert ran.code == 1
    assert "push:" not in ran.out
    assert name in ran.out.partition("rehearsal of")[2] + ran.err
    assert "receipt" not in marks(ran)
    assert left_behind(bench) == []


def test_who_reaches_outside_is_named(bench: Workbench, tmp_path: Path) -> None:
    bench.doit("bundle")
    broken = tmp_path / "broken"
    shutil.copytree(bench.bundle, broken)
    with_program(broken, CURIOUS)
    ran = bench.doit("rehearse", f"bundle={broken}")
    assert ran.code == 1
    found = result(bench)
    if not is_isolated(found):
        pytest.skip("this machine gives no network namespace")
    assert "192.0.2.7:443" in found["outside"]
    assert any("tried to reach outside" in each and "192.0.2.7:443" in each for each in found["failures"])


def test_digests_are_compared_with_what_the_registry_has(bench: Workbench, tmp_path: Path) -> None:
    bench.doit("bundle")
    broken = tmp_path / "broken"
    shutil.copytree(bench.bundle, broken)
    with_program(broken, LIAR)
    ran = bench.doit("rehearse", f"bundle={broken}")
    assert ran.code == 1, ran.out
    failures = result(bench)["failures"]
    assert [each.partition(":")[0] for each in failures] == [
        "image 'one' is not inside as it left",
        "image 'two' is not inside as it left",
    ]
    assert all("the registry None" in each for each in failures)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(["bundle=/nowhere/app-1.0"], 1, "there is no bundle at '/nowhere/app-1.0'", id="no bundle"),
        pytest.param(["spec=/nowhere/airgap.yaml"], 3, "/nowhere/airgap.yaml", id="no spec"),
        pytest.param(["bundel=x"], 3, "did you mean bundle=?", id="no variable"),
    ],
)
def test_refusals(bench: Workbench, words: list[str], code: int, said: str) -> None:
    ran = bench.doit("rehearse", *words)
    assert ran.code == code, ran.out + ran.err
    assert said in ran.out + ran.err


def test_a_cluster_that_lacks_a_program_is_told_before_anything_starts(bench: Workbench, tmp_path: Path) -> None:
    bench.env["KUBEBUILDER_ASSETS"] = str(tmp_path)
    ran = bench.doit("rehearse")
    assert ran.code == 1
    assert "is missing etcd, kube-apiserver" in ran.err


def started(bench: Workbench) -> "subprocess.Popen[str]":
    """A rehearsal that has come as far as its target, where it has processes and files to leave behind."""
    process = bench.start("rehearse")
    assert process.stdout
    for line in process.stdout:
        if line.startswith("[3/6"):
            return process
    raise AssertionError("it ended before")


def processes_of(bench: Workbench) -> list[str]:
    """The command lines of what runs below this rehearsal's place."""
    place = str(bench.place / ".airgap/rehearsal").encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        if place in words:
            found.append(words.replace(b"\0", b" ").decode())
    return found


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks at /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_one_that_is_stopped_leaves_nothing(bench: Workbench, number: signal.Signals) -> None:
    bench.doit("bundle")
    with started(bench) as process:
        os.kill(process.pid, number)
        assert process.stdout
        process.stdout.read()
    assert process.returncode == (-number if number == signal.SIGKILL else 128 + number)
    deadline = time.monotonic() + 20
    while processes_of(bench) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes_of(bench) == []
    if number == signal.SIGKILL:
        assert left_behind(bench) != []
        assert bench.doit("rehearse").code == 0
    assert left_behind(bench) == []


@pytest.mark.parametrize("signed_by", ["release", "another", "nobody asked"])
def test_a_signed_bundle(bench: Workbench, tmp_path: Path, signed_by: str) -> None:
    """The rehearsed install demands what the site will demand."""
    key, other = make_key(tmp_path / "keys/release"), make_key(tmp_path / "keys/other")
    bench.write({**bench.spec, "bundle": {"name": "app", "version": "1.0", "sign": {"key": str(key.path)}}})
    bench.env["PATH"] = os.environ["PATH"]
    (key if signed_by == "release" else other).signers(tmp_path / "signers")
    (tmp_path / "site.yaml").write_text("trust: {signers: signers}\n" if signed_by != "nobody asked" else "")
    ran = bench.doit("rehearse", f"site={tmp_path / 'site.yaml'}")
    if signed_by == "another":
        assert ran.code == 1
        assert "does not list; it lists release@example.com" in ran.out + ran.err
        return
    assert ran.code == 0, ran.out + ran.err
    found = result(bench)
    told = found["proven"] if signed_by == "release" else found["not_proven"]
    assert any("it is signed by release@example.com" in each or "the signature is one" in each for each in told)
