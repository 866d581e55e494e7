"""`doit images`: which images charts use."""

import json
from pathlib import Path
from typing import Any

import pytest

from clients.charts.images import FoundImage
from tasks.commands import images
from tasks.commands.images import Images, Listed
from tasks.proof.judge import Kind, Standing
from tasks.site.receiver import Receiver
from tests.fixtures.benches.proving import proven
from tests.fixtures.benches.receiving import commanded, said
from tests.fixtures.made.published import faults


def test_doit_images_needs_a_helm(tmp_path: Path) -> None:
    ran = proven(tmp_path, "").bench.doit("images")
    assert ran.code == 1
    assert "FAILED images: helm is not on PATH, and the bundle carries none\n  next: install helm" in ran.err


def test_json_is_as_published(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    uses: list[tuple[str, str, Kind]] = [
        ("busybox", "", "missing"), ("no image", "argument --x", "ignored"), ("quay.io/a/b:1", "", "carried"),
        (f"quay.io/a/b@sha256:{'a' * 64}", "", "source"),
    ]  # fmt: skip
    release = receiver.carried.spec.install.releases[0]
    listed = [
        Listed(release=release, standing=Standing(kind=kind),
               found=FoundImage(text=text, object="Pod/p", field="spec.x", evidence=evidence))
        for text, evidence, kind in uses
    ]  # fmt: skip
    answer: Any = (listed, [])
    monkeypatch.setattr(images, "list_images", lambda _: answer)
    monkeypatch.setattr(type(receiver.project), "has_spec", True)
    assert commanded(Images, receiver, as_json=True, add=False, suspected=False) == 0
    assert [each["image"] for each in json.loads(said(receiver))["images"]] == [text for text, *_ in uses]
    assert faults("images", said(receiver)) == []
