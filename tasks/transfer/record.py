"""That every file of a bundle was compared with its list of checksums, as it lay there then: kept in the state."""

from pathlib import Path

from bundle.formats import strict_json
from bundle.oci.digest import Digest
from bundle.storage.files import write_bytes
from bundle.storage.private import make_private
from tasks.site.receiver import Receiver

FORMAT_VERSION = 1


def compared_whole(receiver: Receiver) -> bool:
    """Whether the bundle was compared whole, and no program has written to its files since.

    Asks for names, sizes, times and inodes only. Good for what uses no byte of the images: what does compares it anew.
    """
    try:
        noted = strict_json.loads(_path(receiver).read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return bool(noted == _note(receiver, lie(receiver)))


def lie(receiver: Receiver) -> Digest:
    """How the bundle's files lie there now."""
    return receiver.carried.fingerprint()


def note_whole(receiver: Receiver, lay: Digest) -> None:
    """The bundle was compared whole and is good; `lay` tells how its files lay there before the reading began."""
    make_private(receiver.state)
    write_bytes(_path(receiver), strict_json.canonical(_note(receiver, lay)), mode=0o600)


def _note(receiver: Receiver, lay: Digest) -> dict[str, object]:
    return {"format": FORMAT_VERSION, "sums": str(receiver.carried.bundle.sums_digest), "files": str(lay)}


def _path(receiver: Receiver) -> Path:
    return receiver.state / "whole.json"
