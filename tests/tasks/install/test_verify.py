"""`doit verify`, whatever form a bundle has, with a spec or without."""

from pathlib import Path

from tests.fixtures.benches.workbench import Workbench, make


def test_verify_names_what_is_bad_and_deletes_nothing(bench: Workbench) -> None:
    assert bench.doit("bundle").code == 0
    path = bench.bundle / "manifest.txt"
    path.unlink()
    path.write_text("other")
    (bench.bundle / "extra").write_text("x")
    (bench.bundle / "files/note.txt").unlink()
    ran = bench.doit("verify")
    assert ran.code == 1
    for name in ("manifest.txt", "extra", "files/note.txt"):
        assert name in ran.err
    assert (bench.bundle / "extra").exists()


def test_verify_needs_no_spec(bench: Workbench, tmp_path: Path) -> None:
    assert bench.doit("bundle").code == 0
    ran = Workbench(place=tmp_path / "elsewhere").doit("verify", f"bundle={bench.bundle}")
    assert ran.code == 0
    assert "all checksums match" in ran.out
    ran = Workbench(place=tmp_path / "elsewhere").doit("verify", f"bundle={tmp_path / 'gone'}")
    assert ran.code == 1
    assert "gone" in ran.err


def test_the_stick_will_do(tmp_path: Path) -> None:
    bench = make(tmp_path / "project", bundle={"archive": True, "split": "64KiB"})
    assert bench.doit("bundle").code == 0
    stick = tmp_path / "stick"
    stick.mkdir()
    for path in bench.dist.glob("app-1.0.tar*"):
        path.rename(stick / path.name)
    ran = Workbench(place=tmp_path / "elsewhere").doit("verify", f"bundle={stick}")
    assert ran.code == 0, ran.err
    assert f"{stick / 'app-1.0.tar'}: " in ran.out
    (stick / "other.tar.sha256").touch()
    ran = Workbench(place=tmp_path / "elsewhere").doit("verify", f"bundle={stick}")
    assert ran.code == 3
    assert "holds several bundles: app-1.0.tar, other.tar\n  next: name one of them" in ran.err
