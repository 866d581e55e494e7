"""Without a helm nothing is claimed, and a proof that is required is no wish."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.benches.proving import Proven, proven


@pytest.fixture(params=["helm3", "helm4"])
def bundle(request: pytest.FixtureRequest, tmp_path: Path) -> Proven:
    return proven(tmp_path, request.param)


def test_without_helm_nothing_is_claimed(tmp_path: Path) -> None:
    made = proven(tmp_path, "")
    for ran in (made.bench.doit("bundle"), made.bench.doit("bundle")):
        assert ran.code == 0
        assert "NOT PROVEN that the bundle has every image of app: helm is not at hand" in ran.out
        assert "install helm" in ran.out
    assert ran.steps == []
    assert made.proof == [{"release": "app", "proven": False, "reason": "helm was not at hand"}]
    assert "app: NOT PROVEN, helm was not at hand" in (made.bench.bundle / "manifest.txt").read_text()


def test_a_required_proof_is_no_wish(tmp_path: Path) -> None:
    made = proven(tmp_path, "")
    spec: Any = made.bench.spec
    spec["bundle"]["require_proof"] = True
    made.bench.write()
    ran = made.bench.doit("bundle")
    assert ran.code == 1
    assert "release 'app' can't be proven, and bundle.require_proof asks for it: helm is not on PATH" in ran.err
    assert "next: install helm" in ran.err


def test_a_helm_that_is_none_proves_nothing(tmp_path: Path) -> None:
    made = proven(tmp_path, "")
    helm = tmp_path / "bin" / "helm"
    helm.write_text("#!/bin/sh\necho hello\n")
    helm.chmod(0o755)
    ran = made.bench.doit("bundle")
    assert ran.code == 0
    assert "NOT PROVEN" in ran.out
    assert str(tmp_path) not in json.dumps(made.proof)
