"""The next step after what a Docker Engine says, which speaks with a registry on our behalf."""

from bundle.oci.reference import Reference
from clients.registry import hints

_STATUSES = {
    "no basic auth credentials": 401,
    "unauthorized": 401,
    "authentication required": 401,
    "incorrect username or password": 401,
    "denied": 403,
    "toomanyrequests": 429,
    "too many requests": 429,
    "repository name not known": 404,
    "received unexpected http status: 5": 500,
}
_ROOT = "docker info --format '{{.DockerRootDir}}'"
_SPACE = f"free space where the Docker daemon keeps its images ({_ROOT}; docker image prune), then run again"
_PLATFORM = "choose a platform that the image is built for"
_TRUST = (
    "put the CA that signed the registry's certificate into /etc/docker/certs.d/{host}/ca.crt "
    "where the Docker daemon runs"
)
_PLAIN = 'add "{host}" to insecure-registries in the Docker daemon\'s daemon.json, or let the registry use TLS'
_NETWORK = "it is the Docker daemon that has to reach {host}: check its network, DNS and proxy"
_STEPS = {
    "no matching manifest for": _PLATFORM,
    "does not match the specified platform": _PLATFORM,
    "x509": _TRUST,
    "http response to https client": _PLAIN,
    "connection refused": _NETWORK,
    "no such host": _NETWORK,
    "i/o timeout": _NETWORK,
    "client.timeout exceeded": _NETWORK,
    "network is unreachable": _NETWORK,
    "no route to host": _NETWORK,
    "proxyconnect": _NETWORK,
}


def next_step(words: str, reference: Reference | None, *, pushes: bool) -> str:
    """What to do about an Engine's words; `reference` is the image in its registry, None where none is involved."""
    said = words.lower()
    if "no space left on device" in said or "disk quota exceeded" in said:
        return _SPACE
    if reference is None:
        return ""
    if step := next((step for each, step in _STEPS.items() if each in said), ""):
        return step.format(host=reference.host)
    if "manifest unknown" in said or "not found" in said:
        return hints.next_step(reference, 404, "MANIFEST_UNKNOWN")
    status = next((status for each, status in _STATUSES.items() if each in said), 0)
    return (hints.next_push_step if pushes else hints.next_step)(reference, status, "")
