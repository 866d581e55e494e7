"""A Zarf package (zarf.yaml): its components' charts, images and files; scripts and manifests are named, not taken."""

from collections.abc import Mapping
from posixpath import basename
from typing import Any
from urllib.parse import urlsplit

from schema.drafts.documents import entries, text_of
from schema.drafts.draft import Draft, tidy

KIND = "ZarfPackageConfig"
_REASONS = {
    "manifests": "make a chart of the manifests, and add a release of it",
    "repos": "git repositories are not carried; pack one as a file",
    "dataInjections": "carry the data as files, and copy them in with an action",
    "actions": "write what it does under install: {actions: [...]}",
    "scripts": "write what they do under install: {actions: [...]}",
    "import": "init --from the imported package too, and merge the entries",
    "healthChecks": "releases wait for their objects anyway; add addresses under health",
}


def read_zarf(data: Mapping[str, Any], name: str) -> Draft:
    """The entries of all components, required or not."""
    metadata = data.get("metadata")
    draft = Draft(name=text_of(metadata, "name") or name, version=text_of(metadata, "version") or "0.1.0")
    if "###" in draft.version:
        draft.leave_out("metadata.version", f"{draft.version} is a template; write the version")
        draft.version = "0.1.0"
    if text_of(metadata, "architecture") not in ("", "amd64"):
        wanted = text_of(metadata, "architecture")
        draft.leave_out(f"architecture {wanted}", f"write bundle: {{platform: linux/{wanted}}}")
    for component in entries(data, "components"):
        _component(draft, component)
    for kind in ("variables", "constants"):
        for each in entries(data, kind):
            hint = "write it as ${site.NAME} or ${vars.NAME} in the values files"
            draft.leave_out(f"{kind[:-1]} {text_of(each, 'name')}", hint)
    return draft


def _component(draft: Draft, component: Mapping[str, Any]) -> None:
    name = text_of(component, "name")
    if component.get("required") is not True:
        draft.leave_out(f"choice of component {name}", "a bundle has no optional parts; remove what you do not want")
    images = component.get("images")
    for image in images if isinstance(images, list) else ():
        if "###" in str(image):
            draft.leave_out(f"image {image}", "it is a template; write the image")
        else:
            draft.add_image(str(image))
    for chart in entries(component, "charts"):
        _chart(draft, chart)
    for each in entries(component, "files"):
        source = text_of(each, "source")
        base = basename(text_of(each, "target")) or basename(urlsplit(source).path)
        if "###" in source:
            draft.leave_out(f"file {source}", "it is a template; write the address")
            continue
        draft.add_file(base, source, text_of(each, "shasum"))
        if text_of(each, "extractPath"):
            draft.leave_out(f"extractPath of {base}", "the archive is carried as it is")
    for key, reason in _REASONS.items():
        if component.get(key):
            draft.leave_out(f"{key} of component {name}", reason)


def _chart(draft: Draft, chart: Mapping[str, Any]) -> None:
    name = text_of(chart, "repoName") or text_of(chart, "name")
    source = text_of(chart, "localPath") or text_of(chart, "url")
    if source.endswith(".git") or ".git@" in source or text_of(chart, "gitPath"):
        draft.leave_out(f"chart {name}", "it comes from git; name its registry, its repository or a directory")
        return
    if source.startswith("oci://"):
        name = basename(source.rstrip("/"))
    added = draft.add_chart(name, source, "" if text_of(chart, "localPath") else text_of(chart, "version"))
    if not added:
        return
    release = text_of(chart, "releaseName") or text_of(chart, "name")
    files = chart.get("valuesFiles")
    values = [str(each) for each in files] if isinstance(files, list) else []
    draft.add_release(tidy(release), added, text_of(chart, "namespace") or release, values)
    if values:
        draft.leave_out(
            f"###ZARF_...### in {', '.join(values)}", "write ${site.NAME}, ${vars.NAME} or ${image.NAME.ref}"
        )
    for each in entries(chart, "variables"):
        draft.leave_out(
            f"variable {text_of(each, 'name')} of chart {name}", f"set {text_of(each, 'path')} in its values"
        )
