"""What `init --from` takes: which kind it is, and the draft of a spec that follows from it."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.charts.package import package_chart
from bundle.errors import FormatError, SourceError, storage_errors
from bundle.meter import Meter
from bundle.oci.reference import Reference
from schema.drafts.compose import read_compose
from schema.drafts.documents import documents
from schema.drafts.draft import Draft, tidy
from schema.drafts.hauler import is_hauler, read_hauler
from schema.drafts.image_list import read_image_list
from schema.drafts.zarf import KIND, read_zarf
from tasks.start.by_hand import draft_by_hand, holds_a_bundle

if TYPE_CHECKING:
    from clients.charts.metadata import ChartMetadata
    from clients.charts.source import Charts

KINDS = (
    "a chart (directory, .tgz, oci://, https:// repository), an image list, a Hauler, Zarf or Compose file, "
    "or a directory with image archives"
)
_MOST = 16 * 1024 * 1024  # bytes of a file with YAML or images


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The words of the command line: `text` as given, read from `directory`; chart and version may be empty."""

    text: str
    directory: Path
    chart: str = ""
    version: str = ""

    @property
    def is_remote(self) -> bool:
        """Whether it is an address."""
        return self.text.startswith(("oci://", "https://", "http://"))

    @property
    def path(self) -> Path:
        """The file or directory that it names."""
        return self.directory / self.text


def read_source(asked: Asked, target: Path, charts: "Callable[[], Charts]", meter: Meter) -> Draft:
    """The draft of a spec that will lie in `target`; a FormatError or SourceError for what is none of the kinds."""
    if asked.is_remote:
        return _remote_chart(asked, charts)
    path = asked.path
    if holds_a_bundle(path):
        from clients.sbom.zstd import open_zstd

        return draft_by_hand(path, target, meter=meter, open_zstd=open_zstd)
    if path.is_dir() or path.name.endswith((".tgz", ".tar.gz")):
        return _local_chart(path, target)
    with storage_errors(f"read {asked.text}", path):
        if not path.is_file():
            raise SourceError(f"--from {asked.text}: there is no such file", hint=f"name {KINDS}")
        if path.stat().st_size > _MOST:
            raise FormatError(f"--from {asked.text} is too large for a text file", hint=f"name {KINDS}")
        text = path.read_bytes().decode("utf-8", "replace")
    return _moved(_read_text(text, path), path.parent, target)


def _read_text(text: str, path: Path) -> Draft:
    name = tidy(path.resolve().parent.name)
    if path.suffix not in (".yaml", ".yml", ".json"):
        return read_image_list(text, name)
    found = documents(text, path.name)
    if is_hauler(found):
        return read_hauler(found, name)
    for document in found:
        if document.get("kind") == KIND:
            return read_zarf(document, name)
        if isinstance(document.get("services"), dict):
            return read_compose(document, name)
    hint = f"name {KINDS}; for a spec of this program: airgap bundle spec={path}"
    raise FormatError(f"{path.name} is none of the files that init reads", hint=hint)


def _moved(draft: Draft, base: Path, target: Path) -> Draft:
    """The draft with paths as from `target`, with copies of the values files, and without what is not there."""
    _leave_out_what_is_gone(draft, base)

    def there(source: str) -> str:
        return source if "://" in source else os.path.relpath(base / source, target)

    draft.charts = [replace(chart, source=there(chart.source)) for chart in draft.charts]
    draft.files = [replace(file, source=there(file.source)) for file in draft.files]
    draft.releases = [
        replace(each, values=tuple(_copied(draft, base, values) for values in each.values)) for each in draft.releases
    ]
    return draft


def _leave_out_what_is_gone(draft: Draft, base: Path) -> None:
    """Sources of paths that are not there; a release of such a chart goes with it."""

    def is_here(what: str, source: str) -> bool:
        here = "://" in source or (base / source).exists()
        if not here:
            draft.leave_out(what, f"{source} is not here; bring it, and add it to the spec")
        return here

    draft.charts = [each for each in draft.charts if is_here(f"chart {each.name}", each.source)]
    draft.files = [each for each in draft.files if is_here(f"file {each.name}", each.source)]
    charts = {chart.name for chart in draft.charts}
    draft.releases = [each for each in draft.releases if each.chart in charts]


def _copied(draft: Draft, base: Path, source: str) -> str:
    path = base / source
    name = f"values/{tidy(path.name)}"
    if "://" in source or not path.is_file():
        draft.leave_out(f"values file {source}", f"it is not here; write {name}")
        draft.values[name] = "{}\n"
    else:
        with storage_errors(f"read {source}", path):
            draft.values[name] = path.read_text(encoding="utf-8", errors="replace")
    return name


def _local_chart(path: Path, target: Path) -> Draft:
    from clients.charts.metadata import ChartMetadata, read_metadata

    with storage_errors(f"read {path}", path):
        if path.is_dir():
            if not (path / "Chart.yaml").is_file():
                hint = f"name the directory that Chart.yaml is in, or {KINDS}"
                said = "the directory holds no Chart.yaml, no image archive and no charts/*.tgz"
                raise SourceError(f"--from {path}: {said}", hint=hint)
            metadata = ChartMetadata.parse((path / "Chart.yaml").read_bytes(), subject=str(path))
            package_chart(path, name=metadata.name, subject=str(path))
        else:
            metadata = read_metadata(path.read_bytes(), subject=str(path)).metadata
    return _of_chart(metadata, os.path.relpath(path, target))


def _remote_chart(asked: Asked, charts: "Callable[[], Charts]") -> Draft:
    from clients.charts.metadata import ChartMetadata

    if asked.text.startswith("oci://"):
        reference = Reference.parse(asked.text.removeprefix("oci://"))
        version = asked.version or (reference.tag or "").replace("_", "+")
        if not version:
            hint = f"name its version: --from {asked.text}:VERSION"
            raise FormatError(f"--from {asked.text} names no version of the chart", hint=hint)
        metadata = ChartMetadata(name=asked.chart or reference.name, version=version)
        return _of_chart(metadata, f"oci://{reference.repository}")
    if not asked.chart:
        hint = f"init --from {asked.text} --chart NAME [--chart-version VERSION]"
        raise FormatError(f"--from {asked.text} is a chart repository: which chart of it?", hint=hint)
    version = asked.version or charts().newest(asked.text, name=asked.chart)
    return _of_chart(ChartMetadata(name=asked.chart, version=version), asked.text)


def _of_chart(metadata: "ChartMetadata", source: str) -> Draft:
    """One chart and its release, whose values are filled in when its images are known."""
    draft = Draft(name=metadata.name, version=metadata.version.replace("+", "-"))
    draft.add_chart(metadata.name, source, metadata.version)
    release = tidy(metadata.name.lower().replace("_", "-").replace(".", "-"))[:53]
    draft.values[f"values/{release}.yaml"] = "{}\n"
    draft.add_release(release, metadata.name, release, [f"values/{release}.yaml"])
    return draft
