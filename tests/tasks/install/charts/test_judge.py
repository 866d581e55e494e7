"""What is judged of the releases before the first change."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import ReleaseError
from bundle.formats.versions import Version
from clients.cluster.kubectl import Versions
from clients.programs.process import Completed
from tasks.install.charts.judge import judge, judge_releases
from tasks.install.charts.rendered import render_releases
from tasks.site.receiver import Receiver
from tests.fixtures.benches.receiving import receiving

OTHER = "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: 'nobody.example/x:1'}]}}"


@pytest.fixture
def receiver(carried_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    made = receiving(carried_bundle, tmp_path / "state")
    kubectl: Any = made.cluster.kubectl
    server = Version.parse("1.30.0")
    monkeypatch.setattr(kubectl, "version", lambda: Versions(client=server, server=server), raising=False)
    monkeypatch.setattr(kubectl, "api_versions", lambda: ("v1",), raising=False)
    taken = Completed(code=0, stdout=b"", stderr="")
    monkeypatch.setattr(kubectl, "run", lambda *_, **__: taken, raising=False)
    return made


def rendering(receiver: Receiver, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(receiver.cluster.helm, "template", lambda *_, **__: text)


def test_an_image_that_nobody_has(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    rendering(receiver, monkeypatch, OTHER)
    found = judge_releases(receiver)
    assert [each.subject for each in found] == ["release 'app'", "release 'web'"]
    assert found[0].what.startswith("image 'nobody.example/x:1' (Pod/p, spec.containers[0].image) is not in the bundle")


def test_a_chart_that_can_not_be_rendered(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise ReleaseError("got string, want integer", hint="correct it")

    monkeypatch.setattr(receiver.cluster.helm, "template", refuse)
    assert [each.what for each in judge_releases(receiver)] == ["got string, want integer"] * 2


def test_a_chart_that_renders_no_yaml(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    rendering(receiver, monkeypatch, "a: [")
    first, _ = judge_releases(receiver)
    assert (first.subject, first.severity) == ("release 'app'", "error")
    assert first.what.startswith("what it renders is no YAML")


def test_a_rehearsal_has_an_empty_cluster(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    rendering(receiver, monkeypatch, OTHER)
    rendered, _ = render_releases(receiver)
    monkeypatch.setattr(receiver, "options", replace(receiver.options, rehearsal="cluster"))
    assert judge(receiver, rendered) == ()


def test_an_image_of_an_override(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    (receiver.options.state / "site.yaml").write_text("host: h\noverrides: {app: {image: 'nobody.example/x:1'}}\n")
    receiver.__dict__.pop("site_file", None)
    receiver.__dict__.pop("site", None)
    pods = {True: OTHER, False: "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}"}
    template = lambda *_, values, **__: pods["nobody.example" in values.read_text()]  # noqa: E731
    monkeypatch.setattr(receiver.cluster.helm, "template", template)
    (found,) = [each for each in judge_releases(receiver) if "not in the bundle" in each.what]
    assert (found.subject, found.severity) == ("release 'app'", "error")
    assert found.what.endswith("its chart uses it with the site's overrides, the version and the APIs of this cluster")
    assert found.hint.startswith("let `overrides` of ")
    assert found.hint.endswith("site.yaml name images of the bundle, as ${image.NAME.ref}")
