"""What travels with an image under a tag of its own."""

from typing import Any

import pytest

from bundle.errors import FormatError
from bundle.oci import media_types
from bundle.oci.digest import Digest
from bundle.transfer.attachment import Attachment

IMAGE, FOUND = Digest.of(b"image"), Digest.of(b"list")


def attachment(suffix: str = "") -> Attachment:
    return Attachment(
        tag=f"sha256-{IMAGE.hex}{suffix}",
        digest=FOUND,
        media_type=media_types.OCI_INDEX,
        size=7,
        artifacts={Digest.of(b"b"): "b/type", Digest.of(b"a"): "a/type"},
    )


@pytest.mark.parametrize(("suffix", "is_list"), [("", True), (".sig", False), (".att", False), (".sbom", False)])
def test_its_tag_says_what_it_is_and_of_which_manifest(suffix: str, is_list: bool) -> None:
    made = attachment(suffix)
    assert (made.is_list, made.subject) == (is_list, IMAGE)
    assert (made.root.digest, made.root.media_type, made.root.size) == (FOUND, media_types.OCI_INDEX, 0)


def test_it_round_trips_in_one_order() -> None:
    made = attachment()
    assert Attachment.from_dict(made.to_dict()) == made
    assert list(made.to_dict()["artifacts"]) == sorted(made.to_dict()["artifacts"])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"artifacts": {"x": "a/type"}}, "not a digest"),
        ({"artifacts": {str(FOUND): 1}}, "is 1, expected str"),
        ({"artifacts": []}, "'artifacts' is"),
        ({"tag": 5}, "'tag' is 5"),
        ({"size": -1}, "expected a number of bytes"),
    ],
)
def test_what_is_none(change: dict[str, Any], told: str) -> None:
    with pytest.raises(FormatError, match=told):
        Attachment.from_dict({**attachment().to_dict(), **change})
