"""The next step after a refusal."""

import pytest

from bundle.oci.reference import Reference
from clients.registry.hints import login_command, next_step

ECR = "715803424590.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("host", "command"),
    [
        pytest.param(
            ECR, f"aws ecr get-login-password --region eu-west-1 | docker login --username AWS --password-stdin {ECR}",
            id="ecr",
        ),
        pytest.param(
            "1.dkr.ecr.cn-north-1.amazonaws.com.cn",
            "aws ecr get-login-password --region cn-north-1 | "
            "docker login --username AWS --password-stdin 1.dkr.ecr.cn-north-1.amazonaws.com.cn",
            id="ecr-china",
        ),
        pytest.param(
            "public.ecr.aws",
            "aws ecr-public get-login-password --region us-east-1 | "
            "docker login --username AWS --password-stdin public.ecr.aws",
            id="public-ecr",
        ),
        pytest.param(
            "europe-docker.pkg.dev",
            "gcloud auth print-access-token | "
            "docker login -u oauth2accesstoken --password-stdin https://europe-docker.pkg.dev",
            id="gar",
        ),
        pytest.param(
            "eu.gcr.io",
            "gcloud auth print-access-token | docker login -u oauth2accesstoken --password-stdin https://eu.gcr.io",
            id="gcr",
        ),
        pytest.param("my.azurecr.io", "az acr login --name my", id="acr"),
        pytest.param(
            "ghcr.io", "docker login ghcr.io (user name and a token with the scope read:packages)", id="ghcr"
        ),
        pytest.param("docker.io", "docker login", id="docker-hub"),
        pytest.param("a.test:5000", "docker login a.test:5000", id="any"),
        pytest.param(f"{ECR}.evil.test", f"docker login {ECR}.evil.test", id="not-ecr"),
    ],
)  # fmt: skip
def test_login_commands(host: str, command: str) -> None:
    assert login_command(host) == command


@pytest.mark.parametrize(
    ("image", "status", "code", "words"),
    [
        pytest.param("a.test/x/y:1", 401, "UNAUTHORIZED", "docker login a.test", id="401"),
        pytest.param(f"{ECR}/api:1", 403, "DENIED", "--region eu-west-1", id="403-ecr"),
        pytest.param("a.test/x/y:1", 404, "MANIFEST_UNKNOWN", "check the tag: a.test/x/y has no tag '1'", id="tag"),
        pytest.param("a.test/x/y", 404, "MANIFEST_UNKNOWN", "has no tag 'latest'", id="no-tag"),
        pytest.param(
            f"a.test/x/y@sha256:{'0' * 64}", 404, "MANIFEST_UNKNOWN", "check the digest: a.test/x/y has no digest sha",
            id="digest",
        ),
        pytest.param("a.test/x/y:1", 404, "NAME_UNKNOWN", "a.test has no repository x/y", id="repository"),
        pytest.param("a.test/x/y:1", 404, "", "check the name and the tag: a.test/x/y:1", id="404"),
        pytest.param("nginx:1", 429, "TOOMANYREQUESTS", "registries: {docker.io: {mirror: HOST}}", id="hub-limit"),
        pytest.param("a.test/x/y:1", 429, "", "docker login a.test", id="429"),
        pytest.param("a.test/x/y:1", 503, "", "run again later", id="503"),
        pytest.param("a.test/x/y:1", 418, "", "", id="418"),
    ],
)  # fmt: skip
def test_next_steps(image: str, status: int, code: str, words: str) -> None:
    step = next_step(Reference.parse(image), status, code)
    assert words in step
    assert bool(words) == bool(step)
