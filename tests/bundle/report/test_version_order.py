"""The order of versions, in the words of each ecosystem; dpkg is the witness for its own."""

import shutil
import subprocess

import pytest

from bundle.report._version_order import compare

ORDERED = [
    pytest.param("deb", "1.2~rc1-1", "1.2-1", id="tilde"),
    pytest.param("deb", "1.9-1", "1.10-1", id="numbers are numbers"),
    pytest.param("deb", "9.9-9", "1:0.1-1", id="epoch"),
    pytest.param("deb", "1.0-1", "1.0-1+deb12u1", id="revision"),
    pytest.param("deb", "1.0a", "1.0.1", id="letters before other signs"),
    pytest.param("deb", "1.0-1", "1.0-1.1", id="longer revision"),
    pytest.param("deb", "2.36-9+deb12u10", "2.36-9+deb12u13", id="security update"),
    pytest.param("rpm", "1.0~beta-1.el9", "1.0-1.el9", id="rpm tilde"),
    pytest.param("rpm", "1.0-1.el9", "1.0^git2-1.el9", id="rpm caret"),
    pytest.param("rpm", "1.0^git2-1.el9", "1.0.1-1.el9", id="rpm caret before a dot"),
    pytest.param("apk", "3.1_rc2-r0", "3.1-r0", id="apk candidate"),
    pytest.param("apk", "3.1-r0", "3.1_p1-r0", id="apk patch"),
    pytest.param("apk", "3.1-r9", "3.1-r10", id="apk revision"),
    pytest.param("pypi", "2.0rc1", "2.0", id="pypi candidate"),
    pytest.param("pypi", "2.0.dev3", "2.0", id="pypi development"),
    pytest.param("pypi", "2.0", "2.0.post1", id="pypi post"),
    pytest.param("pypi", "2025.1", "1!0.1", id="pypi epoch"),
    pytest.param("npm", "1.0.0-beta.2", "1.0.0", id="npm prerelease"),
    pytest.param("npm", "1.0.0-beta.2", "1.0.0-beta.11", id="npm prereleases"),
    pytest.param("golang", "v1.9.0", "v1.10.0", id="go"),
]


@pytest.mark.parametrize(("kind", "earlier", "later"), ORDERED)
def test_earlier_and_later(kind: str, earlier: str, later: str) -> None:
    assert compare(kind, earlier, later) < 0 < compare(kind, later, earlier)
    assert compare(kind, earlier, earlier) == 0


@pytest.mark.skipif(not shutil.which("dpkg"), reason="dpkg is not installed")
def test_debian_versions_are_in_the_order_of_dpkg() -> None:
    versions = [version for each in ORDERED if each.values[0] == "deb" for version in map(str, each.values[1:])]
    versions += ["1.0", "1.0-0", "0:1.0", "1.0+b1", "1.0~~", "1.0~", "1.0a", "1.0.", "010", "10", "1.0-a~1", "1.0-a"]
    for left in versions:
        for right in versions:
            done = subprocess.run(["dpkg", "--compare-versions", left, "lt", right], check=False, capture_output=True)
            assert (compare("deb", left, right) < 0) is (done.returncode == 0), (left, right)
