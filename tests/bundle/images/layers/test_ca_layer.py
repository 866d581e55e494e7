"""The layer with further authorities: every bundle of the system, and nothing else."""

import io
import tarfile

import pytest
import trustme

from bundle.formats.x509 import parse_authorities
from bundle.images.layers.ca_layer import SUFFIXES, CaLayer, ca_layer
from bundle.images.layers.files import LayeredFiles
from bundle.meter import SilentMeter
from tests.fixtures.images.system_images import ALPINE, DEBIAN, OLD, RED_HAT, Files, Held, layers_of, system

CA = parse_authorities(trustme.CA().cert_pem.bytes().decode())
NEW = CA[0].pem
ANCHOR = f"airgap-{CA[0].digest.hex[:16]}.crt"
SUSE: Files = {"etc/ssl/ca-bundle.pem": OLD.encode()}


def of(*layers: Files) -> CaLayer:
    made = system(*layers)
    files = LayeredFiles.read(Held(made), layers_of(made), suffixes=SUFFIXES, subject="image 'x'", meter=SilentMeter())
    return ca_layer(files, CA)


def contents(layer: CaLayer) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(layer.tar)) as tar:
        found = {each.name: tar.extractfile(each) for each in tar if each.isfile()}
        return {name: file.read().decode() for name, file in found.items() if file}


@pytest.mark.parametrize(
    ("files", "told", "real", "anchors"),
    [
        (DEBIAN, "etc/ssl/certs/ca-certificates.crt", "", "usr/local/share/ca-certificates"),
        (ALPINE, "etc/ssl/certs/ca-certificates.crt", "", "usr/local/share/ca-certificates"),
        (RED_HAT, "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "", "etc/pki/ca-trust/source/anchors"),
        (SUSE, "etc/ssl/ca-bundle.pem", "", "etc/pki/trust/anchors"),
    ],
    ids=["Debian", "Alpine", "Red Hat", "SUSE"],
)
def test_every_system_has_its_places(files: Files, told: str, real: str, anchors: str) -> None:
    layer = of(files)
    assert layer.found
    assert layer.bundle == f"/{told}"
    assert contents(layer) == {told: OLD + NEW, f"{anchors}/{ANCHOR}": NEW}
    assert layer.changed == (f"/{told}",)


def test_a_later_layer_counts() -> None:
    layer = of(DEBIAN, {"etc/ssl/certs/ca-certificates.crt": b"# other\n"})
    assert contents(layer)["etc/ssl/certs/ca-certificates.crt"] == "# other\n" + NEW


def test_two_bundles_are_both_changed() -> None:
    layer = of({**DEBIAN, **SUSE})
    assert layer.changed == ("/etc/ssl/ca-bundle.pem", "/etc/ssl/certs/ca-certificates.crt")
    assert sorted(contents(layer)) == [
        f"etc/pki/trust/anchors/{ANCHOR}",
        "etc/ssl/ca-bundle.pem",
        "etc/ssl/certs/ca-certificates.crt",
        f"usr/local/share/ca-certificates/{ANCHOR}",
    ]


def test_without_a_bundle_debians_is_made_where_links_lead() -> None:
    layer = of({"etc/ssl": "/opt/ssl", "app": b"program"})
    assert not layer.found
    assert contents(layer) == {"opt/ssl/certs/ca-certificates.crt": NEW}
    assert layer.bundle == "/etc/ssl/certs/ca-certificates.crt"
