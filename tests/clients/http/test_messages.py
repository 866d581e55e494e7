"""What an answer says of its body."""

import pytest

from clients.http.messages import Response


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ("application/json", "application/json"),
        ("Application/JSON; charset=utf-8", "application/json"),
        (" text/html ;x", "text/html"),
        (None, ""),
    ],
)
def test_the_media_type_has_no_parameters(told: str | None, found: str) -> None:
    headers = {} if told is None else {"Content-Type": told}
    assert Response(status=200, headers=headers, body=b"", url="https://h.example/").media_type == found
