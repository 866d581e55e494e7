"""Pushes of one image to a registry that does wrong on demand."""

import pytest

from bundle.oci.reference import Reference
from bundle.transfer.push import PushedImage, push_image
from bundle.transfer.transfers import Transfers
from clients.registry.repository import Registries
from clients.registry.upload import Uploads
from tests.fixtures.connections import RecordingMeter
from tests.fixtures.images.fake_images import FakeSource
from tests.fixtures.images.pushes import LAYER, SMALL, SUBJECT, Push
from tests.fixtures.servers.faulty_registry import FaultyRegistry


@pytest.fixture
def source() -> FakeSource:
    """An image with a large and a small layer."""
    source = FakeSource()
    source.image(LAYER, SMALL)
    return source


@pytest.fixture
def push(registries: Registries, faulty: FaultyRegistry, source: FakeSource, meter: RecordingMeter) -> Push:
    """Pushes the image to `team/app:1`, one blob after the other."""
    uploads = Uploads(registries)

    def push(rest: str = "team/app:1", *, siblings: tuple[str, ...] = (), host: str = "", jobs: int = 1) -> PushedImage:
        sink = uploads.repository(
            Reference.parse(f"{host or faulty.host}/{rest}"),
            subject=SUBJECT,
            siblings=[Reference.parse(f"{faulty.host}/{each}") for each in siblings],
        )
        return push_image(source, source.resolve(), sink, subject=SUBJECT, meter=meter, transfers=Transfers(jobs))

    return push
