"""Which proxy a request goes through."""

import pytest

from clients.http._proxies import Proxies

PROXY = "http://proxy:3128"


def chosen(url: tuple[str, str, int], **environment: str) -> str:
    return Proxies.from_environment(environment).choose(*url)


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        pytest.param({}, ("https", "a.test", 443), "", id="none"),
        pytest.param({"HTTPS_PROXY": PROXY}, ("https", "a.test", 443), PROXY, id="https"),
        pytest.param({"HTTPS_PROXY": PROXY}, ("http", "a.test", 80), "", id="https-only"),
        pytest.param({"HTTP_PROXY": PROXY}, ("http", "a.test", 80), PROXY, id="http"),
        pytest.param({"https_proxy": PROXY}, ("https", "a.test", 443), PROXY, id="lower-case"),
        pytest.param({"HTTPS_PROXY": "proxy:3128"}, ("https", "a.test", 443), PROXY, id="no-scheme"),
        pytest.param({"HTTPS_PROXY": PROXY}, ("https", "localhost", 443), "", id="localhost"),
        pytest.param({"HTTP_PROXY": PROXY}, ("http", "127.0.0.5", 5000), "", id="loopback"),
        pytest.param({"HTTP_PROXY": PROXY}, ("http", "[::1]", 5000), "", id="loopback-6"),
    ],
)
def test_the_environment_names_proxies(environment: dict[str, str], url: tuple[str, str, int], proxy: str) -> None:
    assert chosen(url, **environment) == proxy


@pytest.mark.parametrize(
    ("pattern", "host", "direct"),
    [
        pytest.param("*", "a.test", True, id="all"),
        pytest.param("a.test", "a.test", True, id="same"),
        pytest.param("a.test", "b.a.test", True, id="subdomain"),
        pytest.param("a.test", "ba.test", False, id="other-name"),
        pytest.param(".a.test", "a.test", False, id="dot-excludes-itself"),
        pytest.param(".a.test", "b.a.test", True, id="dot"),
        pytest.param("*.a.test", "b.a.test", True, id="star"),
        pytest.param("x, a.test", "a.test", True, id="list"),
        pytest.param("A.test", "a.TEST", True, id="case"),
        pytest.param("a.test:443", "a.test", True, id="port"),
        pytest.param("a.test:8443", "a.test", False, id="other-port"),
        pytest.param("10.0.0.0/8", "10.1.2.3", True, id="range"),
        pytest.param("10.0.0.0/8", "11.1.2.3", False, id="outside-range"),
        pytest.param("10.1.2.3", "10.1.2.3", True, id="address"),
        pytest.param("10.0.0.0/x", "10.1.2.3", False, id="broken-range"),
        pytest.param("fd00::1", "[fd00::1]", True, id="address-6"),
    ],
)
def test_no_proxy(pattern: str, host: str, direct: bool) -> None:
    assert chosen(("https", host, 443), HTTPS_PROXY=PROXY, NO_PROXY=pattern) == ("" if direct else PROXY)
