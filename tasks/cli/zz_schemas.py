"""`doit schema`: print a published schema, for editors and other programs."""

from pathlib import Path
from typing import Any

from doit.exceptions import InvalidCommand

from tasks.cli.command import PlainCommand
from tasks.runtime.console import Console

_FILES = {"airgap": "airgap.schema.json", "manifest": "manifest.schema.json", "report": "report.schema.json"}


class SchemaCommand(PlainCommand):
    """Prints a schema."""

    name = "schema"
    doc_purpose = "print the JSON Schema of airgap.yaml, or of a bundle's manifest.json or report.json"
    doc_usage = "[airgap|manifest|report]"
    doc_description = "Editors complete a spec whose first line is  # yaml-language-server: $schema=PATH"

    def execute(self, opt_values: Any, pos_args: list[str]) -> int:
        """Print one schema to standard output."""
        wanted = " ".join(pos_args) or "airgap"
        if wanted not in _FILES:
            raise InvalidCommand(f"no schema is named {wanted!r}, there are {', '.join(_FILES)}")
        path = Path(__file__).parents[2] / "schema" / _FILES[wanted]
        Console().line(path.read_text(encoding="utf-8").rstrip())
        return 0
