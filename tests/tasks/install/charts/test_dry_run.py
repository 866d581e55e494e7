"""The objects of releases on their way to a dry run."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bundle.formats.versions import Version
from clients.cluster.kubectl import Versions
from clients.programs.process import Completed
from tasks.install.charts.dry_run import dry_run_findings
from tasks.install.charts.rendered import render_releases
from tasks.site.receiver import Receiver
from tests.fixtures.benches.receiving import receiving
from tests.fixtures.made.crds import TEXT, crd

WIDGET = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}}
MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}}
TEST = {**MAP, "metadata": {"name": "t", "annotations": {"helm.sh/hook": "test-success"}}}


class Cluster:
    """Takes everything; what was sent for a dry run is kept, by namespace."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def __call__(self, argv: list[str], *, subject: str, objects: list[Mapping[str, Any]]) -> Completed:
        space = next(word.partition("=")[2] for word in argv if word.startswith("--namespace="))
        if "--dry-run=server" in argv:
            self.sent += [(space, each["metadata"]["name"]) for each in objects]
        return Completed(code=0, stdout=b"", stderr="")


@pytest.fixture
def receiver(carried_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    made = receiving(carried_bundle, tmp_path / "state")
    kubectl: Any = made.cluster.kubectl
    server = Version.parse("1.30.0")
    monkeypatch.setattr(kubectl, "version", lambda: Versions(client=server, server=server), raising=False)
    monkeypatch.setattr(kubectl, "exists", lambda *_, **__: True, raising=False)
    return made


def judged(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, text: str, *apis: str
) -> tuple[list[str], list[tuple[str, str]]]:
    """What is said of the first release, and which objects were sent."""
    cluster = Cluster()
    monkeypatch.setattr(receiver.cluster.helm, "template", lambda *_, **__: text)
    monkeypatch.setattr(receiver.cluster.kubectl, "run", cluster, raising=False)
    monkeypatch.setattr(receiver.cluster.kubectl, "api_versions", lambda: ("v1/ConfigMap", *apis), raising=False)
    rendered, _ = render_releases(receiver)
    return [str(each) for each in dry_run_findings(receiver, rendered[:1])], cluster.sent


def documents(*things: Mapping[str, Any], crds: bool = False) -> str:
    made = f"---\n# Source: app/crds/x.yaml\n{json.dumps(crd({'a': TEXT}).data)}\n" if crds else ""
    return made + "".join(f"---\n# Source: app/templates/x.yaml\n{json.dumps(each)}\n" for each in things)


def test_objects_go_where_they_would_be_and_tests_stay(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    other = {**MAP, "metadata": {"name": "o", "namespace": "elsewhere"}}
    told, sent = judged(receiver, monkeypatch, documents(MAP, other, TEST))
    assert told == []
    assert sent == [("app", "m"), ("elsewhere", "o")]


def test_kinds_that_the_installation_brings_are_not_judged_and_it_is_said(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, sent = judged(receiver, monkeypatch, documents(MAP, WIDGET, crds=True))
    assert told == [
        "note: release 'app': not judged before their CRDs are in: objects of Widget (example.com/v1)",
    ]
    assert sent == [("app", "m")]


def test_kinds_that_are_there_and_kept_are_judged(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    told, sent = judged(receiver, monkeypatch, documents(WIDGET, crds=True), "example.com/v1/Widget")
    assert (told, sent) == ([], [("app", "w")])


def test_kinds_whose_definition_is_a_template_or_upgraded_are_not_judged(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = documents(crd({"a": TEXT}).data, WIDGET)
    told, sent = judged(receiver, monkeypatch, text, "example.com/v1/Widget")
    assert len(told) == 1
    assert sent == []
    carried = receiver.carried
    spec = replace(carried.spec, install=replace(carried.spec.install, crds="upgrade"))
    monkeypatch.setattr(carried, "spec", spec)
    told, sent = judged(receiver, monkeypatch, documents(WIDGET, crds=True), "example.com/v1/Widget")
    assert len(told) == 1
    assert sent == []


def test_kinds_that_nobody_knows_are_told_by_another_check(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    assert judged(receiver, monkeypatch, documents(WIDGET)) == ([], [])


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            'admission webhook "w" denied the request: no owner',
            ["error: release 'app': Namespace/app is refused: admission webhook \"w\" denied the request: no owner"],
        ),
        ('namespaces is forbidden: User "u" cannot create resource "namespaces" in API group ""', []),
        ("", []),
    ],
    ids=["refused", "another check tells it", "taken"],
)
def test_a_namespace_that_is_to_be_made_is_asked_for(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, said: str, told: list[str]
) -> None:
    monkeypatch.setattr(Cluster, "__call__", lambda *_, **__: Completed(code=1 if said else 0, stdout=b"", stderr=said))
    monkeypatch.setattr(receiver.cluster.kubectl, "exists", lambda *_, **__: False, raising=False)
    found, _ = judged(receiver, monkeypatch, documents())
    assert [each.partition("\n")[0] for each in found] == told
