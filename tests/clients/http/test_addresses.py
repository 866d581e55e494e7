"""Addresses: whom they name, and no more of them than may be shown."""

import pytest

from bundle.errors import SourceError
from clients.http.addresses import address, netloc, origin


@pytest.mark.parametrize(
    ("url", "location", "meant"),
    [
        ("https://h.x/v2/a", "", "https://h.x/v2/a"),
        ("https://h.x/v2/a", "/b?c=d", "https://h.x/b?c=d"),
        ("https://h.x/v2/a", "b", "https://h.x/v2/b"),
        ("https://h.x/v2/a", "http://other.x:81/b", "http://other.x:81/b"),
        ("https://h.x/v2/a", "//other.x/b", "https://other.x/b"),
    ],
)
def test_what_a_location_names(url: str, location: str, meant: str) -> None:
    assert address(url, location, "image 'app'") == meant


@pytest.mark.parametrize("location", ["https://h.x:port/", "https://[::1", "http://h.x:99999999/"])
def test_what_is_no_address(location: str) -> None:
    with pytest.raises(SourceError, match=r"image 'app': '.*' is not an address"):
        address("https://h.x/", location, "image 'app'")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:hunter2@h.x:5000/path?token=hunter2", "h.x:5000"),
        ("https://h.x/path", "h.x"),
        ("http://[::1]:80/", "[::1]:80"),
    ],
)
def test_only_the_host_is_shown(url: str, shown: str) -> None:
    assert netloc(url) == shown


def test_an_origin_is_scheme_host_and_port() -> None:
    assert origin("https://h.x/a") == origin("https://h.x:443/b") == ("https", "h.x", 443)
    assert origin("http://h.x/") == ("http", "h.x", 80)
    assert len({origin(url) for url in ("https://h.x", "http://h.x", "https://h.x:5000", "https://i.x")}) == 4
