"""What an installation knows of its cluster: asked once, and again after a change."""

import os
import threading
from pathlib import Path
from typing import Any, cast

import pytest

from bundle.errors import ClusterError, MissingToolError
from bundle.secret import KnownSecrets
from schema.spec.install import ActionSpec, ReleaseSpec
from tasks.site.carried import CarriedBundle
from tasks.site.cluster import Cluster, Programs
from tests.fixtures.benches.receiving import MemoryHelm, MemoryKubectl
from tests.fixtures.made.objects import thing


def release(name: str, namespace: str) -> ReleaseSpec:
    return ReleaseSpec(
        name=name, chart="app", namespace=namespace, values=(), timeout=1, health=(), ignore_images={}, needs=(),
        after=(),
    )  # fmt: skip


APP, WEB = release("app", "shop"), release("web", "front")


class Counting:
    """Passes on what is asked, and keeps count."""

    def __init__(self, asked: Any) -> None:
        self._asked = asked
        self.count = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._asked, name)

        def call(*args: Any, **more: Any) -> Any:
            self.count += 1
            return found(*args, **more)

        return call


@pytest.fixture
def known() -> KnownSecrets:
    return KnownSecrets()


@pytest.fixture
def cluster(known: KnownSecrets) -> Cluster:
    made = Cluster(cast("Any", None), known, [APP, WEB])
    made.__dict__.update(helm=Counting(MemoryHelm()), kubectl=Counting(MemoryKubectl()))
    return made


def asked(cluster: Cluster, what: str) -> Any:
    return cluster.__dict__[what]


def test_all_releases_are_asked_for_at_once(cluster: Cluster) -> None:
    helm = asked(cluster, "helm")
    helm._asked.put("app", "shop", revision=3)
    helm._asked.put("web", "other")
    found = cluster.release(APP)
    assert found
    assert found.revision == 3
    assert cluster.release(WEB) is None, "one of its name elsewhere is another"
    assert helm.count == 1
    helm._asked.put("web", "front")
    assert cluster.release(WEB) is None
    cluster.changed_releases()
    assert cluster.release(WEB)
    assert helm.count == 2


def test_a_secret_is_asked_for_once_and_again_after_a_change(cluster: Cluster, known: KnownSecrets) -> None:
    kubectl = asked(cluster, "kubectl")
    assert cluster.secret("db", "shop") is None
    held = {"kind": "Secret", "metadata": {"name": "db", "namespace": "shop"}, "data": {"a": "aHVudGVyMg=="}}
    kubectl._asked.apply([held])
    assert cluster.secret("db", "shop") is None
    cluster.changed_secret("db", "shop")
    found = cluster.secret("db", "shop")
    assert found
    assert list(found) == ["a"]
    assert cluster.secret("db", "shop") is found
    assert kubectl.count == 2
    assert "hunter2" in list(known), "what is read of a secret is masked from then on"


@pytest.mark.parametrize(
    ("after", "namespace"), [(("web",), "front"), (("enroll", "app"), "shop"), ((), "shop"), (("enroll",), "shop")]
)
def test_where_the_record_of_an_action_is_kept(cluster: Cluster, after: tuple[str, ...], namespace: str) -> None:
    action = ActionSpec(name="a", run=("x",), after=after, env={}, inputs=(), outputs="")
    assert cluster.record_namespace(action) == namespace
    assert cluster.record(action) is None
    assert Cluster(cast("Any", None), KnownSecrets(), []).record_namespace(action) == "default"


def test_one_release_of_a_namespace_at_a_time(cluster: Cluster) -> None:
    order: list[str] = []
    begun = threading.Event()

    def other() -> None:
        begun.set()
        with cluster.alone("shop"):
            order.append("second")

    with cluster.alone("shop"), cluster.alone("front"):
        thread = threading.Thread(target=other)
        thread.start()
        begun.wait()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_release_whose_pods_are_not_ready_ails(cluster: Cluster) -> None:
    kubectl = asked(cluster, "kubectl")
    kubectl._asked.objects["deployment", "shop", "app"] = thing(
        "Deployment", "app", spec={"replicas": 1}, metadata={"annotations": {"meta.helm.sh/release-name": "app"}}
    )
    assert any("deployment app" in line for line in cluster.ailing(APP)), cluster.ailing(APP)
    count = kubectl.count
    assert cluster.ailing(release("other", "shop")) == ()
    assert kubectl.count == count, "a namespace is looked at once"


@pytest.mark.parametrize(("reason", "raises"), [("forbidden", False), ("unreachable", True)])
def test_what_may_not_be_looked_at_is_taken_to_be_well(cluster: Cluster, reason: Any, raises: bool) -> None:
    def refuse(*_: object, **__: object) -> Any:
        raise ClusterError("no", reason=reason)

    asked(cluster, "kubectl")._asked.list = refuse
    if raises:
        with pytest.raises(ClusterError):
            cluster.ailing(APP)
    else:
        assert cluster.ailing(APP) == ()


class Tools:
    """Stands for a carried bundle: a directory with its tools, which is made when it is asked for."""

    def __init__(self, place: Path) -> None:
        self._place = place

    @property
    def tools(self) -> Path:
        self._place.mkdir(exist_ok=True)
        return self._place


def program(directory: Path, name: str) -> Path:
    directory.mkdir(exist_ok=True)
    (directory / name).write_text("#!/bin/sh\n")
    (directory / name).chmod(0o755)
    return directory / name


def programs(tmp_path: Path, **env: str) -> Programs:
    carried: Any = Tools(tmp_path / "tools")
    return Programs(cast("CarriedBundle", carried), {"PATH": str(tmp_path / "bin"), **env})


def test_the_bundles_own_is_found_first(tmp_path: Path) -> None:
    machine = program(tmp_path / "bin", "helm")
    assert programs(tmp_path).find("helm") == machine
    own = program(tmp_path / "tools", "helm")
    assert programs(tmp_path).find("helm") == own


def test_one_that_is_nowhere_is_told_with_where_was_looked(tmp_path: Path) -> None:
    with pytest.raises(MissingToolError, match="kubectl"):
        programs(tmp_path).find("kubectl")


def test_what_the_specs_own_programs_find(tmp_path: Path) -> None:
    env = programs(tmp_path, GIVEN="yes").env
    assert env["PATH"].split(os.pathsep) == [str(tmp_path / "tools"), str(tmp_path / "bin")]
    assert env["GIVEN"] == "yes"
    carried: Any = Tools(tmp_path / "tools")
    assert Programs(carried, {}).env["PATH"] == f"{tmp_path / 'tools'}{os.pathsep}{os.defpath}"
