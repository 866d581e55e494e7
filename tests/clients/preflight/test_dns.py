"""Names must be full ones, and be in the DNS."""

import socket
from collections.abc import Callable

import pytest

from clients.preflight.dns import dns

ABSENT = socket.gaierror(socket.EAI_NONAME, "no")


@pytest.fixture
def resolves(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Sets the names that resolve, each to its canonical name; returns the list of those that are asked for."""

    def give(**canonical: str) -> list[str]:
        asked: list[str] = []

        def answer(host: str, port: int, **_: object) -> list[object]:
            asked.append(host)
            if host.replace(".", "_") not in canonical:
                raise ABSENT
            name = canonical[host.replace(".", "_")]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, name, ("10.0.0.1", port))]

        monkeypatch.setattr(socket, "getaddrinfo", answer)
        return asked

    return give


@pytest.mark.parametrize("host", ["pro.corp.test", "pro.corp.test."])
def test_a_full_name_is_asked_for_absolutely(resolves: Callable[..., list[str]], host: str) -> None:
    asked = resolves(pro_corp_test_="pro.corp.test")
    assert dns(host) == ()
    assert asked == ["pro.corp.test."]


@pytest.mark.parametrize(
    ("canonical", "severity", "words", "hint"),
    [
        pytest.param({}, "error", "host pro.corp.test is not known", "add pro.corp.test to the internal DNS", id="no"),
        pytest.param(
            {"pro_corp_test": "pro.corp.test.ad.example"},
            "error",
            "only by this machine's search domain, as pro.corp.test.ad.example",
            "write pro.corp.test.ad.example",
            id="search-domain",
        ),
        pytest.param(
            {"pro_corp_test": "pro.corp.test"},
            "warning",
            "only this machine's hosts file knows it",
            "add pro.corp.test to the internal DNS",
            id="hosts-file",
        ),
    ],
)
def test_what_does_not_resolve_absolutely(
    resolves: Callable[..., list[str]], canonical: dict[str, str], severity: str, words: str, hint: str
) -> None:
    resolves(**canonical)
    (found,) = dns("pro.corp.test")
    assert found.severity == severity
    assert words in found.what
    assert hint in found.hint


def test_an_absolute_name_is_not_completed(resolves: Callable[..., list[str]]) -> None:
    resolves(pro_corp_test="pro.corp.test")
    (found,) = dns("pro.corp.test.")
    assert found.what == "host pro.corp.test is not known"


@pytest.mark.parametrize(
    ("host", "words"),
    [
        pytest.param("zenml", "it has no domain", id="single-label"),
        pytest.param("zenml.", "it has no domain", id="single-label-absolute"),
        pytest.param("localhost", "it has no domain", id="localhost"),
        pytest.param("zenml.cluster", "browsers know no domain 'cluster'", id="bare-prefix"),
        pytest.param("zenml.K8S", "browsers know no domain 'k8s'", id="upper-case"),
        pytest.param("zenml.pro.svc", "service's short name", id="service"),
        pytest.param("10.1.2.3", "it is an IP address", id="ipv4"),
        pytest.param("fd00::1", "it is an IP address", id="ipv6"),
        pytest.param("https://zenml.corp.test", "is no name of a host", id="url"),
        pytest.param("zenml..test", "is no name of a host", id="empty-label"),
        pytest.param("<host>.corp.test", "is no name of a host", id="placeholder"),
    ],
)
def test_names_that_are_not_full(resolves: Callable[..., list[str]], host: str, words: str) -> None:
    asked = resolves()
    (found,) = dns(host)
    assert words in found.what
    assert found.severity == "error"
    assert found.hint
    assert asked == []


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "zenml.de",
        "zenml.internal",
        "zenml.LOCAL",
        "zenml.cluster.",
        "zenml.ml.cluster",
        "a.b.svc.cluster.local",
    ],
)
def test_names_that_are_full(resolves: Callable[..., list[str]], host: str) -> None:
    asked = resolves()
    dns(host)
    assert asked[0] == f"{host.removesuffix('.')}."
