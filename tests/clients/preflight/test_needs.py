"""Kinds as manifests name them."""

import pytest

from clients.preflight.needs import ApiKind


@pytest.mark.parametrize(("version", "path"), [("v1", "/api/v1"), ("apps/v1", "/apis/apps/v1")])
def test_where_a_kind_is_listed(version: str, path: str) -> None:
    kind = ApiKind(api_version=version, kind="Pod")
    assert (kind.path, str(kind)) == (path, f"Pod ({version})")
