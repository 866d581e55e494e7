"""Loading airgap.yaml: read, resolve, check structure and meaning, and tell all that is wrong at once."""

import os
from collections.abc import Mapping, MutableSet
from functools import partial
from pathlib import Path
from typing import cast

from bundle.errors import SpecError, storage_errors
from bundle.oci.platform import Choice
from schema.loading import _rules as rules
from schema.loading._build import (
    Reader,
    build_bundle,
    build_chart,
    build_discovery,
    build_file,
    build_hosts,
    build_image,
    build_registry,
    text,
)
from schema.loading._build_derived import build_derived
from schema.loading._build_install import build_install
from schema.loading._build_settings import build_settings
from schema.loading._interpolation import interpolate, named
from schema.loading._lists import expand_lists
from schema.loading._repeats import check_repeats
from schema.loading._validation import fingerprint, validate
from schema.loading.values import check_values
from schema.spec.contents import ChartSpec, DerivedImageSpec, ImageSpec
from schema.spec.spec import VERSION, EngineKind, Spec
from schema.syntax.document import Node, read
from schema.syntax.problems import Problems, raise_together
from schema.syntax.secrecy import check_variables


def load(path: Path, *, env: Mapping[str, str] = os.environ, valid: MutableSet[str] | None = None) -> Spec:
    """Read a spec; a SpecError lists everything that is wrong with it, by place.

    `valid` are fingerprints of documents whose structure was found good before: those are not validated again, which
    saves about 150 ms. The fingerprint of this one is added when it is good.
    """
    problems = Problems(path.name)
    with storage_errors("read the spec", path):
        try:
            written = read(path, problems)
        except (FileNotFoundError, IsADirectoryError) as err:
            hint = "start one: doit init; or name another with spec=FILE"
            raise SpecError(f"there is no spec {str(path)!r}", [], hint=hint) from err
    expand = partial(expand_lists, base=path.parent, problems=problems)
    resolved = interpolate(written, env, problems, expand=expand) if written else None
    sound = _validated(resolved, problems, valid) if resolved else None
    spec = _build(path, sound, resolved, problems) if sound and resolved else None
    raise_together([problems, *(check_values(spec) if spec else ())], path.name)
    return cast("Spec", spec)  # None only together with problems


def _validated(resolved: Node, problems: Problems, valid: MutableSet[str] | None) -> Node | None:
    """The structurally sound part of the document."""
    if valid is None or problems:
        return validate(resolved, problems)
    mark = fingerprint(resolved)
    if mark in valid:
        return resolved
    sound = validate(resolved, problems)
    if not problems:
        valid.add(mark)
    return sound


def _build(path: Path, root: Node, whole: Node, problems: Problems) -> Spec:
    """The typed spec of a sound document; `whole` also has the unsound parts, whose names count as known."""
    reader = Reader(base=path.parent, problems=problems)
    check_variables(problems, root.get("vars"))
    bundle = build_bundle(reader, root.members()["bundle"])
    registry = build_registry(reader, root.members()["registry"])
    hosts = build_hosts(reader, root.get("registries"))
    images, derived = _images(reader, root, whole, registry.prefix, bundle.platform)
    charts = _charts(reader, root, whole, images)
    rules.check_places(problems, root.entries("charts"), charts, (*images.values(), *derived), registry)
    files = [build_file(reader, node) for node in root.entries("files")]
    rules.check_unique(problems, "file", root.entries("files"))
    install = build_install(reader, root.get("install"))
    _check_install(problems, root, whole)
    if node := root.get("install"):
        check_repeats(problems, node, install, root.get("site"))
    return Spec(
        path=path,
        version=VERSION,
        bundle=bundle,
        registry=registry,
        hosts=hosts,
        images=tuple(images.values()),
        derived=derived,
        charts=tuple(charts),
        files=tuple(file for file in files if file),
        discovery=build_discovery(reader, root.get("discovery")),
        install=install,
        engine=cast("EngineKind", text(root.get("engine"), "none")),
        settings=build_settings(problems, root.get("site")),
    )


def _images(
    reader: Reader, root: Node, whole: Node, prefix: str, platform: Choice
) -> tuple[dict[str, ImageSpec], tuple[DerivedImageSpec, ...]]:
    """The images that are carried, and those that are made of them."""
    nodes = root.entries("images")
    carried = [node for node in nodes if not node.get("base")]
    built = [(node, image) for node in carried if (image := build_image(reader, node, prefix, platform))]
    images, known = {image.name: image for _, image in built}, named(whole.get("images"))
    made = [
        (node, derived)
        for node in nodes
        if node.get("base") and (derived := build_derived(reader, node, prefix, images, known))
    ]
    rules.check_unique(reader.problems, "image", nodes)
    rules.check_targets(reader.problems, (*built, *made), prefix)
    rules.check_engine(reader.problems, root.get("engine"), built)
    return images, tuple(derived for _, derived in made)


def _charts(reader: Reader, root: Node, whole: Node, images: Mapping[str, ImageSpec]) -> list[ChartSpec]:
    nodes = root.entries("charts")
    built = [(node, chart) for node in nodes if (chart := build_chart(reader, node))]
    rules.check_unique(reader.problems, "chart", nodes)
    for node, chart in built:
        rules.check_known(reader.problems, node.get("images"), named(whole.get("images")), "image")
        rules.check_versions(reader.problems, node, chart, images)
    return [chart for _, chart in built]


def _check_install(problems: Problems, root: Node, whole: Node) -> None:
    install, entire = root.get("install"), whole.get("install")
    if install is None or entire is None:
        return
    releases, actions = install.entries("releases"), install.entries("actions")
    steps = named(entire.get("releases")) | named(entire.get("actions"))
    charts = named(whole.get("charts"))
    for release in releases:
        rules.check_known(problems, release.get("chart"), charts, "chart")
    if backup := install.get("backup"):
        names = named(entire.get("releases"))
        rules.check_known(problems, backup.get("before_upgrade"), names, "release")
        rules.check_unique(problems, "backup command", backup.entries("commands"))
    for step in (*releases, *actions):
        for key in ("needs", "after"):
            rules.check_known(problems, step.get(key), steps, "release or action")
    rules.check_unique(problems, "release or action", (*releases, *actions))
    rules.check_unique(problems, "secret", install.entries("secrets"))
    ordered = named(install.get("releases")) | named(install.get("actions"))
    rules.check_order(problems, ordered)
    rules.check_outputs(problems, ordered, install.entries("checks"))
    rules.check_uses(problems, install)
