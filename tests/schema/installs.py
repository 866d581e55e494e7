"""Specs and values files for tests of the installation."""

from pathlib import Path

from schema.loading.load import load
from schema.spec.spec import Spec

HEAD = """\
version: 1
bundle: {name: demo, version: '1'}
registry: {prefix: reg.internal/demo}
"""
WITH_CHART = """\
images: [{name: api, source: 'quay.io/x/api:1'}]
charts: [{name: web, source: 'oci://h.x/web', version: '1.0.0'}]
"""


def write(directory: Path, files: dict[str, str | bytes]) -> None:
    """Write files by their name in `directory`."""
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def spec(directory: Path, text: str, files: dict[str, str | bytes] | None = None) -> Spec:
    """The spec of `text` below the usual lines, beside `files`."""
    write(directory, {**(files or {}), "airgap.yaml": HEAD + text})
    return load(directory / "airgap.yaml", env={})
