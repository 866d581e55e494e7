"""`discovery` in a spec."""

from pathlib import Path

import pytest

from bundle.errors import SpecError
from schema.loading.load import load
from schema.spec.spec import Spec

HEAD = "version: 1\nbundle: {name: a, version: '1'}\nregistry: {prefix: r.x/a}\nvars: {kind: Widget}\n"


def spec(tmp_path: Path, text: str) -> Spec:
    (tmp_path / "airgap.yaml").write_text(HEAD + text)
    return load(tmp_path / "airgap.yaml", env={})


def test_fields_are_read_and_travel(tmp_path: Path) -> None:
    fields = "discovery: {fields: [{group: w.x, kind: '${vars.kind}', path: $.spec.a}, {kind: '*', path: '..b'}]}\n"
    loaded = spec(tmp_path, fields)
    found = [(field.group, field.kind, str(field.path)) for field in loaded.discovery.fields]
    assert found == [("w.x", "Widget", "$.spec.a"), ("", "*", "$..b")]
    assert Spec.from_dict(loaded.to_dict(), path=loaded.path) == loaded
    assert spec(tmp_path, "").discovery.fields == ()


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("{kind: W, path: spec.image}", "'spec.image' is no JSONPath that is known here"),
        ("{kind: W}", "path"),
        ("{path: $.a}", "kind"),
        ("{kind: 'a b', path: $.a}", "a kind such as Widget"),
        ("{kind: W, path: $.a, apiVersion: v1}", "apiVersion"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, field: str, told: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec(tmp_path, f"discovery: {{fields: [{field}]}}\n")
    assert "airgap.yaml:5:" in str(caught.value)
    assert told in str(caught.value)
