"""Later versions among tags, each within its own scheme."""

import pytest

from bundle.formats.tag_scheme import TagScheme, later, same_line

CASES = [
    pytest.param("1.2.3", ["1.2.4", "1.10.0", "2.0.0", "1.2.3", "1.2.2"], ["1.2.4", "1.10.0", "2.0.0"], id="semver"),
    pytest.param("v1.2.3", ["1.2.4", "v1.2.4"], ["v1.2.4"], id="the v is part of the scheme"),
    pytest.param("1.2.3", ["1.2.4-rc.1", "1.3.0-beta2", "1.2.4"], ["1.2.4"], id="no pre-release after a release"),
    pytest.param("1.3.0-rc.1", ["1.3.0-rc.2", "1.3.0-rc.10", "1.3.0", "1.3.0-beta.9"],
                 ["1.3.0-rc.2", "1.3.0-rc.10", "1.3.0"], id="a pre-release has both"),
    pytest.param("1.0.0rc1", ["1.0.0rc2", "1.0.0a9", "1.0.0"], ["1.0.0rc2", "1.0.0"], id="pre-release as Python"),
    pytest.param("1.27", ["1.28", "1.27.3", "1.28.0", "2"], ["1.28"], id="as many numbers"),
    pytest.param("16-alpine", ["17-alpine", "17", "17-alpine3.20", "17-bookworm"], ["17-alpine"], id="variant"),
    pytest.param("3.12-alpine3.19", ["3.12-alpine3.20", "3.13-alpine3.20", "3.13-alpine"],
                 ["3.12-alpine3.20", "3.13-alpine3.20"], id="numbered variant"),
    pytest.param("8.4.0-debian-12-r9", ["8.4.0-debian-12-r10", "8.4.1-debian-12-r0", "8.4.1-photon-5-r1"],
                 ["8.4.0-debian-12-r10", "8.4.1-debian-12-r0"], id="revision of a variant"),
    pytest.param("1.2.3-beta.1-alpine", ["1.2.3-alpine", "1.2.3-beta.2-alpine", "1.2.3"],
                 ["1.2.3-beta.2-alpine", "1.2.3-alpine"], id="pre-release of a variant"),
    pytest.param("2024.1.0", ["2024.2.0", "9.1.1", "2025.1.0"], ["2024.2.0", "2025.1.0"], id="calendar"),
    pytest.param("9.1.1", ["2024.2.0", "9.2.0"], ["9.2.0"], id="no calendar version after another"),
    pytest.param("20240131", ["20240229", "2024.3", "20231231"], ["20240229"], id="date"),
    pytest.param("RELEASE.2024-01-31T20-20-33Z", ["RELEASE.2024-02-04T22-36-13Z", "RELEASE.2024-02-04T22-36-13Z.fips"],
                 ["RELEASE.2024-02-04T22-36-13Z"], id="date with a time"),
    pytest.param("1.2.3", ["1.2.4-4f2a91c", "1.2.4-amd64", "latest", "main"], [], id="other shapes"),
    pytest.param("1.2.3-4f2a91c", ["1.2.4-90ab12d", "1.2.3-90ab12d"], ["1.2.4-90ab12d"], id="commits have no order"),
    pytest.param("1.0.0", ["1.1.0+build.5", "1.0.0+build"], ["1.1.0+build.5"], id="build metadata"),
    pytest.param("9", ["10", "9.1"], ["10"], id="one number"),
]  # fmt: skip


@pytest.mark.parametrize(("tag", "tags", "expected"), CASES)
def test_later(tag: str, tags: list[str], expected: list[str]) -> None:
    assert later(tag, tags) == tuple(expected)


@pytest.mark.parametrize("tag", ["latest", "stable", "main", "4f2a91c"])
def test_no_version(tag: str) -> None:
    assert later(tag, ["1.0", "2.0"]) is None


def test_the_order_is_one_of_all_tags() -> None:
    read = [TagScheme.parse(tag) for tag in ("1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-beta", "1.0.0-rc.1", "1.0.0")]
    assert [each.order for each in read if each] == sorted(each.order for each in read if each)


def test_those_of_one_line() -> None:
    assert same_line("1.2.3", ["1.2.4", "1.9.0", "2.0.0"]) == ("1.2.4", "1.9.0")
