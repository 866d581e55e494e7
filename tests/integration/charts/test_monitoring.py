"""The monitoring chart of the flagship: off by default, and rules that Prometheus can read.

There is no promtool here: expressions are read by the grammar's words, and may use metrics of known exporters only.
"""

import json
import re
import subprocess
from typing import Any

import pytest
import yaml

from tasks.commands.installed import status
from tests.fixtures.parts.clusters import asset
from tests.fixtures.places import ROOT

CHART = ROOT / "examples" / "zenml-pro" / "charts" / "monitoring"
LOGS = ROOT / "examples" / "zenml-pro" / "logs"
ON = (
    "--set=enabled=true,labels.release=prometheus,namespaces={one,two},"
    "services.api.namespace=one,services.api.port=http,services.api.labels.app=api"
)
EXPORTERS = ("kube_", "kubelet_volume_", "container_", "mysql_", "pg_", "node_filesystem_", "nginx_ingress_", "airgap_")
WORDS = {
    "sum", "by", "increase", "rate", "absent", "or", "and", "on", "namespace", "pod", "container", "instance",
    "ingress", "exported_namespace", "phase", "status",
}  # fmt: skip
DURATION = re.compile(r"[1-9][0-9]*[smhd]")
TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<matchers>\{[^{}]*\})|(?P<range>\[[^\]]*\])|(?P<number>\d+(\.\d+)?)|(?P<name>[a-z_]+)"""
    r"""|(?P<sign>[-+*/(),]|[<>]=?|==|!=)"""
)
MATCHER = re.compile(r'[a-z_]+(=~|!~|!=|=)"[^"]*"')


def rendered(*words: str) -> list[dict[str, Any]]:
    argv = [asset("helm3"), "template", "watch", str(CHART), *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def check_expression(text: str) -> set[str]:
    """The metrics of an expression; fails for what the grammar does not have."""
    at, depth, metrics = 0, 0, set[str]()
    while at < len(text):
        found = TOKEN.match(text, at)
        assert found, f"{text[at:]!r} in {text!r}"
        if found["matchers"]:
            assert all(MATCHER.fullmatch(each.strip()) for each in re.split(r",\s*", found["matchers"][1:-1])), text
        elif found["range"]:
            assert DURATION.fullmatch(found["range"][1:-1]), text
        elif found["name"] and found["name"] not in WORDS:
            metrics.add(found["name"])
        elif found["sign"] in ("(", ")"):
            depth += 1 if found["sign"] == "(" else -1
            assert depth >= 0, text
        at = found.end()
    assert depth == 0, text
    assert metrics, text
    assert all(each.startswith(EXPORTERS) for each in metrics), metrics
    return metrics


@pytest.mark.parametrize(
    "wrong", ["sum(kube_x", "kube_x{a=b}", "kube_x[5]", "unknown_metric > 1", "kube_x{a='b'} > 1", "kube_x >> $a"]
)
def test_a_wrong_expression_is_found(wrong: str) -> None:
    with pytest.raises(AssertionError):
        check_expression(wrong)


def test_nothing_is_made_before_it_is_wanted() -> None:
    assert rendered() == []


def test_what_is_made() -> None:
    made = {each["kind"]: each for each in rendered(ON)}
    assert set(made) == {"PrometheusRule", "ServiceMonitor", "ConfigMap"}
    assert made["PrometheusRule"]["apiVersion"] == "monitoring.coreos.com/v1"
    assert made["PrometheusRule"]["metadata"]["labels"]["release"] == "prometheus"
    assert made["ServiceMonitor"]["spec"] == {
        "namespaceSelector": {"matchNames": ["one"]},
        "selector": {"matchLabels": {"app": "api"}},
        "endpoints": [{"port": "http", "path": "/metrics"}],
    }


def test_the_rules_are_what_prometheus_reads() -> None:
    (rule,) = (each for each in rendered(ON) if each["kind"] == "PrometheusRule")
    groups = rule["spec"]["groups"]
    alerts = [alert for group in groups for alert in group["rules"]]
    assert len({group["name"] for group in groups}) == len(groups)
    assert len({alert["alert"] for alert in alerts}) == len(alerts) == 17
    used: set[str] = set()
    for alert in alerts:
        assert set(alert) <= {"alert", "expr", "for", "labels", "annotations"}
        assert DURATION.fullmatch(alert.get("for", "1m"))
        assert alert["labels"]["severity"] in ("warning", "critical")
        assert all(alert["annotations"][key] for key in ("summary", "description"))
        used |= check_expression(alert["expr"])
        if "kube_" in alert["expr"]:
            assert 'namespace=~"one|two"' in alert["expr"]
    ours = {name for name in used if name.startswith("airgap_")}
    assert ours <= set(status._HELP), "what `airgap status --metrics` writes"


def test_namespaces_by_how_they_begin() -> None:
    (rule,) = (each for each in rendered(ON, "--set=namespaces={one,two-.*}") if each["kind"] == "PrometheusRule")
    alerts = [alert["expr"] for group in rule["spec"]["groups"] for alert in group["rules"] if "kube_" in alert["expr"]]
    assert all('namespace=~"one|two-.*"' in each and check_expression(each) for each in alerts)


def test_thresholds_are_the_sites() -> None:
    sets = "--set=thresholds.backup_hours=5,thresholds.restore_test_days=7"
    (rule,) = (each for each in rendered(ON, sets) if each["kind"] == "PrometheusRule")
    assert "airgap_backup_age_hours > 5" in json.dumps(rule)
    assert "airgap_restore_test_age_hours / 24 > 7" in json.dumps(rule)


def test_the_dashboard_asks_for_what_there_is() -> None:
    (config,) = (each for each in rendered(ON) if each["kind"] == "ConfigMap")
    dashboard = json.loads(config["data"]["zenml.json"])
    assert dashboard["uid"]
    assert dashboard["title"]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            check_expression(target["expr"].replace("$namespace", "x"))


def test_the_examples_for_logs_are_yaml() -> None:
    fluent = yaml.safe_load((LOGS / "fluent-bit.yaml").read_text())["config"]
    assert {"inputs", "filters", "outputs"} == set(fluent)
    vector = yaml.safe_load((LOGS / "vector-database.yaml").read_text())
    assert vector["sinks"]["collector"]["inputs"] == list(vector["transforms"])
