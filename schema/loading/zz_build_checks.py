"""From a structurally valid document to the typed spec: what is looked at (`checks` and `health`)."""

from collections.abc import Collection, Mapping

from schema.loading._build import Reader, mapping, text, texts
from schema.spec.checks import CHECK_KINDS, CheckSpec, HealthSpec
from schema.syntax.document import Node
from schema.syntax.problems import Problems
from schema.syntax.secrecy import check_visible

# Which options belong to which kind of check.
_OPTIONS: dict[str, set[str]] = {
    "http": {"ca", "status"},
    "tls": {"ca", "min_days"},
    "mysql": {"min_version"},
    "database": {"min_version"},
}


def build_check(reader: Reader, node: Node) -> CheckSpec:
    """Read one of `install.checks`."""
    kind = next(kind for kind in CHECK_KINDS if node.get(kind))
    subject, about = node.members()[kind], f"check {kind!r}"
    refuse_foreign(reader.problems, node, about, _OPTIONS, kind)
    if not subject.items():
        reader.no_login(subject, about)
    run = texts(subject)
    check_visible(reader.problems, subject.items(), about)
    status, days = node.get("status"), node.get("min_days")
    return CheckSpec(
        kind=kind,
        subject=" ".join(run) or text(subject),
        from_pod=text(node.get("from")) == "pod",
        ca=reader.file(node.get("ca"), f"{about}: 'ca'"),
        status=_number(status, 200),
        min_days=_number(days, 0),
        min_version=text(node.get("min_version")),
        run=run,
    )


def build_health(reader: Reader, node: Node, subject: str) -> HealthSpec:
    """Read one of a release's `health`."""
    url = node.get("url") or node
    reader.no_login(url, f"{subject}: health")
    return HealthSpec(
        url=text(url),
        status=_number(node.get("status"), 200),
        text=text(node.get("text")),
        json=mapping(node.get("json")),
        ca=reader.file(node.get("ca"), f"{subject}: 'ca'"),
    )


def refuse_foreign(
    problems: Problems, node: Node, subject: str, keys: Mapping[str, Collection[str]], kind: str
) -> None:
    """Note the keys that belong to other kinds only."""
    own = keys.get(kind, ())
    foreign = {name for names in keys.values() for name in names if name not in own}
    for name, member in node.members().items():
        if name in foreign:
            expected = " and ".join(repr(key) for key in sorted(own))
            problems.add(member.key or member.place, f"{subject} does not take {name!r}", expected=expected)


def _number(node: Node | None, default: int) -> int:
    return node.value if node and isinstance(node.value, int) else default
