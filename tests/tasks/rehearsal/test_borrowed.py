"""A named cluster is given back as it was, whatever happens."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import ProblemsError
from schema.spec.install import InstallSpec
from tasks.rehearsal.borrowed import BorrowedCluster
from tests.fixtures.made.installs import WITH_CHART, spec

INSTALL = (
    WITH_CHART
    + """\
install:
  secrets:
    - {name: key, generate: hex64, namespaces: [app, runner]}
  releases:
    - {name: web, chart: web, namespace: app}
"""
)
QUIET = ["configmap/kube-root-ca.crt", "serviceaccount/default", "event/web.1", "secret/default-token-x"]


class FakeCluster:
    """Namespaces with their annotations and what is in them."""

    def __init__(self, **spaces: Sequence[str]) -> None:
        self.annotations: dict[str, dict[str, str]] = {name: {} for name in spaces}
        self.held = {name: list(held) for name, held in spaces.items()}
        self.removed = 0

    def get(self, kind: str, name: str, *, namespace: str = "") -> Mapping[str, Any] | None:
        assert kind == "namespace"
        return {"metadata": {"annotations": self.annotations[name]}} if name in self.annotations else None

    def names(self, namespace: str) -> Sequence[str]:
        return self.held[namespace]

    def annotate(self, kind: str, name: str, values: Mapping[str, str | None]) -> None:
        kept = {**self.annotations[name], **values}
        self.annotations[name] = {key: value for key, value in kept.items() if value is not None}

    def create(self, thing: Mapping[str, Any]) -> None:
        meta = thing["metadata"]
        self.annotations[meta["name"]] = dict(meta["annotations"])
        self.held[meta["name"]] = [*QUIET]

    def drop(self, name: str) -> None:
        del self.annotations[name], self.held[name]

    def remove(self) -> None:
        self.removed += 1


def borrowed(cluster: FakeCluster, tmp_path: Path, mark: str = "ours") -> BorrowedCluster:
    return BorrowedCluster(
        cluster=cluster, id=mark, marks=tmp_path / "marks", remove=cluster.remove, drop=cluster.drop, say=lambda _: None
    )


@pytest.fixture
def install(tmp_path: Path) -> InstallSpec:
    return spec(tmp_path, INSTALL).install


def test_a_new_namespace_goes_and_an_empty_one_stays(tmp_path: Path, install: InstallSpec) -> None:
    cluster = FakeCluster(app=QUIET)
    with borrowed(cluster, tmp_path) as taken:
        taken.take(install)
        assert all("airgap.rehearsal/id" in marks for marks in cluster.annotations.values())
        assert sorted(cluster.held) == ["app", "runner"]
        assert taken.give_back() == []
    assert cluster.annotations == {"app": {}}
    assert cluster.removed == 1
    assert list((tmp_path / "marks").iterdir()) == []


@pytest.mark.parametrize(
    ("held", "said"),
    [
        pytest.param(
            ["secret/sh.helm.release.v1.web.v3"], "release 'web' is installed in namespace 'app'", id="release"
        ),
        pytest.param(["secret/sh.helm.release.v1.web-2.v3"], "", id="a release of another name alone"),
        pytest.param(["secret/key"], "secret 'key' is there in namespace 'app'", id="secret"),
        pytest.param(["pod/a", "pod/b", "pod/c", "pod/d"], "holds pod/a, pod/b, pod/c and 1 other object", id="others"),
        pytest.param(["database.example.com/orders"], "database.example.com/orders", id="custom resource"),
    ],
)
def test_what_is_there_is_named_and_nothing_is_changed(
    tmp_path: Path, install: InstallSpec, held: list[str], said: str
) -> None:
    cluster = FakeCluster(app=[*QUIET, *held])
    with borrowed(cluster, tmp_path) as taken:
        with pytest.raises(ProblemsError) as caught:
            taken.take(install)
        assert said in str(caught.value)
        assert taken.give_back() == ()
    assert cluster.annotations == {"app": {}}
    assert cluster.removed == 0


def test_what_lost_its_mark_is_left_alone(tmp_path: Path, install: InstallSpec) -> None:
    """A real installation that came in between takes the mark away: nothing of it may go."""
    cluster = FakeCluster()
    with borrowed(cluster, tmp_path) as taken:
        taken.take(install)
        cluster.annotate("namespace", "app", {"airgap.rehearsal/id": None})
        assert taken.give_back() == ["namespace app has lost the mark of the rehearsal: nothing was removed"]
    assert sorted(cluster.held) == ["app", "runner"]
    assert cluster.removed == 0


def test_of_a_running_rehearsal_nothing_is_removed(tmp_path: Path, install: InstallSpec) -> None:
    cluster = FakeCluster()
    with borrowed(cluster, tmp_path, "first") as first:
        first.take(install)
        with borrowed(cluster, tmp_path, "second") as second, pytest.raises(ProblemsError, match="mark of another"):
            second.take(install)
        assert sorted(cluster.held) == ["app", "runner"]
    with borrowed(cluster, tmp_path, "third") as third:
        third.take(install)
        assert {marks["airgap.rehearsal/id"] for marks in cluster.annotations.values()} == {"third"}
    assert cluster.removed == 1
