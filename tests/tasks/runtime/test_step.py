"""When a step runs, what it says of that, and what `doit clean` takes away."""

from tests.fixtures.benches.workbench import Workbench, bundled

MAKING = {
    "bundle", "chart", "checksum", "describe", "directory", "file", "layout", "manifest", "pack", "pin", "pull", "save",
    "sbom", "tag", "zipapp",
}  # fmt: skip


def test_list_info_clean_and_forget_tell_the_truth(bench: Workbench) -> None:
    def status() -> dict[str, str]:
        lines = bench.doit("list", "--all", "--status").out.splitlines()
        states = {words[1]: words[0] for words in (line.split() for line in lines)}
        return {name: state for name, state in states.items() if name.partition(":")[0] in MAKING}

    assert {name for name, state in status().items() if state != "R"} == {"pack"}, "nothing is to be packed"
    bundled(bench)
    assert set(status().values()) == {"U"}
    info = bench.doit("info", "save:one")
    assert (info.code, "up-to-date" in info.out) == (0, True)
    bench.doit("forget", "save:one")
    assert {name for name, state in status().items() if state == "R"} == {"save:one", "save"}
    assert "has not run yet" in bench.doit("info", "save:one").out
    assert bench.doit("bundle").steps == ["save:one"]
    assert "remove 0 files" not in bench.doit("clean", "--dry-run", "directory").out
    assert bench.bundle.exists()
    assert "bound method" not in bench.doit("clean").out
    assert not bench.bundle.exists()
    assert not (bench.place / ".airgap/cache/blobs").exists()
    assert (bench.place / "airgap.lock").exists()
    assert status()["save:one"] == "R"
    assert bundled(bench).doit("verify").code == 0
