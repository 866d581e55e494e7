"""Whether the workloads of a release are ready (apps/v1 and batch/v1 status fields)."""

from clients.cluster._workloads import Object

WORKLOADS = "deployments.apps,statefulsets.apps,daemonsets.apps,jobs.batch"


def unready(workload: Object) -> str:
    """What a workload still lacks, for example "deployment web: 1 of 2 replicas ready"; empty when it is ready."""
    kind = workload["kind"]
    lack = _job(workload) if kind == "Job" else _controller(workload)
    return f"{kind.lower()} {workload['metadata']['name']}: {lack}" if lack else ""


def _job(job: Object) -> str:
    if (job.get("spec") or {}).get("suspend"):
        return ""
    done = {
        each["type"]: each for each in (job.get("status") or {}).get("conditions") or () if each["status"] == "True"
    }
    if "Complete" in done or "SuccessCriteriaMet" in done:
        return ""
    if failed := done.get("Failed"):
        return f"failed: {failed.get('reason', '')}: {failed.get('message', '')}"
    return "not complete yet"


def _controller(workload: Object) -> str:
    spec, status = workload.get("spec") or {}, workload.get("status") or {}
    if status.get("observedGeneration", 0) < workload["metadata"].get("generation", 0):
        return "its last change is not taken up yet"
    daemons = workload["kind"] == "DaemonSet"
    wanted = status.get("desiredNumberScheduled", 0) if daemons else spec.get("replicas", 1)
    updated = status.get("updatedNumberScheduled", 0) if daemons else status.get("updatedReplicas", 0)
    ready = status.get("numberReady", 0) if daemons else status.get("readyReplicas", 0)
    if updated < wanted and _updates_all(workload):
        return f"{updated} of {wanted} replicas updated"
    if ready < wanted:
        return f"{ready} of {wanted} replicas ready"
    if workload["kind"] == "Deployment" and status.get("replicas", 0) > wanted:
        return f"{status['replicas'] - wanted} old replicas still end"
    return ""


def _updates_all(workload: Object) -> bool:
    """Whether the controller itself brings all pods to the newest revision."""
    strategy = (workload.get("spec") or {}).get("updateStrategy") or {}
    partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    return strategy.get("type") != "OnDelete" and not partition
