"""YAML as Kubernetes reads it."""

import pytest

from bundle.errors import FormatError
from clients.cluster.manifests import manifests


def test_lists_are_flattened_and_dates_are_texts() -> None:
    text = "kind: A\nday: 2020-01-01\n---\n---\nkind: BList\nitems: [{kind: B}, {kind: CList, items: [{kind: C}]}]\n"
    assert manifests(text, subject="chart") == ({"kind": "A", "day": "2020-01-01"}, {"kind": "B"}, {"kind": "C"})


def test_what_is_no_yaml() -> None:
    with pytest.raises(FormatError, match=r"release 'a': what it renders is no YAML: while parsing .* line 2"):
        manifests("a: [", subject="release 'a'")
