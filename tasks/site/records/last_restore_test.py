"""The last time that a backup was tried out from this machine, with success."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from bundle.errors import FormatError, storage_errors
from bundle.formats import strict_json
from bundle.formats.fields import Fields, time_text
from bundle.storage.files import read_small, write_bytes
from bundle.storage.private import make_private
from tasks.site.receiver import Receiver

_FILE = "restore-test.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRestoreTest:
    """When it was, of which archive and how old that was (when it was `created`), and the dumps that were restored."""

    tested: datetime
    archive: str
    created: datetime
    dumps: tuple[str, ...]

    @classmethod
    def read(cls, receiver: Receiver) -> Self | None:
        """What was noted; None where nothing was, or nothing that can be read."""
        try:
            fields = Fields.decode(read_small(receiver.state / _FILE), _FILE)
            tested, created, archive = fields.time("tested"), fields.time("created"), fields.text("archive")
            return cls(tested=tested, archive=archive, created=created, dumps=fields.texts("dumps"))
        except (OSError, FormatError):
            return None

    def note(self, receiver: Receiver) -> None:
        """Remember it beside doit's state."""
        about = {"tested": time_text(self.tested), "archive": self.archive, "created": time_text(self.created)}
        path = receiver.state / _FILE
        with storage_errors("note the restore test", path):
            make_private(path.parent)
            write_bytes(path, strict_json.readable({**about, "dumps": list(self.dumps)}, escaped=True), mode=0o600)
