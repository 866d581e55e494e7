"""What a delta leaves out, put into a rehearsal's registry: it stands in for what is inside."""

from collections.abc import Generator
from functools import partial
from pathlib import Path

from bundle.errors import SourceError
from bundle.formats.sizes import human
from bundle.oci.descriptor import Descriptor
from bundle.storage.blob_store import BlobStore
from tasks.site.receiver import Receiver


def stand_in(receiver: Receiver, cache: Path) -> str:
    """Bring each blob that the base says is inside there, from the cache; what was done, empty for a full bundle.

    A SourceError where the cache lacks some: the delta was not made here.
    """
    inside = receiver.crossing.inside
    if inside is None:
        return ""
    store, stated = BlobStore(cache), list(inside.stated())
    lacking = [blob for _, blob in stated if not store.has(blob)]
    if lacking:
        raise SourceError(
            f"this delta leaves out {len(stated)} layers, and {len(lacking)} of them are not in the cache here either: "
            "nothing can stand in for what is inside",
            hint="rehearse it where it was made (state=DIR names the cache), or rehearse a full bundle",
        )
    for place, blob in stated:
        receiver.crossing.repositories.bring(place, blob, partial(_read, store, blob))
    size = human(sum(blob.size for _, blob in stated))
    return f"{len(stated)} layers ({size}) that the delta leaves out were put into the registry here, from the cache"


def _read(store: BlobStore, blob: Descriptor, offset: int) -> Generator[bytes, None, None]:
    yield from store.read(blob, offset)
