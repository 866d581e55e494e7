"""`doit roles` prints objects for kubectl, and nothing else."""

from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from clients.preflight.needs import ClusterNeeds
from tasks.commands.installed import roles
from tasks.commands.installed.roles import Roles
from tasks.site.receiver import Receiver
from tests.fixtures.benches.receiving import commanded, said


@pytest.fixture
def rendering(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What rendering the releases is to find; the cluster has no namespaces."""
    found: dict[str, Any] = {"rendered": ["app", "web"], "findings": ()}
    rights = SimpleNamespace(wanted=lambda needs: [], absent=lambda needs: list(needs.namespaces))
    monkeypatch.setattr(roles, "render_releases", lambda receiver: (found["rendered"], found["findings"]))
    needs = ClusterNeeds(min_version="1.24", namespaces=["app"])
    monkeypatch.setattr(roles, "cluster_needs", lambda receiver, rendered: needs)
    monkeypatch.setattr(roles, "Rights", lambda kubectl: rights)
    return found


def test_what_is_printed_is_yaml_for_kubectl(receiver: Receiver, rendering: dict[str, Any]) -> None:
    assert commanded(Roles, receiver, "ann", "", "ci/deploy") == 0
    space, role, binding = yaml.safe_load_all(said(receiver))
    assert space["metadata"] == {"name": "app"}
    assert (role["kind"], role["metadata"]["name"]) == ("ClusterRole", "app-install")
    assert [each["kind"] for each in binding["subjects"]] == ["User", "ServiceAccount"]


def test_a_service_account_has_a_namespace(receiver: Receiver, rendering: dict[str, Any]) -> None:
    assert commanded(Roles, receiver, "", "", "deploy") == 1
    assert "--service-account deploy: expected NAMESPACE/NAME" in said(receiver)


def test_roles_of_half_an_install_are_not_printed(receiver: Receiver, rendering: dict[str, Any]) -> None:
    rendering["rendered"] = ["app"]
    assert commanded(Roles, receiver, "ann", "", "") == 1
    assert "FAILED roles: not every release can be rendered" in said(receiver)
    assert "kind: ClusterRole" not in said(receiver)
