"""Many sites: of their clusters where they answer, else of the receipts that were brought back."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bundle.errors import ClusterError, SpecError
from tasks.commands.installed import sites
from tasks.commands.installed.sites import conditions, site_files
from tasks.commands.installed.status import Status
from tasks.site.receiver import Receiver
from tests.fixtures.benches.receiving import commanded, in_memory, receiving, said
from tests.fixtures.made.receipts import RECEIPT


@pytest.fixture
def many(carried_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    """Three sites beside the working directory; the clusters of `a` and `b` are in memory, that of `b` is down."""
    place = tmp_path / "state"
    (place / "sites").mkdir(parents=True, mode=0o700)
    for name in ("a", "b", "example"):
        (place / f"sites/{name}.yaml").write_text(f"host: {name}.example\nkubeconfig: {name}.kubeconfig\n")
    (place / "sites/c.yml").write_text("host: [\n")
    real = sites._at

    def at(receiver: Receiver, site: Path) -> Receiver:
        there = real(receiver, site)
        if site.stem != "c":
            in_memory(there)
        if site.stem == "b":

            def down(*_: object) -> None:
                raise ClusterError("no route to host")

            monkeypatch.setattr(there.cluster.helm, "list", down)
        return there

    monkeypatch.setattr(sites, "_at", at)
    return receiving(carried_bundle, place, site="all")


def test_the_files(many: Receiver, tmp_path: Path) -> None:
    assert [path.name for path in site_files(many.options)] == ["a.yaml", "b.yaml", "c.yml"]
    with pytest.raises(SpecError, match="there is no site file"):
        site_files(replace(many.options, spec=tmp_path / "elsewhere/airgap.yaml"))


def test_each_by_its_cluster_or_its_receipts(many: Receiver) -> None:
    receipts = many.options.spec.parent / "receipts"
    (receipts / "b").mkdir(parents=True)
    later = replace(RECEIPT, name="app", installed=RECEIPT.installed + timedelta(days=1))
    (receipts / "b.json").write_bytes(later.encode())
    (receipts / "b/shop.json").write_bytes(replace(RECEIPT, name="shop").encode())
    a, b, shop, c = conditions(many)
    assert (a.site, a.unreached, a.receipt) == ("a", "", None)
    assert (b.site, b.unreached, b.receipt) == ("b", "no route to host", later)
    assert [(each.name, each.status) for each in b.releases] == [("web", "unknown")]
    assert (shop.site, shop.application, shop.unreached) == ("b", "shop", "only its receipt is here")
    assert c.site == "c"
    assert "c.yml" in c.unreached
    assert commanded(Status, many, as_json=False, metrics="") == 1, "nothing is installed at a"
    lines = said(many).splitlines()
    assert lines[0].split() == ["SITE", "APPLICATION", "VERSION", "INSTALLED", "STATUS"]
    assert lines[2].split() == ["b", "app", "1.2", "2026-03-02", "08:00Z", "as", "the", "receipt", "tells"]
    assert "b: not reached: no route to host" in lines
