"""What is looked at of releases: what can't be seen is a gap, and never an error."""

import base64
import json
from typing import Any

import pytest

from bundle.errors import ClusterError
from clients.cluster.pods.containers import pull_secrets, statuses
from clients.cluster.pods.trouble import Event
from clients.cluster.release import Release
from clients.cluster.survey import survey
from tests.fixtures.made.objects import pod


class Place:
    """Stands for helm and the cluster; what is `closed` can't be looked at."""

    def __init__(self, *, secret: dict[str, Any] | None = None, closed: str = "", restarts: int = 0) -> None:
        self._secret = secret
        self._closed = closed
        self.pod = pod(restarts=restarts, state={"running": {}})
        self.pod["spec"]["imagePullSecrets"] = [{"name": "login"}]
        self.asked: list[tuple[str, ...]] = []

    def _ask(self, *words: str) -> None:
        self.asked.append(words)
        if words[0] == self._closed:
            raise ClusterError(f"{words[0]}: not allowed", reason="forbidden")

    def history(self, release: str, *, namespace: str) -> tuple[Release, ...]:
        self._ask("history", release, namespace)
        return (Release(name=release, namespace=namespace, revision=1, status="deployed", chart="c-1", description=""),)

    def get(self, kind: str, name: str, *, namespace: str = "") -> dict[str, Any] | None:
        self._ask("get", kind, name, namespace)
        return self._secret

    def list(self, kind: str, *, namespace: str = "", selector: str = "") -> list[dict[str, Any]]:
        self._ask("addressed" if "ingresses" in kind else "list", namespace)
        return [] if "ingresses" in kind else [self.pod]

    def events(self, namespace: str, *, warnings: bool = False, since: str = "") -> tuple[Event, ...]:
        self._ask("events", namespace)
        return ()

    def logs(self, pod: str, container: str, *, namespace: str, lines: int = 40, previous: bool = False) -> str:
        self._ask("logs", pod, container, namespace)
        return "before\n" if previous else "now\n"

    def secret_keys(self, namespace: str) -> tuple[str, ...]:
        self._ask("secret_keys", namespace)
        return ("login: .dockerconfigjson",)


def login(content: bytes) -> dict[str, Any]:
    return {"data": {".dockerconfigjson": base64.b64encode(content).decode()}}


def test_a_namespace_is_looked_at_once_for_all_its_releases() -> None:
    place = Place()
    scenes = survey([("a", "shop"), ("b", "shop"), ("c", "data")], helm=place, cluster=place)
    assert [(scene.namespace, list(scene.histories)) for scene in scenes] == [("shop", ["a", "b"]), ("data", ["c"])]
    assert [words for words in place.asked if words[0] == "events"] == [("events", "shop"), ("events", "data")]
    assert all(scene.gaps == () for scene in scenes)


@pytest.mark.parametrize("closed", ["history", "list", "events", "addressed", "secret_keys", "get", "logs"])
def test_what_can_not_be_looked_at_is_a_gap(closed: str) -> None:
    place = Place(closed=closed)
    (scene,) = survey([("a", "shop")], helm=place, cluster=place)
    assert scene.gaps == (f"{closed}: not allowed",)
    assert bool(scene.events) is False
    assert bool(scene.logs) is (closed not in ("list", "logs"))


@pytest.mark.parametrize(("restarts", "logs"), [(0, ["web-1/web"]), (1, ["web-1/web-before", "web-1/web"])])
def test_logs_from_before_a_restart_too(restarts: int, logs: list[str]) -> None:
    place = Place(restarts=restarts)
    (scene,) = survey([("a", "shop")], helm=place, cluster=place)
    assert list(scene.logs) == logs


@pytest.mark.parametrize(
    ("secret", "hosts"),
    [
        (login(json.dumps({"auths": {"b.x": {"auth": "hunter2"}, "a.x": {}}}).encode()), ("a.x", "b.x")),
        (login(b"{}"), None),
        (login(b"no json"), None),
        ({"data": {".dockerconfigjson": "!"}}, None),
        ({"data": None}, None),
        (None, None),
    ],
)
def test_of_a_pull_secret_only_its_hosts_are_kept(secret: dict[str, Any] | None, hosts: tuple[str, ...] | None) -> None:
    place = Place(secret=secret)
    (scene,) = survey([("a", "shop")], helm=place, cluster=place)
    assert scene.pull_hosts == {"login": hosts}
    assert "hunter2" not in repr(scene)


def test_what_pods_say_may_be_missing() -> None:
    assert pull_secrets({"spec": {"imagePullSecrets": None}}) == ()
    assert pull_secrets({"spec": {"imagePullSecrets": [{}, {"name": "a"}]}}) == ("a",)
    assert statuses({}) == ()
    both = {"status": {"containerStatuses": [{"name": "b"}], "initContainerStatuses": [{"name": "a"}]}}
    assert [each["name"] for each in statuses(both)] == ["a", "b"]
