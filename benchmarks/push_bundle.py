"""Pushes all images of a bundle: `python -m benchmarks.push_bundle BUNDLE HOST JOBS [CA]`. Prints the bytes sent."""

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from bundle.archive.reader import open_bundle
from bundle.metadata.manifest import ImageEntry
from bundle.meter import SilentMeter
from bundle.oci.locations import HostSettings
from bundle.transfer.push import PushedImage, push_image
from bundle.transfer.transfers import Transfers
from clients.http.transport import Transport
from clients.registry.repository import Registries
from clients.registry.upload import Uploads


def main(arguments: Sequence[str]) -> int:
    """Push, as the install's tasks do: as many images side by side (tasks/setup.py), their blobs under one bound."""
    path, host, jobs, ca = Path(arguments[0]), arguments[1], int(arguments[2]), [Path(file) for file in arguments[3:]]
    bundle, transfers = open_bundle(path), Transfers(jobs)
    settings = HostSettings(ca=ca[0] if ca else None, plain_http=not ca)
    with Transport({host: settings}) as transport, ThreadPoolExecutor(max(4, 2 * jobs)) as pool:
        uploads = Uploads(Registries(transport))

        def push(image: ImageEntry) -> PushedImage:
            subject = f"image {image.name!r}"
            sink = uploads.repository(replace(image.reference, host=host), subject=subject)
            source = bundle.image(image)
            return push_image(source, image.root, sink, subject=subject, meter=SilentMeter(), transfers=transfers)

        done = list(pool.map(push, bundle.manifest.images))
    print(sum(image.pushed for image in done))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
