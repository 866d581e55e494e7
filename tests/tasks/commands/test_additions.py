"""`doit images --add`: which entries are made, and that a spec is never left half-written."""

import errno
from pathlib import Path

import pytest

from bundle.errors import SpecError, StorageError
from clients.charts.images import FoundImage
from schema.edit import NewImage
from schema.loading.load import load
from schema.spec.spec import Spec
from tasks.commands.additions import add_to_spec, lacking

SPEC = """\
version: 1
bundle: {name: a, version: '1'}
registry: {prefix: r.x/a}
images:
  - {name: redis, source: "quay.io/other/redis:7"}   # theirs
"""
ZEROS = f"sha256:{'0' * 64}"


def spec(tmp_path: Path) -> Spec:
    (tmp_path / "airgap.yaml").write_text(SPEC)
    return load(tmp_path / "airgap.yaml", env={})


@pytest.mark.parametrize(
    ("texts", "added"),
    [
        pytest.param(["nginx:1.27"], ['{name: nginx, source: "docker.io/library/nginx:1.27"}'], id="usual"),
        pytest.param(["nginx", "nginx:latest"], ['{name: nginx, source: "docker.io/library/nginx:latest"}'], id="once"),
        pytest.param(
            [f"q.io/a/b:1@{ZEROS}", f"q.io/a/b@{ZEROS}"], [f'{{name: b, source: "q.io/a/b@{ZEROS}"}}'], id="digest"
        ),
        pytest.param(
            ["redis:7", "redis:8"],
            [
                '{name: library-redis, source: "docker.io/library/redis:7", target: "library/redis:7"}',
                '{name: library-redis-2, source: "docker.io/library/redis:8"}',
            ],
            id="names and targets that are taken",
        ),
        pytest.param(
            ["q.io/a/x:1", "q.io/b/x:1"],
            ['{name: x, source: "q.io/a/x:1"}', '{name: b-x, source: "q.io/b/x:1", target: "b/x:1"}'],
            id="two new ones of one name",
        ),
        pytest.param(["r.x/a/gone:1", "h.site.invalid/x:1", "Not:one"], [], id="no source to take it from"),
    ],
)  # fmt: skip
def test_which_entries_are_made(tmp_path: Path, texts: list[str], added: list[str]) -> None:
    found = lacking(spec(tmp_path), [FoundImage(text=text, object="Pod/p", field="f") for text in texts])
    assert [str(each) for each in found] == added
    add_to_spec(tmp_path / "airgap.yaml", found)
    assert len(load(tmp_path / "airgap.yaml", env={}).images) == 1 + len(added)
    assert (tmp_path / "airgap.yaml").read_text().startswith(SPEC)


def test_a_spec_that_would_not_load_stays_as_it_was(tmp_path: Path) -> None:
    spec(tmp_path)
    with pytest.raises(SpecError, match=r"airgap.yaml would not load(?s:.*)  airgap.yaml:6:\d+: .* is taken"):
        add_to_spec(tmp_path / "airgap.yaml", [NewImage(name="redis", source="redis:9")])
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("airgap.yaml", SPEC)]


def test_a_link_stays_a_link_and_rights_stay(tmp_path: Path) -> None:
    spec(tmp_path)
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "airgap.yaml").rename(real / "airgap.yaml")
    (real / "airgap.yaml").chmod(0o640)
    (tmp_path / "airgap.yaml").symlink_to(real / "airgap.yaml")
    add_to_spec(tmp_path / "airgap.yaml", [NewImage(name="one", source="one:1")])
    assert (tmp_path / "airgap.yaml").is_symlink()
    assert (real / "airgap.yaml").stat().st_mode & 0o777 == 0o640
    assert "name: one" in (real / "airgap.yaml").read_text()


def test_a_disk_that_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    spec(tmp_path)
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="can't write the spec"):
        add_to_spec(tmp_path / "airgap.yaml", [NewImage(name="one", source="one:1")])
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("airgap.yaml", SPEC)]
