"""Which APIs a chart asks for."""

import pytest

from bundle.charts.package import pack
from bundle.errors import FormatError
from clients.charts.capabilities import asked_apis


def test_templates_of_a_chart_and_of_its_subcharts() -> None:
    below = pack([("sub/templates/a.yaml", b'{{ .Capabilities.APIVersions.Has "route.openshift.io/v1/Route" }}')])
    package = pack(
        [
            ("app/Chart.yaml", b'# .Capabilities.APIVersions.Has "not/v1"'),
            ("app/templates/a.yaml", b'{{- if not (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1") }}'),
            ("app/templates/_h.tpl", b"{{ $.Capabilities.APIVersions.Has (`batch/v1`) }} {{ .APIVersions.Has $x }}"),
            ("app/charts/other/templates/b.yaml", b'{{ .Capabilities.APIVersions.Has "cert-manager.io/v1" }}'),
            ("app/charts/sub-1.tgz", below),
            ("app/charts/broken.tgz", b"none"),
        ]
    )
    assert asked_apis(package, subject="chart 'app'") == (
        "batch/v1", "cert-manager.io/v1", "monitoring.coreos.com/v1", "route.openshift.io/v1/Route",
    )  # fmt: skip


def test_what_is_no_chart() -> None:
    with pytest.raises(FormatError, match="chart 'app'"):
        asked_apis(b"none", subject="chart 'app'")
