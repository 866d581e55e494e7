"""Hauler's manifests (content.hauler.cattle.io): images, charts and files, over any number of documents."""

from collections.abc import Mapping, Sequence
from posixpath import basename
from typing import Any
from urllib.parse import urlsplit

from schema.drafts.documents import entries, text_of
from schema.drafts.draft import Draft

GROUP = "content.hauler.cattle.io/"
_COLLECTIONS = "collection.hauler.cattle.io/"


def is_hauler(found: Sequence[Mapping[str, Any]]) -> bool:
    """Whether any document is one of Hauler's."""
    return any(text_of(each, "apiVersion").startswith((GROUP, _COLLECTIONS)) for each in found)


def read_hauler(found: Sequence[Mapping[str, Any]], name: str) -> Draft:
    """One spec of all documents."""
    draft = Draft(name=name)
    for document in found:
        kind, spec = text_of(document, "kind"), document.get("spec")
        if kind == "Images":
            _images(draft, document)
        elif kind in ("Charts", "ThickCharts"):
            _charts(draft, spec)
        elif kind == "Files":
            for each in entries(spec, "files"):
                path = text_of(each, "path")
                draft.add_file(text_of(each, "name") or basename(urlsplit(path).path), path)
        elif kind == "ImageTxts":
            for each in entries(spec, "imageTxts"):
                draft.leave_out(f"image list {text_of(each, 'ref')}", "download it and give it to init --from")
        else:
            draft.leave_out(f"document {kind or 'without kind'}", "images, charts and files are what a bundle takes")
    return draft


def _images(draft: Draft, document: Mapping[str, Any]) -> None:
    annotations = (document.get("metadata") or {}).get("annotations") or {}
    registry = text_of(annotations, "hauler.dev/registry")
    key, platform = text_of(annotations, "hauler.dev/key"), text_of(annotations, "hauler.dev/platform")
    for each in entries(document.get("spec"), "images"):
        image = text_of(each, "name")
        host = text_of(each, "registry") or registry
        first = image.partition("/")[0]
        bare = "/" not in image or not ("." in first or ":" in first or first == "localhost")
        draft.add_image(f"{host}/{image}" if host and bare else image)
        if text_of(each, "key") or key:
            what = f"signature of {image}"
            draft.leave_out(what, f"write verify: {{cosign_key: {text_of(each, 'key') or key}}} at the image")
        elif text_of(each, "certificate-identity") or text_of(each, "certificate-identity-regexp"):
            draft.leave_out(f"signature of {image}", "signatures without a key are not checked; they travel along")
        if text_of(each, "rewrite"):
            draft.leave_out(f"rewrite of {image}", f"write target: {text_of(each, 'rewrite').strip('/')} at the image")
        if text_of(each, "platform") or platform:
            wanted = text_of(each, "platform") or platform
            draft.leave_out(f"platform {wanted}", "write it once: bundle: {platform: ...}; linux/amd64 is the default")


def _charts(draft: Draft, spec: object) -> None:
    for each in entries(spec, "charts"):
        name, source = text_of(each, "name"), text_of(each, "repoURL")
        if not source:  # a path, perhaps to a package
            source, name = name, basename(name).partition("-")[0] if name.endswith(".tgz") else basename(name)
        chart = draft.add_chart(name, source, text_of(each, "version"))
        if chart:
            draft.add_release(chart, chart, chart)
        for extra in entries(each, "extraImages"):
            draft.add_image(text_of(extra, "ref"))
