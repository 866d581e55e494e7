"""What is gathered about releases, what of it is masked, and the causes read from it."""

import base64
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from bundle.errors import ClusterError
from clients.cluster.diagnose import gather, likely_causes, redact_object, redact_text
from clients.cluster.pods.trouble import Event
from clients.cluster.release import Release
from clients.cluster.survey import survey

MARK = {"annotations": {"meta.helm.sh/release-name": "web"}}


def release(status: str = "deployed", description: str = "Install complete") -> Release:
    return Release(name="web", namespace="shop", revision=1, status=status, chart="shop-1.2.3", description=description)


def pod(**container: Any) -> dict[str, Any]:
    env = [{"name": "DB_PASSWORD", "value": "hunter2"}, {"name": "MODE", "value": "x"}]
    return {
        "kind": "Pod",
        "metadata": {"name": "web-1", "uid": "1", "managedFields": [{}], **MARK},
        "spec": {
            "nodeName": "node-a",
            "imagePullSecrets": [{"name": "login"}],
            "containers": [{"name": "web", "env": env, "args": ["--db=postgres://me:hunter2@db/x"]}],
        },
        "status": {
            "phase": "Running",
            "containerStatuses": [{"name": "web", "image": "registry.test/web:1", "restartCount": 1, **container}],
        },
    }


def login(*hosts: str) -> dict[str, Any]:
    config = json.dumps({"auths": {host: {"auth": "aHVudGVyMg=="} for host in hosts}})
    return {"kind": "Secret", "data": {".dockerconfigjson": base64.b64encode(config.encode()).decode()}}


@dataclass(slots=True, kw_only=True)
class Site:
    """Stands for helm and the cluster."""

    releases: Mapping[str, Sequence[Release]] = field(default_factory=lambda: {"web": [release()]})
    objects: list[dict[str, Any]] = field(default_factory=list)
    addressed: list[dict[str, Any]] = field(default_factory=list)
    pull: dict[str, Any] | None = None
    forbidden: frozenset[str] = frozenset()
    happened: tuple[Event, ...] = ()

    def history(self, release: str, *, namespace: str) -> tuple[Release, ...]:
        return tuple(self.releases.get(release, ()))

    def get(self, kind: str, name: str, *, namespace: str = "") -> dict[str, Any] | None:
        assert (kind, name, namespace) == ("secret", "login", "shop")
        return self.pull

    def list(self, kind: str, *, namespace: str = "", selector: str = "") -> list[dict[str, Any]]:
        assert "secret" not in kind
        return self.addressed if "ingress" in kind else self.objects

    def events(self, namespace: str, *, warnings: bool = False, since: str = "") -> tuple[Event, ...]:
        if "events" in self.forbidden:
            raise ClusterError("events: the account 'me' may not list events", reason="forbidden")
        said = "Liveness probe failed: token=hunter2 refused"
        return self.happened or (
            Event(kind="Pod", name="web-1", type="Warning", reason="Unhealthy", message=said, last="2026"),
        )

    def logs(self, pod: str, container: str, *, namespace: str, lines: int = 40, previous: bool = False) -> str:
        return f"{'before' if previous else 'now'}: Authorization: Bearer abcdefgh.hunter2\n"

    def secret_keys(self, namespace: str) -> tuple[str, ...]:
        return ("login kubernetes.io/dockerconfigjson: .dockerconfigjson",)


def files(site: Site) -> dict[str, str]:
    return gather(survey([("web", "shop")], helm=site, cluster=site))


def causes(site: Site) -> list[str]:
    return likely_causes(survey([("web", "shop")], helm=site, cluster=site))


def test_everything_is_gathered_and_no_secret() -> None:
    site = Site(objects=[pod(state={"running": {}})], pull=login("registry.test"))
    found = files(site)
    assert sorted(found) == [
        "likely-causes.txt",
        "shop/events.txt",
        "shop/logs/web-1.web-before.txt",
        "shop/logs/web-1.web.txt",
        "shop/objects.json",
        "shop/overview.txt",
        "shop/releases.txt",
        "shop/secrets.txt",
    ]
    assert not [name for name, text in found.items() if "hunter2" in text or "aHVudGVyMg" in text]
    assert found["shop/releases.txt"] == "web:\n  1 deployed shop-1.2.3  Install complete\n"
    assert found["shop/overview.txt"].splitlines() == [
        "pod web-1: Running on node-a",
        "  web: running, 1 restarts, image registry.test/web:1",
        "  pull secret login: for registry.test",
    ]
    assert found["shop/secrets.txt"] == "login kubernetes.io/dockerconfigjson: .dockerconfigjson\n"
    (kept,) = json.loads(found["shop/objects.json"])
    assert kept["spec"]["containers"][0]["env"][1] == {"name": "MODE", "value": "x"}
    assert "managedFields" not in kept["metadata"]
    assert found["likely-causes.txt"] == ""


def test_what_can_not_be_seen_is_told() -> None:
    found = files(Site(forbidden=frozenset({"events"})))
    assert found["shop/not-gathered.txt"] == "events: the account 'me' may not list events\n"
    assert found["shop/events.txt"] == ""


def test_a_pod_that_ends_is_told_as_such() -> None:
    ends = pod(state={"running": {}})
    ends["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert "pod web-1: Terminating on node-a" in files(Site(objects=[ends]))["shop/overview.txt"]


def test_events_of_an_earlier_object_of_a_name_are_told_apart() -> None:
    """A hook job comes again under the same name, and the events of the last one are kept for an hour."""
    now, before = (
        Event(kind="Pod", name="web-1", type="Warning", reason="BackOff", message="x", uid=uid, last="2026")
        for uid in ("1", "0")
    )
    gone = Event(kind="Pod", name="web-0", type="Warning", reason="BackOff", message="x", uid="9", last="2026")
    site = Site(objects=[pod(state={"running": {}})], happened=(now, before, gone))
    assert files(site)["shop/events.txt"].splitlines() == [
        "2026 Warning pod web-1 BackOff: x",
        "2026 Warning earlier pod web-1 BackOff: x",
        "2026 Warning pod web-0 BackOff: x",
    ]


PULL = {"waiting": {"reason": "ImagePullBackOff", "message": "401 Unauthorized"}}
INGRESS = {"kind": "Ingress", "metadata": {"name": "web"}, "spec": {"ingressClassName": "nginx"}}


@pytest.mark.parametrize(
    ("site", "expected"),
    [
        pytest.param(Site(releases={}), "release 'web' is not in namespace 'shop'", id="absent"),
        pytest.param(Site(releases={"web": [release("pending-upgrade")]}), "is pending-upgrade", id="pending"),
        pytest.param(
            Site(releases={"web": [release("failed", "Upgrade failed: x")]}),
            "is failed: Upgrade failed: x",
            id="failed",
        ),
        pytest.param(
            Site(objects=[pod(state=PULL)], pull=login("other.test")),
            "its pull secrets open only other.test",
            id="other-host",
        ),
        pytest.param(Site(objects=[pod(state=PULL)]), "pull secret login is not there", id="no-pull-secret"),
        pytest.param(
            Site(objects=[pod(state=PULL)], pull=login("https://registry.test/v2/")),
            "image registry.test/web:1 can't be pulled: 401 Unauthorized",
            id="same-host",
        ),
        pytest.param(Site(addressed=[INGRESS]), "no controller serves its class 'nginx'", id="ingress"),
    ],
)
def test_likely_causes(site: Site, expected: str) -> None:
    found = causes(site)
    assert expected in found[0]
    assert "next: " in found[0]


def test_nothing_is_wrong() -> None:
    served = {**INGRESS, "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}}
    assert causes(Site(objects=[pod(state={"running": {}})], addressed=[served])) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("password=hunter2 user=me", "password=*** user=me", id="assigned"),
        pytest.param('{"apiKey": "hunter 2", "n": 1}', '{"apiKey": ***, "n": 1}', id="json"),
        pytest.param("DB_PASSWORD: 'a b'", "DB_PASSWORD: ***", id="yaml"),
        pytest.param("mysql://me:hunter2@db:3306/x", "mysql://***@db:3306/x", id="login"),
        pytest.param("Authorization: Bearer abc.def-123", "Authorization: Bearer ***", id="bearer"),
        pytest.param(
            "a\n-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\nb", "a\n***\nb", id="private-key"
        ),
        pytest.param("the password was wrong for me", "the password was wrong for me", id="prose"),
        pytest.param("known one: abcdef", "known one: ***", id="known"),
    ],
)
def test_texts_are_redacted(text: str, expected: str) -> None:
    assert redact_text(text, ["abcdef"]) == expected


def test_objects_are_redacted() -> None:
    secret = {
        "kind": "Secret",
        "metadata": {"name": "x"},
        "data": {"a": "aHVudGVyMg=="},
        "stringData": {"b": "hunter2"},
    }
    applied = {"kubectl.kubernetes.io/last-applied-configuration": "hunter2", "note": "kept"}
    redacted = redact_object([secret, {"metadata": {"annotations": applied}}])
    assert redacted == [
        {"kind": "Secret", "metadata": {"name": "x"}, "data": {"a": "***"}, "stringData": {"b": "***"}},
        {"metadata": {"annotations": {"note": "kept"}}},
    ]


LEFT_IN = [
    "SECRET_KEY=hunter22",
    "DB_PASS=hunter22",
    "DB_PASS: hunter22",
    "run --password hunter22 now",
    "run --db-password=hunter22",
    "run --api-key 'hunter22'",
    "password: hunter22 and more",
    '{"password": "hunter22 and more"}',
    '{\\"password\\": \\"hunter22\\"}',
    "password => hunter22",
    "Authorization: token hunter22",
    "authorization: Bearer hunter22",
    '"Authorization": "Custom hunter22"',
    "Cookie: session=hunter22; other=1",
    "postgres://app:hunter22@db/x",
    "-----BEGIN RSA PRIVATE KEY-----\nhunter22AAAA\nBBBB",
    "-----BEGIN PRIVATE KEY-----\\nhunter22AAAA\\n-----END PRIVATE KEY-----",
    "PASSWORD_1=hunter22",
    "app.token.value=hunter22",
]


@pytest.mark.parametrize("text", LEFT_IN)
def test_what_stands_where_secrets_do_is_masked(text: str) -> None:
    assert "hunter22" not in redact_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "secretName: web-tls",
        "bypass=1 compass: north",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        "organisation: Example GmbH",
        "pull of https://registry.example.com/team/web:1 failed",
    ],
)
def test_and_no_more_than_that(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.parametrize(
    "thing",
    [
        {"spec": {"password": "hunter22"}},
        {"spec": {"containers": [{"args": ["--password", "hunter22"]}]}},
        {"spec": {"command": ["run", "--token=hunter22"]}},
        {"data": {"DB_PASS": "hunter22"}},
        {"env": [{"name": "SECRET_KEY", "value": "hunter22"}]},
    ],
    ids=str,
)
def test_objects_are_masked_by_key_and_by_option(thing: dict[str, object]) -> None:
    assert "hunter22" not in str(redact_object(thing))
    assert redact_object({"secretName": "web-tls", "args": ["-v", "x"]}) == {
        "secretName": "web-tls",
        "args": ["-v", "x"],
    }


@pytest.mark.parametrize(
    "text",
    [
        "a" * 1_000_000,
        "password" * 50_000,
        'secret="' * 50_000,
        "-----BEGIN PRIVATE KEY-----" * 20_000,
        "--" * 200_000,
        "://" * 200_000,
        "bearer " * 100_000,
        "authorization:" * 50_000,
        " " * 500_000,
        "\n" * 500_000,
    ],
    ids=lambda text: text[:12].strip() or "spaces",
)
def test_masking_is_linear(text: str) -> None:
    began = time.process_time()
    redact_text(text)
    assert time.process_time() - began < 5


def test_the_runs_own_secrets_are_masked_in_every_encoding() -> None:
    secret = "pä/ss wörd+1"
    raw = secret.encode()
    forms = [
        secret,
        raw.hex(),
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        quote(secret),
        quote_plus(secret),
    ]
    forms += [quote(secret, safe=""), base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()]
    for form in forms:
        assert redact_text(f"a {form} b", [secret]).replace('"', "").rstrip("= b") == "a ***"


@pytest.mark.parametrize(
    "text",
    [
        'password = "Xq9z\\"Xq9z", kept',
        '{\\"password\\": \\"Xq9zXq9z\\", \\"user\\": \\"kept\\"}',
        "password: |\n  Xq9zXq9z\n  Xq9z\nuser: kept\n",
        "  clientSecret: >-\n    Xq9zXq9z\n  user: kept\n",
        "passwords: [Xq9zXq9z, Xq9zXq9z], user: kept",
        'command: ["mysql", "--password", "Xq9zXq9z", "kept"]',
        "CREATE USER kept IDENTIFIED BY 'Xq9zXq9z'",
        "encryptionKey: Xq9zXq9z # of kept",
        "ENCRYPTION_KEY=Xq9zXq9z kept=1",
        "body=%22password%22%3A%22Xq9zXq9z%22&user=kept",
        f"pushed by ghp_{'Xq9z' * 9} as kept",
        "got eyJhbGciOiJIUzI1NiJ9.eyJXq9zIjoiMSJ9.Xq9zXq9z for kept",
        "X-Vault-Token: Xq9zXq9z\nHost: kept",
        "Set-Cookie: sid=Xq9zXq9z; Path=/\nHost: kept",
    ],
)
def test_more_notations(text: str) -> None:
    found = redact_text(text)
    assert "Xq9z" not in found
    assert "***" in found
    assert ("kept" in found) == ("# of kept" not in text)


@pytest.mark.parametrize(
    "text",
    [
        "the token bucket is empty",
        "password changed for user admin",
        "secret 'db' not found in namespace app",
        "secretName: db-login",
        "imagePullSecrets: [registry-login]",
        "automountServiceAccountToken: false",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "pass 3 of 5, passing probes: 3, 7 tokens per second",
        "user=admin host=db keys: a, b",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact_text(text) == text


def test_lists_under_a_name_that_sounds_secret() -> None:
    assert redact_object({"passwords": ["Xq9z", "Xq9z"], "imagePullSecrets": [{"name": "login"}]}) == {
        "passwords": "***",
        "imagePullSecrets": [{"name": "login"}],
    }


@pytest.mark.parametrize(
    "text", ["eyJ-", "password: |\n", "password: |\n  x\n", '"password": "\\', "ghp_", "%22token%22"]
)
def test_each_notation_is_searched_in_linear_time(text: str) -> None:
    """Quadratic, a million characters would take hours."""
    redact_text(text * (1_000_000 // len(text)))
