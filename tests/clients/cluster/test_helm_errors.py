"""What helm says, as a cause and a next step."""

import pytest

from bundle.errors import AirgapError, ClusterError, ReleaseError
from clients.cluster._helm_errors import helm_error


@pytest.mark.parametrize(
    ("words", "kind", "hint"),
    [
        pytest.param(
            "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress",
            ReleaseError,
            "run the install again",
            id="pending",
        ),
        pytest.param(
            "Error: UPGRADE FAILED: release web failed, and has been rolled back due to atomic being set: "
            "timed out waiting for the condition",
            ReleaseError,
            "timeout",
            id="time-3",
        ),
        pytest.param(
            "Error: UPGRADE FAILED: resource Deployment/shop/web not ready.\ncontext deadline exceeded",
            ReleaseError,
            "timeout",
            id="time-4",
        ),
        pytest.param(
            "Error: values don't meet the specifications of the schema(s) in chart(s):\nshop:\n- at '/x': no",
            ReleaseError,
            "values files",
            id="schema",
        ),
        pytest.param(
            "Error: execution error at (shop/templates/a.yaml:3:4): host is required",
            ReleaseError,
            "chart asks for",
            id="fail",
        ),
        pytest.param(
            'Error: Unable to continue: Secret "x" in namespace "y" exists and cannot be imported into ...',
            ReleaseError,
            "remove that object",
            id="owned",
        ),
        pytest.param(
            'Error: unable to build objects: no matches for kind "Certificate" in version "cert-manager.io/v1"',
            ReleaseError,
            "needs:",
            id="crd",
        ),
        pytest.param(
            'Error: Kubernetes cluster unreachable: Get "https://a/version": dial tcp: connect: connection refused',
            ClusterError,
            "KUBECONFIG",
            id="unreachable",
        ),
        pytest.param(
            "Error: UPGRADE FAILED: conflict occurred while applying object shop/web apps/v1, Kind=Deployment: Apply "
            'failed with 1 conflict: conflict with "kubectl-patch" using apps/v1: .spec.replicas',
            ReleaseError,
            "--force-conflicts",
            id="conflict",
        ),
        pytest.param("Error: something new", ReleaseError, "", id="unknown"),
    ],
)
def test_words_of_helm(words: str, kind: type[AirgapError], hint: str) -> None:
    error = helm_error(words, subject="release 'web'")
    assert type(error) is kind
    assert error.what.startswith("release 'web': ")
    assert hint in error.hint
    assert bool(error.hint) == bool(hint)
