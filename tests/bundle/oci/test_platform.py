"""Platforms: OS, architecture and variant, and which fits which."""

import pytest

from bundle.errors import FormatError
from bundle.oci.platform import Platform, chosen, parse_choice, platform_text


@pytest.mark.parametrize("text", ["linux/amd64", "linux/arm/v7", "windows/amd64"])
def test_platform_round_trips(text: str) -> None:
    platform = Platform.parse(text)
    assert str(platform) == text
    assert Platform.from_dict(platform.to_dict()) == platform


@pytest.mark.parametrize("text", ["", "linux", "linux/", "linux/amd64/v1/x", "Linux/amd64", "all"])
def test_platform_refuses(text: str) -> None:
    with pytest.raises(FormatError, match="not a platform"):
        Platform.parse(text)


@pytest.mark.parametrize(
    ("have", "want", "fits"),
    [
        ("linux/amd64", "linux/amd64", True),
        ("linux/arm64/v8", "linux/arm64", True),
        ("linux/arm64", "linux/arm64/v8", True),
        ("linux/arm/v7", "linux/arm", True),
        ("linux/arm/v6", "linux/arm", False),
        ("linux/amd64", "linux/arm64", False),
        ("windows/amd64", "linux/amd64", False),
    ],
)
def test_platform_variants(have: str, want: str, fits: bool) -> None:
    assert Platform.parse(have).satisfies(Platform.parse(want)) is fits


@pytest.mark.parametrize(
    ("text", "written", "platforms"),
    [
        ("all", "all", []),
        ("linux/arm64", "linux/arm64", ["linux/arm64"]),
        ("linux/arm64, linux/amd64", "linux/amd64,linux/arm64", ["linux/amd64", "linux/arm64"]),
        ("linux/amd64,linux/amd64", "linux/amd64", ["linux/amd64"]),
    ],
)
def test_a_choice(text: str, written: str, platforms: list[str]) -> None:
    choice = parse_choice(text)
    assert platform_text(choice) == written
    assert [str(each) for each in chosen(choice)] == platforms
    assert parse_choice(written) == choice


@pytest.mark.parametrize(
    ("stated", "rank"),
    [
        ({"os": "linux", "architecture": "amd64"}, 0),
        ({"os": "Linux", "architecture": "x86_64"}, 0),
        ({"architecture": "amd64"}, 1),
        ({"os": None, "architecture": None}, 1),
        ({"os": "linux", "architecture": "arm64"}, None),
        ({"os": "windows"}, None),
    ],
)
def test_what_is_not_stated_contradicts_nothing(stated: dict[str, object], rank: int | None) -> None:
    assert Platform.from_dict(stated).rank(Platform.parse("linux/amd64")) == rank
