"""Checks and health as data, with paths that begin where the spec lies."""

import json
from pathlib import Path

import pytest

from schema.spec.checks import CHECK_KINDS, CheckKind, CheckSpec, HealthSpec

BASE = Path("/spec")


@pytest.mark.parametrize("ca", [None, BASE / "certs/ca.pem", Path("/etc/ssl/ca.pem")], ids=["none", "beside", "apart"])
def test_health_round_trips(ca: Path | None) -> None:
    made = HealthSpec(url="https://${site.host}/", status=204, text="ok", json={"v": "${image.web.tag}"}, ca=ca)
    assert HealthSpec.from_dict(json.loads(json.dumps(made.to_dict(BASE))), BASE) == made


@pytest.mark.parametrize("kind", CHECK_KINDS)
def test_a_check_of_each_kind_round_trips(kind: CheckKind) -> None:
    made = CheckSpec(
        kind=kind,
        subject="h",
        from_pod=True,
        ca=BASE / "ca.pem",
        status=401,
        min_days=30,
        min_version="8.0",
        run=("a", "b") if kind == "run" else (),
    )
    assert CheckSpec.from_dict(json.loads(json.dumps(made.to_dict(BASE))), BASE) == made


def test_a_path_moves_with_the_spec() -> None:
    made = HealthSpec(url="u", status=200, text="", json={}, ca=BASE / "certs/ca.pem")
    elsewhere = HealthSpec.from_dict(made.to_dict(BASE), Path("/carried/install"))
    assert elsewhere.ca == Path("/carried/install/certs/ca.pem")
