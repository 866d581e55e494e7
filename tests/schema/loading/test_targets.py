"""What images are called inside."""

from pathlib import Path

import pytest

from bundle.errors import FormatError
from bundle.oci.locations import parse_image
from schema.loading._targets import internal_name

DIGEST = "4c0f" * 16


@pytest.mark.parametrize(
    ("source", "written", "keep", "inside"),
    [
        ("nginx:1.27", "", False, "nginx:1.27"),
        ("nginx:1.27", "", True, "library/nginx:1.27"),
        ("quay.io/a/b/c", "", True, "a/b/c:latest"),
        ("quay.io:5000/a/b/c:2", "", False, "c:2"),
        ("quay.io/a/b:1", "x/y", False, "x/y:1"),
        (f"quay.io/a/b@sha256:{DIGEST}", "", True, "a/b:digest-4c0f4c0f4c0f"),
        ("docker-archive:x.tar:team/app:1", "", False, "name:1"),
        ("docker-archive:x.tar:r.test/team/app:1", "", True, "team/app:1"),
        ("docker-daemon:team/app:1", "", True, "team/app:1"),
    ],
)
def test_below_the_prefix(source: str, written: str, keep: bool, inside: str) -> None:
    location = parse_image(source, Path("/base"))
    assert str(internal_name("in.test/p", written, "Name", location, keep=keep)) == f"in.test/p/{inside}"


def test_no_path_to_keep() -> None:
    location = parse_image("oci:layout", Path("/base"))
    with pytest.raises(FormatError, match="'keep_path' has no path to keep") as caught:
        internal_name("in.test/p", "", "app", location, keep=True)
    assert caught.value.hint == "write a `target` instead"
