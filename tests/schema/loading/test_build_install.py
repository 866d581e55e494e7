"""`install` of a spec: what loading makes of it."""

from pathlib import Path

import pytest

from bundle.errors import SpecError
from schema.spec.backup import DEFAULT_MAX_AGE, RestoreCheckSpec, RestoreSpec
from schema.spec.checks import CheckSpec, HealthSpec
from schema.spec.generate import Generate
from schema.spec.install import (
    DEFAULT_TIMEOUT,
    MIN_KUBERNETES,
    ActionSpec,
    InstallSpec,
    KubernetesSpec,
    ReleaseSpec,
    SecretSpec,
    ValuesSpec,
)
from schema.spec.spec import Spec
from tests.fixtures.made.full_spec import spec


def test_what_happens_inside(full: Spec) -> None:
    base = full.path.parent
    install = full.install
    assert install.kubernetes == KubernetesSpec(min_version="1.28", ingress_class="nginx", storage_class="fast")
    assert install.secrets == (
        SecretSpec(
            name="pull",
            type="docker-registry",
            namespaces=("a", "b"),
            data={"username": "robot$web", "password": "${env.PW}"},
            generate=None,
        ),
        SecretSpec(
            name="cert",
            type="tls",
            namespaces=("b", "a"),
            data={"certificate": "${file.tls.crt}", "key": "${file.tls.key}"},
            generate=None,
            hosts=("${site.host}",),
            ca="${file.ca.crt}",
            min_days=3,
        ),
        SecretSpec(name="db", type="opaque", namespaces=("b", "a"), data={"url": "${env.DB_URL}"}, generate=None),
        SecretSpec(
            name="seed", type="opaque", namespaces=("b", "a"), data={}, generate=Generate(alphabet="alnum", length=32)
        ),
    )
    assert install.releases == (
        ReleaseSpec(
            name="web",
            chart="web",
            namespace="b",
            values=(
                ValuesSpec(file=base / "values/web.yaml"),
                ValuesSpec(file=base / "values/web.yaml", under="new", when="${site.on}"),
            ),
            timeout=5400,
            steady=120,
            health=(
                HealthSpec(url="https://${site.host}/", status=200, text="", json={}, ca=None),
                HealthSpec(
                    url="https://h/",
                    status=204,
                    text="ok $${x}",
                    json={"v": "${image.web.tag}"},
                    ca=base / "certs/ca.pem",
                ),
            ),
            ignore_images={"busybox": "test 1.2.3"},
            needs=("prepare",),
            after=(),
        ),
        ReleaseSpec(
            name="own",
            chart="own",
            namespace="a",
            values=(),
            timeout=900,
            health=(),
            ignore_images={},
            needs=(),
            after=("web",),
        ),
    )
    assert install.actions == (
        ActionSpec(
            name="prepare",
            run=("python3", "prepare.py", "-n7", "${image.web.ref}"),
            after=(),
            env={"TOKEN": "${secret.seed}", "PLAIN": "x"},
            inputs=("${image.web.digest}",),
            outputs="json",
        ),
    )
    plain = {"from_pod": False, "ca": None, "status": 200, "min_days": 0, "min_version": ""}
    assert [check.to_dict(base) for check in install.checks] == [
        CheckSpec(kind="dns", subject="${site.host}", **{**plain, "from_pod": True}).to_dict(base),
        CheckSpec(kind="http", subject="https://h/", **{**plain, "status": 401, "ca": base / "certs/ca.pem"}).to_dict(
            base
        ),
        CheckSpec(kind="tls", subject="h", **{**plain, "min_days": 30}).to_dict(base),
        CheckSpec(kind="mysql", subject="h:3307", **{**plain, "min_version": "8.0"}).to_dict(base),
        CheckSpec(kind="database", subject="${site.kind}://h", **{**plain, "min_version": "8.0"}).to_dict(base),
        CheckSpec(
            kind="run",
            subject="python3 check.py --host=${site.host}",
            **plain,
            run=("python3", "check.py", "--host=${site.host}"),
        ).to_dict(base),
    ]
    assert install.notes == "go to ${site.host}"


def built(tmp_path: Path, text: str) -> InstallSpec:
    return spec(tmp_path, f"install: {text}\n").install


def test_an_action_says_which_of_its_outputs_are_secrets(tmp_path: Path) -> None:
    (action,) = built(tmp_path, "{actions: [{name: a, run: [x], outputs: {json: true, secret: [key]}}]}").actions
    assert (action.outputs, action.secret_outputs) == ("json", ("key",))
    assert ActionSpec.from_dict(action.to_dict()) == action


def test_without_it_nothing_happens_inside(tmp_path: Path) -> None:
    assert spec(tmp_path, "").install == InstallSpec()


def test_what_is_not_written_has_its_default(tmp_path: Path) -> None:
    chart = "charts: [{name: web, source: 'oci://h.x/web', version: '1.0.0'}]\n"
    release = "{releases: [{name: web, chart: web, namespace: a}], backup: {commands: [{name: d, run: [dump]}]}}"
    install = spec(tmp_path, f"{chart}install: {release}\n").install
    (only,) = install.releases
    assert (only.timeout, only.values, only.health, only.needs, only.after) == (DEFAULT_TIMEOUT, (), (), (), ())
    assert install.kubernetes.min_version == MIN_KUBERNETES
    assert (install.backup.max_age, install.backup.before_upgrade) == (DEFAULT_MAX_AGE, ())
    assert [(each.name, each.run, dict(each.env)) for each in install.backup.commands] == [("d", ("dump",), {})]


def test_what_tries_a_dump_out(tmp_path: Path) -> None:
    checks = "checks: [{run: [count, '${site.db}'], prints: '3'}, {run: [look]}]"
    restore = f"restore: {{run: [load, '${{site.db}}'], env: {{PW: '${{env.PW}}'}}, {checks}}}"
    (command,) = built(tmp_path, f"{{backup: {{commands: [{{name: d, run: [x], {restore}}}]}}}}").backup.commands
    assert command.restore == RestoreSpec(
        run=("load", "${site.db}"),
        env={"PW": "${env.PW}"},
        checks=(RestoreCheckSpec(run=("count", "${site.db}"), prints="3"), RestoreCheckSpec(run=("look",))),
    )


def test_secrets_go_where_releases_go_unless_they_say_where(tmp_path: Path) -> None:
    install = built(tmp_path, "{secrets: [{name: s, generate: hex8, namespaces: [x]}]}")
    assert install.secrets[0].namespaces == ("x",)
    with pytest.raises(SpecError, match="secret 's' is missing 'namespaces'; there is no release to take them from"):
        built(tmp_path, "{secrets: [{name: s, generate: hex8}]}")


TLS_WITH_DATA = """
  secrets:
    - {name: s, namespaces: [x], type: tls, certificate: '${file.c}', key: '${file.k}', data: {a: '${env.A}'}}
"""
BACKUP_WITH_OUTPUT = """
  actions: [{name: a, run: [x], outputs: json}]
  backup: {commands: [{name: d, run: [x], env: {A: '${output.a.k}'}}]}
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{secrets: [{name: s, namespaces: [x]}]}", "has neither 'data' nor 'generate'; expected one of them"),
        ("{secrets: [{name: s, namespaces: [x], data: {a: '${env.A}'}, generate: hex8}]}", "has both 'data' and"),
        (
            TLS_WITH_DATA,
            "of type tls does not take 'data'",
        ),
        ("{checks: [{dns: h, status: 200}]}", "check 'dns' does not take 'status'"),
        ("{checks: [{mysql: h, min_days: 3}]}", "check 'mysql' does not take 'min_days'; expected 'min_version'"),
        ("{notes: 'log in with ${env.PW}'}", "'notes': ${env.PW} may be a secret; say where it is found instead"),
        (
            BACKUP_WITH_OUTPUT,
            "backup command 'd': ${output.a.k} has no value here",
        ),
        ("{backup: {max_age: soon}}", "'max_age'"),
        (
            "{backup: {commands: [{name: d, run: [x], restore: {run: [y, '${env.PW}']}}]}}",
            "backup command 'd': restore: 'run': ${env.PW} may be a secret",
        ),
        (
            "{backup: {commands: [{name: d, run: [x], restore: {run: [y], checks: [{run: [z, '--password=x']}]}}]}}",
            "backup command 'd': restore: 'run': a secret is written out as --password",
        ),
        (
            BACKUP_WITH_OUTPUT.replace("env: {A: '${output.a.k}'}", "restore: {run: [y, '${output.a.k}']}"),
            "backup command 'd': restore: ${output.a.k} has no value here",
        ),
    ],
)
def test_what_does_not_go_together(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SpecError) as caught:
        built(tmp_path, text)
    assert any(told in problem for problem in caught.value.problems), caught.value.problems
