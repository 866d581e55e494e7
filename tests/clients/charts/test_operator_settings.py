"""Well-known settings of operators that name the images of their pods."""

import json

import pytest

from clients.charts._operator_settings import is_argument, is_variable
from clients.charts.images import find_images

IMAGE = "quay.io/team/part:v1.0"


def found(**container: object) -> list[tuple[str, bool]]:
    pod = {"containers": [{"name": "operator", "image": "quay.io/team/operator:1", **container}]}
    item = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "operator"}, "spec": pod}
    images = find_images(json.dumps(item), fields=(), subject="release 'x'")
    return [(each.text, each.certain) for each in images if each.text != "quay.io/team/operator:1"]


@pytest.mark.parametrize(
    "args",
    [
        [f"--prometheus-config-reloader={IMAGE}"],
        ["--executor-image", IMAGE],
        ["longhorn-manager", "-d", "daemon", "--instance-manager-image", IMAGE],
        ["-entrypoint-image", IMAGE],
    ],
    ids=["config reloader", "executor", "instance manager", "one dash"],
)
@pytest.mark.parametrize("words", ["args", "command"])
def test_arguments(args: list[str], words: str) -> None:
    assert found(**{words: args}) == [(IMAGE, True)]


def test_variables() -> None:
    assert found(env=[{"name": "ROOK_CSI_CEPH_IMAGE", "value": IMAGE}]) == [(IMAGE, True)]
    assert found(env=[{"name": "RELATED_IMAGE_PART", "value": IMAGE}]) == [(IMAGE, False)]


@pytest.mark.parametrize("value", ["auto", "true", "", "some/path"])
def test_what_is_no_image_is_not_certain(value: str) -> None:
    assert not any(certain for _, certain in found(args=[f"--executor-image={value}"]))


def test_only_whole_names() -> None:
    assert is_argument("--engine-image")
    assert not is_argument("engine-image")
    assert not is_argument("--other-engine-image")
    assert not is_variable("X_ROOK_CSI_CEPH_IMAGE")
