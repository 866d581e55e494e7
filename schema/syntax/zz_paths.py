"""Paths of a spec as text: relative to the spec's directory, so that they mean the same wherever it lies."""

from pathlib import Path


def path_text(path: Path | None, base: Path) -> str:
    """The path as the spec writes it; empty for None. One outside of `base` that was written absolute stays so."""
    if path is None:
        return ""
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)


def optional_path(text: str, base: Path) -> Path | None:
    """The inverse of path_text."""
    return base / text if text else None
