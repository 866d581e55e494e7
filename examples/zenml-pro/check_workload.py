"""What must hold between the settings of the workload manager, looked at before the first change; changes nothing.

Reads the site file from AIRGAP_SITE (JSON). Each line on standard error is one finding, with the next step after
` next: `. Exit code 1 when there is any that keeps it from working. Needs only Python's standard library.
"""

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

PREFIX = "ZENML_KUBERNETES_WORKLOAD_MANAGER_"
BUILD = f"{PREFIX}BUILD_RUNNER_IMAGE"
TYPES = {
    **dict.fromkeys(("image", "registry", "region", "bucket", "service_account", "push_secret"), str),
    **dict.fromkeys(("keep_seconds", "runs_at_once", "job_retries"), int),
    **dict.fromkeys(("pod_resources", "node_selector", "pod_failure_policy", "annotations"), dict),
    **dict.fromkeys(("tolerations", "rules"), list),
}
_HOST = r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(?::[0-9]+)?|[A-Za-z0-9-]+:[0-9]+"
_PATH = r"(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)"
_TAG = r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|@sha256:[0-9a-f]{64})"
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
NEEDED = {
    "image": (rf"(?:{_HOST}){_PATH}+{_TAG}", "HOST/PATH:TAG of an image in a registry that the cluster reaches"),
    "registry": (
        rf"(?:{_HOST}){_PATH}*",
        "HOST[/PATH] of a registry that the cluster pushes to, without https:// and tag",
    ),
    "region": (r"[a-z]{2,}(?:-[a-z]+)+-[0-9]+", "the region, such as eu-central-1"),
    "bucket": (r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/\S*)?", "s3://BUCKET/PATH"),
}


def chosen(workload: Mapping[str, Any]) -> Iterator[str]:
    """What a choice needs is there, and nothing that only another choice would use."""
    is_aws = workload["implementation"] == "aws"
    logs = workload["external_logs"] is True
    if logs and not is_aws:
        yield (
            f"workload.external_logs is true, and workload.implementation {workload['implementation']} keeps no logs "
            "next: write external_logs: false and collect the pods' logs, or implementation: aws"
        )
    if workload["push_secret"] and workload["runner_image"] != "built":
        yield (
            f"workload.push_secret is {workload['push_secret']!r}, and nothing is pushed "
            "next: write runner_image: built, or take workload.push_secret away"
        )
    wanted = {
        "image": (workload["runner_image"] == "named", "runner_image: named"),
        "registry": (workload["runner_image"] == "built", "runner_image: built"),
        "region": (is_aws, "implementation: aws"),
        "bucket": (logs and is_aws, "external_logs: true"),
    }
    for name, (is_needed, by) in wanted.items():
        value, (form, expected) = workload[name], NEEDED[name]
        if is_needed and not value:
            yield f"workload.{name} is empty, which {by} needs next: write workload.{name}: {expected}"
        elif is_needed and not re.fullmatch(form, value):
            yield f"workload.{name} is {value!r} next: write {expected}"
        elif value and not is_needed and not (name == "bucket" and logs):
            yield f"workload.{name} is {value!r}, and nothing uses it next: write {by}, or take workload.{name} away"


def shapes(workload: Mapping[str, Any]) -> Iterator[str]:
    """What is handed on as JSON, or as a number, is what Kubernetes takes."""
    resources, policy = workload["pod_resources"], workload["pod_failure_policy"]
    if unknown := sorted(set(resources) - {"requests", "limits"}):
        yield f"workload.pod_resources has {unknown[0]!r} next: write requests and limits: {{memory: ...}}"
    elif not all(isinstance(each, dict) for each in resources.values()):
        yield "workload.pod_resources is no mapping of mappings next: write requests: {cpu: 100m, memory: 400Mi}"
    for name in ("node_selector", "annotations"):
        if any(not isinstance(each, str) for each in workload[name].values()):
            yield f'workload.{name} has a value that is no text next: put it in quotes, such as "true"'
    if any(not isinstance(each, dict) for each in workload["tolerations"]):
        yield "workload.tolerations is no list of mappings next: write - {key: ..., operator: Exists}"
    if policy and (set(policy) != {"rules"} or not isinstance(policy["rules"], list) or not policy["rules"]):
        yield "workload.pod_failure_policy has no rules next: write {rules: [...]}, as podFailurePolicy of a Job has it"


def account(workload: Mapping[str, Any]) -> Iterator[str]:
    """Numbers, the account of the runners' pods and the rights beside it are what Kubernetes takes."""
    for name, least in (("keep_seconds", 0), ("runs_at_once", 1), ("job_retries", -1)):
        if workload[name] < least:
            yield f"workload.{name} is {workload[name]} next: write {least} or more"
    for rule in workload["rules"]:
        if not (isinstance(rule, dict) and {"apiGroups", "resources", "verbs"} <= set(rule)):
            yield "workload.rules has one that is no rule of a Role next: write lists: apiGroups, resources, verbs"
    if not re.fullmatch(_LABEL, workload["service_account"]):
        name = workload["service_account"]
        yield f"workload.service_account is {name!r} next: write lower-case letters, digits and '-'"


def overridden(site: Mapping[str, Any]) -> Iterator[str]:
    """Overrides of the workspaces' environment: texts only, and no building that the settings do not know of."""
    workspaces = ["zenml", *(f"zenml-{each['name']}" for each in site["workspaces"])]
    overrides = site.get("overrides", {})
    for release, values in ((name, overrides[name]) for name in workspaces if name in overrides):
        for key in ("zenml", "server"):
            below = values.get(key) if isinstance(values, dict) else None
            environment = below.get("environment") if isinstance(below, dict) else None
            for name, value in (environment if isinstance(environment, dict) else {}).items():
                where = f"overrides: {release}: {key}: environment: {name}"
                if value is not None and not isinstance(value, str):
                    yield f"{where} is no text, which Kubernetes refuses next: put it in quotes"
                builds = name == BUILD and str(value).lower() == "true"
                if builds and not (site["workload_manager"] is True and site["workload"]["runner_image"] == "built"):
                    yield (
                        f"{where} is true, and nothing could build: no registry is known that it may push to "
                        "next: take it away, and write workload_manager: true, workload.runner_image: built and "
                        "workload.registry"
                    )


def findings(site: Mapping[str, Any]) -> Iterator[str]:
    """All that does not hold; settings of a workload manager that is off are not looked at.

    Nor are those of wrong types, which preflight itself reports.
    """
    is_typed = all(isinstance(site["workload"].get(name), kind) for name, kind in TYPES.items())
    if site["workload_manager"] is True and is_typed:
        yield from chosen(site["workload"])
        yield from shapes(site["workload"])
        yield from account(site["workload"])
    yield from overridden(site)


def main() -> int:
    """Exit code 0 when all holds, 1 with a line for each thing that does not."""
    site = json.loads(os.environ["AIRGAP_SITE"])
    found = list(findings(site))
    for each in found:
        print(each, file=sys.stderr)
    if not found and site["workload_manager"] is True and site["workload"]["runner_image"] == "built":
        print(
            "runner images are built by gcr.io/kaniko-project/executor, and install packages from PyPI "
            "next: see that the nodes can pull that image, and builders reach a mirror of PyPI (files/install.md)",
            file=sys.stderr,
        )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
