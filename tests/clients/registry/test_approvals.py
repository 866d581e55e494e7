"""Approvals to a registry: attached once, listed by its API or by a tag."""

import pytest

from bundle.archive.approvals_artifact import ApprovalsSource, published_approvals
from bundle.oci.reference import Reference
from bundle.transfer.transfers import Transfers
from clients.registry.approvals import push_approvals
from clients.registry.repository import Registries
from clients.registry.upload import Uploads
from tests.fixtures.servers.faulty_registry import FaultyRegistry

ONE, TWO = (f"-----BEGIN SSH SIGNATURE-----\n{word}\n-----END SSH SIGNATURE-----".encode() for word in "ab")


@pytest.mark.parametrize("referrers", [None, 10], ids=["tag", "API"])
def test_they_are_attached_once_and_found(
    registries: Registries, faulty: FaultyRegistry, referrers: int | None
) -> None:
    faulty.referrers = referrers
    bundle, place = faulty.put_image("team/app", "1", b"layer"), Reference.parse(f"{faulty.host}/team/app:1")

    def pushed(content: bytes) -> bool:
        source, transfers = ApprovalsSource(content, bundle, name="app-1.approvals"), Transfers(2)
        return push_approvals(
            Uploads(registries), place, bundle, source, subject="app", meter=registries.meter, transfers=transfers
        )

    assert [pushed(ONE), pushed(ONE), pushed(ONE + b"\n" + TWO)] == [True, False, True]
    found = published_approvals(registries.repository(place, subject="app"), bundle.digest, subject="app")
    assert set(found) == {ONE, TWO}
    assert faulty.manifests["team/app", "1"][0], "the bundle stays what its tag names"
