"""Arguments and variables by which well-known operators are told the images that they start pods of.

Only those are here that the operator needs whatever else is set: what may be switched on later stays suspected.
"""

_ARGUMENTS = frozenset(
    {
        # Prometheus Operator, Argo Workflows, cert-manager
        "prometheus-config-reloader", "executor-image", "acme-http01-solver-image",
        # Longhorn
        "engine-image", "instance-manager-image", "share-manager-image", "backing-image-manager-image",
        "manager-image", "support-bundle-manager-image",
        # Tekton Pipelines
        "entrypoint-image", "nop-image", "sidecarlogresults-image", "workingdirinit-image", "shell-image",
    }
)  # fmt: skip
_VARIABLES = frozenset(
    {
        # Rook
        "ROOK_CSI_CEPH_IMAGE", "ROOK_CSI_REGISTRAR_IMAGE", "ROOK_CSI_PROVISIONER_IMAGE", "ROOK_CSI_ATTACHER_IMAGE",
        "ROOK_CSI_RESIZER_IMAGE", "ROOK_CSI_SNAPSHOTTER_IMAGE",
        # VictoriaMetrics, Knative Serving, Argo Workflows
        "VM_CONFIG_RELOADER_IMAGE", "QUEUE_SIDECAR_IMAGE", "ARGO_EXECUTOR_IMAGE",
    }
)  # fmt: skip


def is_argument(option: str) -> bool:
    """Whether an option (`--name` or `-name`) of a command is one of these."""
    return option.startswith("-") and option.lstrip("-") in _ARGUMENTS


def is_variable(name: str) -> bool:
    """Whether a variable of a container's environment is one of these."""
    return name in _VARIABLES
