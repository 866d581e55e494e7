"""Kubernetes Secret objects (core/v1), made of a spec's secrets. They hold the values: never show or log them."""

import base64
import json
import secrets
import ssl
import string
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from bundle.errors import FormatError
from bundle.formats.x509 import Certificate
from bundle.oci.reference import DOCKER_HUB
from bundle.secret import KnownSecrets, Secret
from schema.spec.install import Generate, SecretSpec
from schema.syntax import template
from schema.values.file import Lookup
from schema.values.rendered import private_directory, write_private

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


_TIME = "%Y-%m-%d %H:%M UTC"


def check_pair(
    subject: str, certificate: Secret, key: Secret, *, now: datetime, hosts: Iterable[str] = (), min_days: int = 0
) -> None:
    """Refuse a PEM chain (the server's own certificate first) and key that would not work now for all of `hosts`.

    A FormatError lists all that is wrong. Whether clients trust the chain is not asked.
    """
    try:
        own = Certificate.parse_pem(certificate.reveal())
    except FormatError as err:
        raise FormatError(f"{subject}: 'certificate': {err.what}", hint=err.hint) from err
    problems = [_fit(certificate, key), *_time(own, now, min_days)]
    if uncovered := [host for host in hosts if not own.covers(host)]:
        names = ", ".join((*own.dns_names, *own.addresses)) or "nothing"
        problems.append(f"the certificate does not cover {', '.join(uncovered)}; it is made out to {names}")
    if found := [problem for problem in problems if problem]:
        raise FormatError(f"{subject}: {'; '.join(found)}", hint="give the matching, current pair from your CA")


def _fit(certificate: Secret, key: Secret) -> str:
    if "ENCRYPTED" in key.reveal():
        return "the key is encrypted, and Kubernetes takes plain ones only (openssl pkey -in KEY -out PLAIN)"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with private_directory() as place:
        chain, private = place / "tls.crt", place / "tls.key"
        write_private(chain, certificate.reveal())
        write_private(private, key.reveal())
        try:
            context.load_cert_chain(chain, private)
        except ssl.SSLError as err:
            if err.reason == "KEY_VALUES_MISMATCH":
                return "the key does not belong to the certificate (the server's own must be the first of the chain)"
            return f"the certificate and key can't be used: {err.reason or 'no PEM in one of them'}"
    return ""


def _time(own: Certificate, now: datetime, min_days: int) -> list[str]:
    if own.not_after <= now:
        return [f"the certificate expired on {own.not_after.strftime(_TIME)}"]
    if own.not_before > now:
        return [f"the certificate is not valid before {own.not_before.strftime(_TIME)}; is this machine's clock right?"]
    if own.not_after - now < timedelta(days=min_days):
        left = (own.not_after - now).days
        return [f"the certificate expires on {own.not_after.strftime(_TIME)}, in {left} days; expected {min_days}"]
    return []
