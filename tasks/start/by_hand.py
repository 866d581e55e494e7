"""What `init --from` makes of a bundle that was made by hand: images, charts with their values, and all other files."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.archive.hand_made import chart_files, image_files
from bundle.errors import storage_errors
from bundle.meter import Meter
from schema.drafts.draft import Draft, tidy
from tasks.commands.adopt import adopted_anew, common_prefix
from tasks.install.hand_made import HandMade, SavedChart, read_hand_made

if TYPE_CHECKING:
    from bundle.images.compressed import OpenZstd

_LISTS = re.compile(
    r"(?:manifest|images|checksums?)\.txt|.*\.(?:sha256|sha256sum|md5)|(?:SHA256|MD5)SUMS?", re.IGNORECASE
)


def holds_a_bundle(path: Path) -> bool:
    """Whether a directory is no chart and none of our bundles, but holds images or packaged charts."""
    if not path.is_dir() or any((path / name).exists() for name in ("Chart.yaml", "airgap.json", "airgap.pyz")):
        return False
    with storage_errors(f"read {path}", path):
        return bool(image_files(path) or chart_files(path))


def draft_by_hand(path: Path, target: Path, *, meter: Meter, open_zstd: "OpenZstd | None" = None) -> Draft:
    """The draft of a spec that will lie in `target`. Archives are read to their end; a damaged one is left out."""
    with storage_errors(f"read {path}", path):
        made = read_hand_made(path, meter=meter, open_zstd=open_zstd)
        others = list(_others(path, made))
    entries = adopted_anew(target, made)
    draft = Draft(name=tidy(path.resolve().name), prefix=common_prefix(made))
    if len(made.charts) == 1:
        draft.name, draft.version = made.charts[0].name, made.charts[0].version.replace("+", "-")
    draft.images, draft.charts = entries.new_images, entries.new_charts
    draft.left_out += entries.left_out
    for bad in made.bad:
        draft.leave_out(*bad.removeprefix("unusable: ").split(": ", 1))
    for chart, saved in zip(draft.charts, made.charts, strict=True):
        release = tidy(chart.name.lower().replace("_", "-").replace(".", "-"))[:53]
        draft.values |= (values := dict(_values(release, saved, others)))
        draft.add_release(release, chart.name, release, list(values))
    for each in others:
        _add(draft, each, path, target)
    return draft


def _others(path: Path, made: HandMade) -> Iterator[Path]:
    """All files that are no image, no chart and not hidden."""
    layouts = {image.file for image in made.images if image.file.is_dir()}
    known = {*(image.file for image in made.images), *(chart.file for chart in made.charts)}
    unusable = {path / bad.removeprefix("unusable: ").split(": ", 1)[0] for bad in made.bad}
    for each in sorted(path.rglob("*")):
        hidden = any(part.startswith(".") for part in each.relative_to(path).parts)
        if each.is_file() and not hidden and each not in known | unusable and not layouts & {*each.parents}:
            yield each


def _values(release: str, chart: SavedChart, others: list[Path]) -> Iterator[tuple[str, str]]:
    """The values files of a chart: those that are called as it is, and are no longer among the others then."""
    wanted = re.compile(rf"(?:values[-_.])?{re.escape(chart.name)}(?:[-_.]values)?\.ya?ml")
    own = [each for each in others if wanted.fullmatch(each.name)]
    for number, each in enumerate(own, start=1):
        others.remove(each)
        name = release if len(own) == 1 else f"{release}-{number}"
        with storage_errors(f"read {each.name}", each):
            yield f"values/{name}.yaml", each.read_text(encoding="utf-8", errors="replace")
    if not own:
        yield f"values/{release}.yaml", "{}\n"


def _add(draft: Draft, file: Path, path: Path, target: Path) -> None:
    name = file.relative_to(path).as_posix()
    if _LISTS.fullmatch(file.name):
        draft.leave_out(name, "every bundle gets a manifest.txt and checksums of its own")
    else:
        draft.add_file(file.name, os.path.relpath(file, target))
