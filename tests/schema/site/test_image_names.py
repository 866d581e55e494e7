"""What `${image...}` stands for, also in another registry."""

import pytest

from bundle.errors import FormatError
from schema.site.image_names import ImageNames
from schema.syntax import template
from tests.fixtures.made.installs import DIGEST, manifest


def value(names: ImageNames, text: str) -> str:
    (name,) = template.names(template.parse(text))
    return names.value(name)


@pytest.mark.parametrize(
    ("registry", "part", "expected"),
    [
        ("", "repository", "reg.in:5000/p/team/api"),
        ("", "tag", "1.2"),
        ("", "digest", str(DIGEST)),
        ("", "ref", "reg.in:5000/p/team/api:1.2"),
        ("", "registry", "reg.in:5000"),
        ("", "path", "p/team/api"),
        ("other.in/x/y", "path", "x/y/team/api"),
        ("other.in/x/y", "repository", "other.in/x/y/team/api"),
        ("other.in", "ref", "other.in/team/api:1.2"),
        ("localhost:5000/p", "ref", "localhost:5000/p/team/api:1.2"),
    ],
)
def test_parts(registry: str, part: str, expected: str) -> None:
    names = ImageNames.of(manifest(api="reg.in:5000/p/team/api:1.2"), prefix="reg.in:5000/p", registry=registry)
    assert value(names, f"${{image.api.{part}}}") == expected


def test_a_prefix_on_docker_hub_is_known_by_its_full_name() -> None:
    names = ImageNames.of(manifest(api="docker.io/me/api:1"), prefix="index.docker.io/me", registry="reg.in")
    assert value(names, "${image.api.ref}") == "reg.in/api:1"


@pytest.mark.parametrize("registry", ["https://reg.in", "nohost", "reg.in/UPPER", "reg.in/x:1/"])
def test_a_registry_that_is_none(registry: str) -> None:
    with pytest.raises(FormatError, match=r"HOST|https"):
        ImageNames.of(manifest(), prefix="reg.in", registry=registry)


def test_an_unknown_image_lists_the_known() -> None:
    names = ImageNames.of(manifest(api="reg.in/api:1", web="reg.in/web:1"), prefix="reg.in")
    with pytest.raises(FormatError) as caught:
        value(names, "${image.apj.tag}")
    assert str(caught.value) == (
        "${image.apj.tag}: no image is called 'apj'; expected one of: api, web\n  next: did you mean 'api'?"
    )
