"""How large a release becomes in Helm's Secret."""

import random

from bundle.charts.package import pack
from clients.charts.release_size import MOST, release_size

NOISE = random.Random(1).randbytes(1_200_000)


def test_a_small_chart_fits() -> None:
    package = pack([("app/Chart.yaml", b"name: app"), ("app/templates/a.yaml", b"a: 1")])
    found = release_size(package, values={"a": 1}, rendered="a: 1\n", subject="chart")
    assert found.fits
    assert found.stored < 1000


def test_a_large_file_does_not() -> None:
    package = pack([("app/Chart.yaml", b"name: app"), ("app/files/blob.bin", NOISE)])
    found = release_size(package, values={}, rendered="", subject="chart")
    assert not found.fits
    assert found.stored > MOST
    assert (found.largest, found.largest_size) == ("files/blob.bin", len(NOISE))


def test_subcharts_and_crds_are_not_stored() -> None:
    package = pack([("app/Chart.yaml", b"name: app"), ("app/charts/sub/files/blob.bin", NOISE)])
    crd = f"# Source: app/crds/a.yaml\nx: {NOISE.hex()}\n"
    assert release_size(
        package, values={}, rendered=f"---\n{crd}---\n# Source: app/templates/a.yaml\na: 1\n", subject="c"
    ).fits
    assert not release_size(package, values={}, rendered=crd.replace("crds", "templates"), subject="c").fits
