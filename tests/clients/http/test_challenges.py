"""WWW-Authenticate."""

import pytest

from clients.http.auth import parse_challenges


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(['Basic realm="a b"'], [("basic", {"realm": "a b"})], id="basic"),
        pytest.param(
            ['Bearer realm="https://a/t",service="s",scope="repository:x/y:pull,push"'],
            [("bearer", {"realm": "https://a/t", "service": "s", "scope": "repository:x/y:pull,push"})],
            id="bearer",
        ),
        pytest.param(
            ["BEARER Realm=plain , Service = s"], [("bearer", {"realm": "plain", "service": "s"})], id="loose"
        ),
        pytest.param(
            ['Basic realm="a", Bearer realm="b",service="c"'],
            [("basic", {"realm": "a"}), ("bearer", {"realm": "b", "service": "c"})],
            id="two-in-one",
        ),
        pytest.param(["Negotiate", 'Basic realm="a"'], [("negotiate", {}), ("basic", {"realm": "a"})], id="two-values"),
        pytest.param([r'Basic realm="a \"b\" \\"'], [("basic", {"realm": 'a "b" \\'})], id="escapes"),
        pytest.param(['realm="a"'], [], id="no-scheme"),
        pytest.param(["", "=,="], [], id="nonsense"),
    ],
)
def test_challenges(values: list[str], expected: list[tuple[str, dict[str, str]]]) -> None:
    assert [(each.scheme, dict(each.parameters)) for each in parse_challenges(values)] == expected
