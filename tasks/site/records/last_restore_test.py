"""The last time that a backup was tried out from this machine, with success."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from bundle.formats.fields import Fields, time_text
from tasks.site.receiver import Receiver
from tasks.site.records.notes import read_note, write_note

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
        return read_note(receiver, _FILE, cls._of)

    @classmethod
    def _of(cls, fields: Fields) -> Self:
        tested, created, archive = fields.time("tested"), fields.time("created"), fields.text("archive")
        return cls(tested=tested, archive=archive, created=created, dumps=fields.texts("dumps"))

    def note(self, receiver: Receiver) -> None:
        """Remember it beside doit's state."""
        about = {"tested": time_text(self.tested), "archive": self.archive, "created": time_text(self.created)}
        write_note(receiver, _FILE, {**about, "dumps": list(self.dumps)}, what="the restore test")
