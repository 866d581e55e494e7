"""Charts, files and proofs as manifest.json states them."""

from typing import Any

import pytest

from bundle.errors import FormatError
from bundle.metadata.entries import ChartEntry, FileEntry, ProofEntry
from bundle.oci.digest import Digest

SUM = Digest.of(b"x")
CHART = ChartEntry(name="web", version="1.0", source="oci://h.x/web", file="charts/web-1.0.tgz", digest=SUM, size=5)
SIGNED = ChartEntry(
    name="web", version="1.0", source="s", file="charts/w.tgz", digest=SUM, size=5, provenance="charts/w.prov",
    keyring=SUM,
)  # fmt: skip
TOOL = FileEntry(name="helm", source="https://h.x/helm", file="files/helm", digest=SUM, size=7, tool=True)
PROOF = ProofEntry(release="web", proven=False, reason="no helm")


@pytest.mark.parametrize("entry", [CHART, SIGNED, TOOL, PROOF], ids=["chart", "signed chart", "file", "proof"])
def test_it_round_trips(entry: ChartEntry | FileEntry | ProofEntry) -> None:
    assert type(entry).from_dict(entry.to_dict()) == entry


def test_what_a_chart_has_not_is_not_written() -> None:
    assert not {"provenance", "keyring"} & CHART.to_dict().keys()
    assert {"provenance", "keyring"} <= SIGNED.to_dict().keys()


@pytest.mark.parametrize(
    ("entry", "change", "told"),
    [
        (CHART, {"sha256": f"sha256:{SUM.hex}"}, "not a digest"),
        (CHART, {"file": "../web.tgz"}, "leads out"),
        (SIGNED, {"provenance": "/web.prov"}, "leads out"),
        (CHART, {"size": -5}, "expected a number of bytes"),
        (CHART, {"keyring": SUM.hex}, "not a digest"),
        (TOOL, {"tool": 1}, "'tool' is 1, expected bool"),
        (TOOL, {"file": "a/../../b"}, "leads out"),
        (PROOF, {"proven": "no"}, "'proven' is 'no', expected bool"),
        (PROOF, {"reason": None}, "'reason' is None, expected str"),
    ],
)
def test_what_is_not_well_formed(entry: Any, change: dict[str, Any], told: str) -> None:
    with pytest.raises(FormatError, match=told):
        type(entry).from_dict({**entry.to_dict(), **change})
