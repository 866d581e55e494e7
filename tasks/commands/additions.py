"""Entries become part of a spec, which is written whole or not at all: for `doit images --add` and `doit adopt`."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bundle.errors import FormatError, SpecError, storage_errors
from bundle.oci.reference import Reference
from bundle.storage.files import temporary
from clients.charts.images import FoundImage
from schema.edit import NewImage, add_images
from schema.loading.load import load
from schema.spec.spec import Spec


def lacking(spec: Spec, missing: Iterable[FoundImage]) -> Sequence[NewImage]:
    """An entry for each missing image, with a name and a target that no other image has.

    Left out are those that have no source to take them from: below the internal registry, with a place that only the
    site knows, or no reference at all.
    """
    prefix = Reference.parse(f"{spec.registry.prefix}/image").repository.removesuffix("image")
    names = {image.name.lower() for image in spec.images}
    targets = {str(image.target).removeprefix(prefix) for image in spec.images}
    new: dict[str, NewImage] = {}
    for reference in (each.reference for each in missing):
        if reference is None or reference.repository.startswith(prefix) or reference.host.endswith(".invalid"):
            continue
        source = _source(reference)
        if source in new:
            continue
        name = _free(reference.name, reference.path.replace("/", "-"), names)
        usual = f"{reference.name}:{_tag(reference)}"
        target = "" if usual not in targets else f"{reference.path}:{_tag(reference)}"
        new[source] = NewImage(name=name, source=source, target=target)
        names.add(name.lower())
        targets.add(target or usual)
    return tuple(new.values())


def add_to_spec(path: Path, new: Sequence[NewImage]) -> Sequence[NewImage]:
    """Add the images to the spec file and return them; a spec that would not load any more stays as it was."""
    if new:
        rewrite_spec(path, lambda text: add_images(text, new))
    return new


def rewrite_spec(path: Path, change: Callable[[str], str], *, new: str = "") -> None:
    """Change the text of a spec file, or make the file from `new`; one that would not load stays as it was."""
    real = path.resolve()
    with storage_errors("write the spec", real):
        text = new or real.read_bytes().decode("utf-8")
        changed = temporary(real)
        try:
            with changed.open("xb") as file:
                file.write(change(text).encode())
                file.flush()
                os.fsync(file.fileno())
            _check(changed, path.name)
            if not new:
                changed.chmod(real.stat().st_mode)
            changed.replace(real)
        finally:
            changed.unlink(missing_ok=True)


def _check(changed: Path, name: str) -> None:
    try:
        load(changed)
    except SpecError as err:
        problems = [problem.replace(changed.name, name) for problem in err.problems]
        raise SpecError(f"with these entries {name} would not load:", problems, hint="add them by hand") from err


def _source(reference: Reference) -> str:
    if reference.digest:
        return f"{reference.repository}@{reference.digest}"
    return f"{reference.repository}:{_tag(reference)}"


def _tag(reference: Reference) -> str:
    """The tag that the image gets inside, as the spec takes it from the source."""
    return f"digest-{reference.digest.hex[:12]}" if reference.digest else reference.tag or "latest"


def _free(name: str, longer: str, taken: set[str]) -> str:
    """A name that nothing has yet: the last component of the path, the whole path, or that with a number."""
    for candidate in (name, longer, *(f"{longer}-{number}" for number in range(2, len(taken) + 3))):
        if candidate not in taken:
            return candidate
    raise FormatError(f"no name is free for image {name!r}")
