"""What kubectl says, as a cause and a next step."""

from pathlib import Path

import pytest

from clients.cluster.errors import cluster_error, spoken


@pytest.mark.parametrize(
    ("words", "reason", "hint"),
    [
        pytest.param(
            "Unable to connect to the server: tls: x509: certificate signed by unknown authority",
            "untrusted",
            "certificate-authority",
            id="ca",
        ),
        pytest.param(
            "Unable to connect to the server: x509: certificate has expired or is not yet valid: current time ...",
            "untrusted",
            "clock",
            id="expired",
        ),
        pytest.param(
            "Unable to connect to the server: x509: certificate is valid for a, not b",
            "untrusted",
            "tls-server-name",
            id="name",
        ),
        pytest.param(
            "Unable to connect to the server: dial tcp: lookup k8s.test: no such host",
            "unreachable",
            "address",
            id="dns",
        ),
        pytest.param(
            "Unable to connect: dial tcp: lookup k8s.test on 10.0.0.2:53: server misbehaving",
            "unreachable",
            "address",
            id="dns-fails",
        ),
        pytest.param(
            "Unable to connect to the server: net/http: TLS handshake timeout", "unreachable", "address", id="handshake"
        ),
        pytest.param(
            "error: You must be logged in to the server (Unauthorized)",
            "unauthorized",
            "kubectl auth can-i --list",
            id="login",
        ),
        pytest.param("Please enter Username: error: EOF", "unauthorized", "kubectl auth can-i --list", id="asks"),
        pytest.param(
            "The connection to the server localhost:8080 was refused - did you specify the right host or port?",
            "unreachable",
            "KUBECONFIG",
            id="no-config",
        ),
        pytest.param("error: stat /nowhere: no such file or directory", "unreachable", "KUBECONFIG", id="config-gone"),
        pytest.param(
            'pods "web" is forbidden: exceeded quota: small, requested: pods=1', "invalid", "quota", id="quota"
        ),
        pytest.param(
            'admission webhook "v.kyverno.svc" denied the request: no latest tag', "invalid", "policy", id="webhook"
        ),
        pytest.param('Error from server (NotFound): namespaces "x" not found', "not found", "", id="not-found"),
        pytest.param("Error from server (TooManyRequests): wait", "unreachable", "busy", id="busy"),
        pytest.param("Error from server: etcdserver: request timed out", "unreachable", "busy", id="etcd"),
        pytest.param("something else", "", "", id="unknown"),
        pytest.param("", "", "", id="silence"),
    ],
)
def test_words_of_the_cluster(words: str, reason: str, hint: str) -> None:
    error = cluster_error(words, subject="pod a/b")
    assert error.reason == reason
    assert hint in error.hint
    assert bool(error.hint) == bool(hint)
    assert error.what.startswith("pod a/b: ")
    assert error.what != "pod a/b: "


@pytest.mark.parametrize(
    ("words", "what", "command"),
    [
        pytest.param(
            'secrets is forbidden: User "jo" cannot list resource "secrets" in API group "" in the namespace "shop"',
            "the account 'jo' may not list secrets in namespace 'shop'",
            "can-i list secrets --namespace shop",
            id="namespace",
        ),
        pytest.param(
            'Error: clusterroles.rbac.authorization.k8s.io is forbidden: User "system:serviceaccount:a:b" '
            'cannot create resource "clusterroles" in API group "rbac.authorization.k8s.io" at the cluster scope',
            "the account 'system:serviceaccount:a:b' may not create clusterroles.rbac.authorization.k8s.io"
            " in the whole cluster",
            "can-i create clusterroles.rbac.authorization.k8s.io --all-namespaces",
            id="cluster",
        ),
    ],
)
def test_the_right_that_is_missing(words: str, what: str, command: str) -> None:
    error = cluster_error(words, subject="s")
    assert (error.what, error.reason) == (f"s: {what}", "forbidden")
    assert command in error.hint


def test_words_are_bounded_and_clean() -> None:
    assert spoken("Error: a\x1b[31m\n\tb\n") == "a [31m b"
    assert len(spoken("x" * 5000)) == 603
    assert spoken("E0101 00:00:00.0 1 x.go:1] only this\n") == "E0101 00:00:00.0 1 x.go:1] only this"


def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "The connection to the server localhost:8080 was refused - did you specify the right host or port?"
    absent, present = tmp_path / "absent", tmp_path / "present"
    present.write_text("")
    monkeypatch.setenv("KUBECONFIG", f"{absent}")
    assert cluster_error(words, subject="s").what == f"s: KUBECONFIG names {str(absent)!r}, which is not there"
    monkeypatch.setenv("KUBECONFIG", f"{absent}:{present}")
    assert words in cluster_error(words, subject="s").what
