"""The fields of well-known custom resources that name images, and images that are written in several pieces.

Pod templates inside custom resources need no entry here: those are found anywhere. A spec adds its own fields with
`discovery.fields`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from bundle.formats.json_path import ImageField, JsonPath

# API group -> kinds -> paths.
_TABLE: Mapping[str, Mapping[str, str]] = {
    "acid.zalan.do": {"postgresql": "$.spec.dockerImage"},
    "agent.k8s.elastic.co": {"*": "$.spec.image"},
    "apm.k8s.elastic.co": {"*": "$.spec.image"},
    "apps.kubeblocks.io": {"*": "$..image"},
    "argoproj.io": {
        "Workflow WorkflowTemplate CronWorkflow ClusterWorkflowTemplate": "$..container.image $..script.image",
        "ArgoCD": "$.spec.image",
        "Sensor EventSource": "$..container.image",
    },
    "beat.k8s.elastic.co": {"*": "$.spec.image"},
    "camel.apache.org": {"IntegrationPlatform": "$.spec.build.baseImage"},
    "ceph.rook.io": {"CephCluster": "$.spec.cephVersion.image"},
    "databases.spotahome.com": {"RedisFailover": "$.spec.redis.image $.spec.sentinel.image $..exporter.image"},
    "elasticsearch.k8s.elastic.co": {"*": "$.spec.image"},
    "enterprisesearch.k8s.elastic.co": {"*": "$.spec.image"},
    "flink.apache.org": {"FlinkDeployment": "$.spec.image"},
    "jaegertracing.io": {"Jaeger": "$..image"},
    "k8s.keycloak.org": {"Keycloak": "$.spec.image"},
    "k8s.mariadb.com": {"MariaDB MaxScale": "$.spec.image $.spec.galera.agent.image $.spec.metrics.exporter.image"},
    "kafka.strimzi.io": {"Kafka KafkaConnect KafkaBridge KafkaMirrorMaker2": "$..image"},
    "kibana.k8s.elastic.co": {"*": "$.spec.image"},
    "logstash.k8s.elastic.co": {"*": "$.spec.image"},
    "maps.k8s.elastic.co": {"*": "$.spec.image"},
    "minio.min.io": {"Tenant": "$.spec.image $.spec.kes.image"},
    "monitoring.coreos.com": {
        "Prometheus PrometheusAgent Alertmanager ThanosRuler": "$.spec.image $.spec.thanos.image",
    },
    "mysql.oracle.com": {"InnoDBCluster": "$.spec.image"},
    "opensearch.opster.io": {
        "OpenSearchCluster": "$.spec.general.image $.spec.dashboards.image $.spec.initHelper.image"
    },
    "opentelemetry.io": {
        "OpenTelemetryCollector TargetAllocator OpAMPBridge": "$.spec.image $.spec.targetAllocator.image",
        "Instrumentation": "$.spec.*.image",
    },
    "postgres-operator.crunchydata.com": {"PostgresCluster PGAdmin PGUpgrade": "$..image"},
    "postgresql.cnpg.io": {
        "Cluster": "$.spec.imageName",
        "ImageCatalog ClusterImageCatalog": "$.spec.images[*].image",
        "Pooler": "$.spec.template.spec.containers[*].image",
    },
    "psmdb.percona.com": {"*": "$.spec.image $.spec.backup.image $.spec.pmm.image"},
    "pxc.percona.com": {"*": "$..image"},
    "ps.percona.com": {"*": "$..image"},
    "pgv2.percona.com": {"*": "$..image"},
    "rabbitmq.com": {"RabbitmqCluster": "$.spec.image"},
    "redis.redis.opstreelabs.in": {
        "*": "$.spec.kubernetesConfig.image $.spec.redisExporter.image $.spec.initContainer.image"
    },
    "solr.apache.org": {"*": "$..image"},
    "sparkoperator.k8s.io": {
        "SparkApplication": "$.spec.image $.spec.driver.image $.spec.executor.image",
        "ScheduledSparkApplication": "$.spec.template.image",
    },
    "tekton.dev": {
        "Task ClusterTask Pipeline TaskRun PipelineRun StepAction": (
            "$.spec.image $..steps[*].image $..sidecars[*].image $..stepTemplate.image"
        )
    },
    "upgrade.cattle.io": {"Plan": "$.spec.upgrade.image $.spec.prepare.image"},
    "operator.victoriametrics.com": {"*": "$..image"},
}

FIELDS: tuple[ImageField, ...] = tuple(
    ImageField(group=group, kind=kind, path=JsonPath.parse(path))
    for group, kinds in _TABLE.items()
    for names, paths in kinds.items()
    for kind in names.split()
    for path in paths.split()
)


def image_text(value: Any) -> str:
    """The image that a text is, or that a mapping gives in pieces; empty where there is none.

    The pieces are those that charts and operators use: registry, repository (or image, name), tag (or version), digest.
    """
    if isinstance(value, str):
        return value.strip()
    if not isinstance(value, dict):
        return ""
    name = _first(value, "repository", "image") or _first(value, "name")
    tag, digest = _first(value, "tag", "version"), _first(value, "digest", "sha")
    if not name or not (tag or digest or "repository" in value):
        return ""
    if "repository" in value and "image" in value:  # a repository is a directory then, as in nvidia.com's ClusterPolicy
        name = f"{_first(value, 'repository')}/{_first(value, 'image')}"
    registry = _first(value, "registry")
    whole = f"{registry.rstrip('/')}/{name}" if registry else name
    pinned = f"@{digest if ':' in digest else f'sha256:{digest}'}" if digest else ""
    return f"{whole}:{tag}{pinned}" if tag else f"{whole}{pinned}"


def fields_of(*, group: str, kind: str, more: tuple[ImageField, ...]) -> Iterator[ImageField]:
    """The fields that objects of this group and kind have: the well-known ones, then those of the spec."""
    return (field for field in (*FIELDS, *more) if field.fits(group=group, kind=kind))


def _first(value: Mapping[str, Any], *keys: str) -> str:
    return next((str(value[key]) for key in keys if isinstance(value.get(key), str) and value[key]), "")
