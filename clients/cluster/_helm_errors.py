"""What helm says when it fails, turned into one clear error with the next step."""

import re

from bundle.errors import AirgapError, ReleaseError
from clients.cluster.errors import known_fault, spoken

NOT_FOUND = "release: not found"

# First match wins. Words of the Kubernetes API come after helm's own: "deadline exceeded" is mostly helm's.
_FAULTS: tuple[tuple[str, str], ...] = (
    (
        "another operation .* is in progress",
        "wait until the other helm has ended; when none is running, run the install again: it recovers the release",
    ),
    ("exists and cannot be imported", "remove that object, or let its owner go, and run it again"),
    (
        r"meet the specifications of the schema.*failing loading",
        "its schema reads from another server, which there is not inside: set skip_schema_validation: REASON",
    ),
    (
        r"meet the specifications of the schema",
        "correct these values in the spec's values files or in site=FILE",
    ),
    ("execution error at", "set the value that the chart asks for"),
    ("YAML parse error|error converting YAML", "check the values that this template writes; quote texts with : or #"),
    (
        r"missing in charts/ directory",
        "package the chart with its dependencies (helm dependency build), and bundle again",
    ),
    (
        "ensure CRDs are installed first|no matches for kind",
        "install what defines these kinds first: needs: in the spec",
    ),
    (
        "chart requires kubeVersion",
        "upgrade the cluster (and raise install.kubernetes.min_version), or carry a chart that supports it",
    ),
    (
        r"timed out waiting|deadline exceeded|BackoffLimitExceeded|not ready\. status|resource not ready",
        "doit diagnose shows what is not ready; if it is only slow, raise the release's timeout",
    ),
    ("would exceed context deadline", "raise the release's timeout"),
    (
        r"conflict occurred while applying|Apply failed with \d+ conflict",
        "somebody else has set this field (the message names it): take it back, or helm upgrade --force-conflicts",
    ),
    (r"field is immutable|Forbidden: updates to \w+ spec", "uninstall the release first, or remove that object"),
)
_COMPILED = tuple((re.compile(pattern), hint) for pattern, hint in _FAULTS)
_BY_THE_CLUSTER = frozenset({"unreachable", "untrusted", "unauthorized", "forbidden"})


def helm_error(text: str, *, subject: str, ending: str = "") -> AirgapError:
    """The error for what helm said: a ReleaseError, or a ClusterError when the cluster itself is what failed.

    `ending` says how helm ended, where it said nothing.
    """
    words = spoken(text)
    for pattern, hint in _COMPILED:
        if pattern.search(words):
            return ReleaseError(f"{subject}: {words}", hint=hint)
    fault = known_fault(text, subject=subject)
    if fault and fault.reason in _BY_THE_CLUSTER:
        return fault
    silent = "helm exited without an error message" + (f" ({ending})" if ending else "")
    return ReleaseError(
        f"{subject}: {words or silent}", hint="" if words else "doit diagnose shows what the cluster says about it"
    )
