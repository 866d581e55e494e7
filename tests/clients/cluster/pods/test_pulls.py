"""What container runtimes say about an image, and what to do about it."""

import pytest

from clients.cluster.pods.pulls import pull_fault
from tests.fixtures.made.objects import IMAGE


@pytest.mark.parametrize(
    ("message", "words", "hint", "may_heal"),
    [
        pytest.param(
            "x509: certificate signed by unknown authority", "x509: ", "trust the CA of registry.test", False, id="ca"
        ),
        pytest.param(
            "http: server gave HTTP response to HTTPS client", "http: ", "plain HTTP|runtime speak", False, id="http"
        ),
        pytest.param("no basic auth credentials", "no basic", "pull secret for registry.test", False, id="login"),
        pytest.param(
            "dial tcp: lookup registry.test: no such host", "dial", "resolve and reach registry.test", True, id="dns"
        ),
        pytest.param("no match for platform in manifest", "no match", "bundle.platform", False, id="platform"),
        pytest.param(
            "dial tcp: lookup registry.test on 10.0.0.2:53: server misbehaving",
            "dial",
            "resolve and reach",
            True,
            id="dns-fails",
        ),
        pytest.param("write /var/lib/x: no space left on device", "write", "free disk space", True, id="full"),
        pytest.param(
            "pull access denied, repository does not exist or may require authorization: authorization failed: no "
            "basic auth credentials",
            "pull access denied",
            "pull secret for registry.test",
            False,
            id="login-before-image",
        ),
        pytest.param("toomanyrequests: 429", "toomany", "reach", True, id="limit"),
        pytest.param("something else", "something", "crictl pull", True, id="unknown"),
    ],
)
def test_why_an_image_is_not_pulled(message: str, words: str, hint: str, may_heal: bool) -> None:
    fault = pull_fault(IMAGE, message)
    assert fault.words.startswith(words)
    assert any(each in fault.hint for each in hint.split("|"))
    assert fault.may_heal is may_heal


@pytest.mark.parametrize(
    ("secrets", "hint"),
    [
        (None, "has a pull secret for registry.test with a login that works"),
        ((), "the pod uses no pull secret: name a pull secret for registry.test"),
        (("login", "other"), "check that pull secret login, other is in the namespace"),
    ],
)
def test_what_the_pod_has_to_log_in_with_decides(secrets: tuple[str, ...] | None, hint: str) -> None:
    assert hint in pull_fault(IMAGE, "no basic auth credentials", secrets=secrets).hint


@pytest.mark.parametrize(
    "image",
    ["registry.test/timeout/certificate:403", "registry.test/denied:401", "registry.test/x509/refused:unauthorized"],
)
def test_what_an_image_is_called_does_not_decide(image: str) -> None:
    path = image.removeprefix("registry.test/").replace(":", "/manifests/")
    said = f'failed to resolve reference "{image}": HEAD https://registry.test/v2/{path}: {image}: not found'
    assert "is in the registry" in pull_fault(image, said).hint
