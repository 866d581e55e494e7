"""The next step after an Engine's words, which come in the spelling of many versions."""

import pytest

from bundle.oci.reference import Reference
from clients.engine._hints import next_step

APP = Reference.parse("registry.example.com:5000/team/app:1")


@pytest.mark.parametrize(
    ("words", "step"),
    [
        ("write /var/lib/docker/tmp/x: no space left on device", "docker image prune"),
        ("Disk Quota Exceeded", "docker image prune"),
        ("no matching manifest for linux/s390x in the manifest list entries", "choose a platform"),
        (
            'Get "https://registry.example.com:5000/v2/": x509: certificate signed by unknown authority',
            "/etc/docker/certs.d/registry.example.com:5000/ca.crt",
        ),
        (
            "http: server gave HTTP response to HTTPS client",
            'add "registry.example.com:5000" to insecure-registries',
        ),
        ("dial tcp: lookup registry.example.com: no such host", "it is the Docker daemon that has to reach registry"),
        ("net/http: request canceled (Client.Timeout exceeded while awaiting headers)", "check its network"),
        ("manifest for team/app:1 not found: manifest unknown", "team/app"),
        ("no basic auth credentials", "docker login registry.example.com:5000"),
        ("toomanyrequests: too many requests", "wait and run again"),
        ("received unexpected HTTP status: 502 Bad Gateway", "run again later"),
        ("denied: requested access to the resource is denied", "ask for the right to pull"),
    ],
)
def test_what_is_to_be_done(words: str, step: str) -> None:
    assert step in next_step(words, APP, pushes=False)


def test_who_may_not_push_is_told_of_pushing() -> None:
    pull, push = (next_step("denied: requested access", APP, pushes=pushes) for pushes in (False, True))
    assert "pull" in pull
    assert "push" in push


def test_what_no_registry_had_a_part_in_needs_none() -> None:
    assert next_step("x509: something local", None, pushes=False) == ""
    assert "docker image prune" in next_step("no space left on device", None, pushes=False)


def test_words_that_nobody_knows_get_no_advice() -> None:
    assert next_step("something went wrong", APP, pushes=False) == ""
