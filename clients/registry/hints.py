"""The next step after a registry's refusal, with the login command that the registry's operator documents."""

import re

from bundle.oci.reference import DOCKER_HUB, Reference

_ECR = re.compile(r"[0-9]+\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws)")
_PUBLIC_ECR = "public.ecr.aws"
_NO_REPOSITORY = frozenset({"NAME_UNKNOWN", "NAME_INVALID"})
NO_BLOB = frozenset({"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"})
_OTHER_BYTES = "DIGEST_INVALID"
_NO_MANIFEST = frozenset({"MANIFEST_UNKNOWN", "NOT_FOUND"})


def login_command(host: str) -> str:
    """The command that logs in at a registry host."""
    if ecr := _ECR.fullmatch(host):
        region = ecr["region"]
        return _piped(f"aws ecr get-login-password --region {region}", f"--username AWS --password-stdin {host}")
    if host == _PUBLIC_ECR:
        command = "aws ecr-public get-login-password --region us-east-1"
        return _piped(command, f"--username AWS --password-stdin {host}")
    if host == "gcr.io" or host.endswith((".pkg.dev", ".gcr.io")):
        return _piped("gcloud auth print-access-token", f"-u oauth2accesstoken --password-stdin https://{host}")
    if host.endswith(".azurecr.io"):
        return f"az acr login --name {host.removesuffix('.azurecr.io')}"
    if host == "ghcr.io":
        return "docker login ghcr.io (user name and a token with the scope read:packages)"
    return "docker login" if host == DOCKER_HUB else f"docker login {host}"


def has_projects(host: str) -> bool:
    """Whether a right to push is for all below a project; in AWS ECR every repository must be made first."""
    return not _ECR.fullmatch(host)


def next_step(reference: Reference, status: int, code: str) -> str:
    """What to do about a refusal with this HTTP status and error code (distribution-spec, "Error Codes")."""
    if status == 404:
        return _missing(reference, code)
    host, login = reference.host, login_command(reference.host)
    if status >= 500:
        return f"run again later; {host} itself has a fault"
    limited = f"wait and run again, or log in, which often allows more: {login}"
    if host == DOCKER_HUB:
        limited = "log in, which allows more pulls (docker login), or set registries: {docker.io: {mirror: HOST}}"
    steps = {
        401: f"check the name {reference.repository}; if it is private: {login}",
        403: f"ask for the right to pull {reference.repository}, or log in with another account: {login}",
        429: limited,
    }
    return steps.get(status, "")


def next_step_elsewhere(reference: Reference, status: int, host: str) -> str:
    """What to do about a refusal by `host`, to which the registry redirected the request."""
    sends = f"{reference.host} sends this request on to {host}"
    if status == 429:
        return f"wait and run again: {sends}, which limits requests"
    if status >= 500:
        return f"run again later: {sends}, which has a fault"
    return f"check that {host} answers requests from here, also through a proxy: {sends}"


def next_push_step(reference: Reference, status: int, code: str) -> str:
    """What to do about a registry that refuses what is pushed to it."""
    host, login = reference.host, login_command(reference.host)
    project = reference.path.partition("/")[0]
    create = f"create project {project!r} at {host}, which does not make it on a push"
    if ecr := _ECR.fullmatch(host):
        create = f"aws ecr create-repository --region {ecr['region']} --repository-name {reference.path}"
    steps = {
        401: f"log in with an account that may push to {reference.repository}: {login}",
        403: f"ask for the right to push to {reference.repository}, or log in with another account: {login}",
        404: f"{create}; or check registry.prefix ({reference.repository} is not known there)",
        405: f"{host} takes no pushes here: name the host that does as registry.push",
        413: f"raise the bound on request bodies at the proxy before {host} (nginx: client_max_body_size 0)",
        415: f'{host} does not take this media type: allow it (zot: "compat": ["docker2s2"] below "http" in its '
        "configuration, then restart it), or update it",
        429: f"wait and run again; what is pushed stays at {host}",
        507: f"free space in the storage of {host}, or raise its quota, then run again; what is pushed stays",
    }
    if code in NO_BLOB:
        return f"run again: {host} has lost a blob that it had a moment ago"
    if code == _OTHER_BYTES:
        return f"run again; when it comes again, look for what changes bytes on the way to {host} (a proxy, a filter)"
    later = f"check the log and the free space of {host}, then run again; what is pushed stays"
    return steps.get(status, later if status >= 500 else "")


def _missing(reference: Reference, code: str) -> str:
    if code in _NO_REPOSITORY:
        return f"check the name: {reference.host} has no repository {reference.path}, or shows it only after a login"
    if code in _NO_MANIFEST:
        wanted = f"digest {reference.digest}" if reference.digest else f"tag {reference.tag or 'latest'!r}"
        named = wanted.partition(" ")[0]
        return f"check the {named}: {reference.repository} has no {wanted}, or is no repository there (check the name)"
    return f"check the name and the tag: {reference}"


def _piped(password: str, login: str) -> str:
    return f"{password} | docker login {login}"
