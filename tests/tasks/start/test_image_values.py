"""Values that set a chart's images."""

import pytest
import yaml

from schema.values.chart import ChartValues
from tasks.start.image_values import Overrides, image_values, values_text

IMAGES = {"docker.io/library/redis": "redis", "ghcr.io/x/web": "web"}


def chart(defaults: str, **subcharts: ChartValues) -> ChartValues:
    return ChartValues(
        defaults=yaml.safe_load(defaults) or {},
        comments=frozenset(),
        schema={},
        switches=frozenset(),
        subcharts=subcharts,
    )


@pytest.mark.parametrize(
    ("defaults", "wanted"),
    [
        pytest.param(
            "image: {repository: ghcr.io/x/web, tag: '1', pullPolicy: Always}",
            {"image": {"repository": "${image.web.repository}", "tag": "${image.web.tag}"}},
            id="repository and tag",
        ),
        pytest.param(
            "image: {registry: ghcr.io, repository: x/web, tag: '', digest: 'sha256:1'}",
            {
                "image": {
                    "registry": "${image.web.registry}",
                    "repository": "${image.web.path}",
                    "tag": "${image.web.tag}",
                    "digest": "${image.web.digest}",
                }
            },
            id="with a registry",
        ),
        pytest.param(
            "image: {registry: '', repository: redis}",
            {
                "image": {
                    "registry": "${image.redis.registry}",
                    "repository": "${image.redis.path}",
                    "tag": "${image.redis.tag}",
                }
            },
            id="with an empty registry",
        ),
        pytest.param(
            "a: {b: {image: 'ghcr.io/x/web:1'}}", {"a": {"b": {"image": "${image.web.ref}"}}}, id="a reference"
        ),
        pytest.param("imageName: ghcr.io/x/web", {"imageName": "${image.web.repository}"}, id="a repository"),
        pytest.param("image: {repository: other/thing}", {}, id="another image"),
        pytest.param("repository: 'git@x:y'\nname: redis\nn: 1\nl: [redis]", {}, id="nothing of the kind"),
    ],
)
def test_image_values(defaults: str, wanted: Overrides) -> None:
    assert image_values(chart(defaults), IMAGES) == wanted


def test_subcharts_are_below_their_key() -> None:
    whole = chart("cache: {image: {tag: '7'}, on: true}", cache=chart("image: {repository: redis, tag: '6'}"))
    assert image_values(whole, IMAGES) == {
        "cache": {"image": {"repository": "${image.redis.repository}", "tag": "${image.redis.tag}"}}
    }


def test_the_text_is_the_values() -> None:
    overrides = {"a": {"b": {"image": "${image.web.ref}"}}, "c": "${image.web.tag}"}
    assert yaml.safe_load(values_text("web", overrides)) == overrides
    assert yaml.safe_load(values_text("web", {})) == {}
