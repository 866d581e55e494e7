"""Kubernetes Secret objects (core/v1), made of a spec's secrets. They hold the values: never show or log them."""

import base64
import json
import secrets
import string
from collections.abc import Collection, Mapping
from typing import Any

from bundle.errors import FormatError
from bundle.oci.reference import DOCKER_HUB
from bundle.secret import KnownSecrets, Secret
from schema.spec.generate import Generate
from schema.spec.install import SecretSpec
from schema.syntax import template
from schema.values.file import Lookup

MANAGED_BY = {"app.kubernetes.io/managed-by": "airgap"}
GENERATED_KEY = "value"

_TYPES = {"docker-registry": "kubernetes.io/dockerconfigjson", "opaque": "Opaque", "tls": "kubernetes.io/tls"}
_ALPHABETS = {"hex": "0123456789abcdef", "alnum": string.ascii_letters + string.digits}
_HUB_KEY = "https://index.docker.io/v1/"  # what docker and the kubelet call Docker Hub


def generate(how: Generate, known: KnownSecrets) -> Secret:
    """A new value from the system's random source."""
    alphabet = _ALPHABETS[how.alphabet]
    return known.add("".join(secrets.choice(alphabet) for _ in range(how.length)))


def read_data(spec: SecretSpec, lookup: Lookup, known: KnownSecrets) -> Mapping[str, Secret]:
    """The secret's values by key, resolved; a FormatError lists all that could not be. Not for generated ones."""
    found, problems = {}, []
    for key, text in spec.data.items():
        try:
            pieces = template.parse(text)
            value = template.in_text(template.render(pieces, lookup))
            found[key] = known.add(value) if template.names(pieces) else Secret(value)  # a user name may be literal
        except FormatError as err:
            problems.append(f"{key!r}: {err.what}; {err.hint}" if err.hint else f"{key!r}: {err.what}")
    empty = [key for key, value in found.items() if not value.reveal()]
    problems += [f"{key!r} is empty" for key in empty]
    if problems:
        raise FormatError(f"secret {spec.name!r}: {'; '.join(problems)}")
    return found


def single_value(spec: SecretSpec, data: Mapping[str, Secret]) -> Secret | None:
    """What `${secret.NAME}` stands for: a generated value, or that of a secret with one key in `data`; else None."""
    if spec.generate:
        return data.get(GENERATED_KEY)
    return next(iter(data.values())) if len(data) == 1 else None


def secret_objects(
    spec: SecretSpec, data: Mapping[str, Secret], known: KnownSecrets, *, hosts: Collection[str] = ()
) -> tuple[Mapping[str, Any], ...]:
    """One object for each of the spec's namespaces; `hosts` are the registries that a docker-registry one opens."""
    contents = _contents(spec, data, known, hosts)
    return tuple(secret_object(spec.name, namespace, contents, kind=_TYPES[spec.type]) for namespace in spec.namespaces)


def secret_object(
    name: str, namespace: str, contents: Mapping[str, Secret], *, kind: str = "Opaque"
) -> Mapping[str, Any]:
    """One Secret object, its contents in base64 as the API wants it."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(MANAGED_BY)},
        "type": kind,
        "data": {key: base64.b64encode(value.reveal().encode()).decode() for key, value in contents.items()},
    }


def read_object(found: Mapping[str, Any], known: KnownSecrets) -> Mapping[str, Secret]:
    """The contents of a Secret object that the cluster gave; a FormatError when they are no text."""
    metadata = found.get("metadata") or {}
    try:
        return {
            key: known.add(base64.b64decode(value, validate=True).decode())
            for key, value in (found.get("data") or {}).items()
        }
    except ValueError:  # its text would repeat the value, so it is not shown as the cause either
        raise FormatError(f"secret {metadata.get('name')!r} in the cluster holds what is no text") from None


def _contents(
    spec: SecretSpec, data: Mapping[str, Secret], known: KnownSecrets, hosts: Collection[str]
) -> Mapping[str, Secret]:
    if spec.type == "docker-registry":
        return {".dockerconfigjson": _docker_config(data["username"].reveal(), data["password"].reveal(), known, hosts)}
    if spec.type == "tls":
        return {"tls.crt": data["certificate"], "tls.key": data["key"]}
    return data


def _docker_config(username: str, password: str, known: KnownSecrets, hosts: Collection[str]) -> Secret:
    auth = base64.b64encode(f"{username}:{password}".encode()).decode()
    known.add(auth)
    login = {"username": username, "password": password, "auth": auth}
    names = sorted(_HUB_KEY if host == DOCKER_HUB else host for host in hosts)
    return known.add(json.dumps({"auths": dict.fromkeys(names, login)}, separators=(",", ":")))
