"""JSONPath, as far as it is known here."""

from typing import Any

import pytest

from bundle.errors import FormatError
from bundle.formats.json_path import ImageField, JsonPath, place_text

DATA: Any = {
    "spec": {
        "image": "a",
        "my.key": {"image": "b"},
        "tools": [{"image": "c"}, {"name": "none"}, {"inner": {"image": "d"}}],
    }
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        pytest.param("$.spec.image", [("spec.image", "a")], id="members"),
        pytest.param(".spec.image", [("spec.image", "a")], id="kubectl leaves out the root"),
        pytest.param("$.spec['my.key'].image", [("spec['my.key'].image", "b")], id="quoted"),
        pytest.param("$['spec'].tools[0].image", [("spec.tools[0].image", "c")], id="index"),
        pytest.param("$.spec.tools[*].image", [("spec.tools[0].image", "c")], id="every entry"),
        pytest.param("$.spec.*.image", [("spec['my.key'].image", "b")], id="every member"),
        pytest.param(
            "$..image",
            [
                ("spec.image", "a"),
                ("spec['my.key'].image", "b"),
                ("spec.tools[0].image", "c"),
                ("spec.tools[2].inner.image", "d"),
            ],
            id="anywhere",
        ),
        pytest.param(
            "$.spec.tools..image", [("spec.tools[0].image", "c"), ("spec.tools[2].inner.image", "d")], id="below"
        ),
        pytest.param("$.spec.tools[9].image", [], id="no such entry"),
        pytest.param("$.spec.image.text", [], id="below a scalar"),
        pytest.param("$.spec.image[0]", [], id="index of a scalar"),
    ],
)
def test_what_a_path_leads_to(path: str, found: list[tuple[str, str]]) -> None:
    parsed = JsonPath.parse(path)
    assert [(place_text(place), value) for place, value in parsed.select(DATA)] == found
    assert JsonPath.parse(str(parsed)) == parsed


@pytest.mark.parametrize(
    "path", ["", "$", "$.", "spec", "$.a[?(@.b)]", "$.a[-1]", "$.a[01]", "$['a", "$.a b", "$..", "$...a"]
)
def test_what_is_none_is_refused(path: str) -> None:
    with pytest.raises(FormatError, match="no JSONPath that is known here"):
        JsonPath.parse(path)


@pytest.mark.parametrize(
    ("group", "kind", "fits"),
    [
        pytest.param("example.com", "Widget", True, id="same"),
        pytest.param("", "Widget", True, id="any group"),
        pytest.param("example.com", "*", True, id="any kind"),
        pytest.param("example.org", "Widget", False, id="other group"),
        pytest.param("example.com", "Gadget", False, id="other kind"),
    ],
)
def test_which_objects_have_a_field(group: str, kind: str, fits: bool) -> None:
    field = ImageField(group=group, kind=kind, path=JsonPath.parse("$.spec.image"))
    assert field.fits(group="example.com", kind="Widget") is fits
    assert ImageField.from_dict(field.to_dict()) == field
