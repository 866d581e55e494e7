"""Lists of images, as vendors hand them out: `{list: images.txt}` stands for an entry for each of its lines."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bundle.errors import FormatError
from bundle.oci.reference import Reference
from schema.syntax.document import Node
from schema.syntax.problems import Problems

_PASSED_ON = ("platform", "keep_path", "referrers", "verify")
_MAX_LIST = 4 * 1024 * 1024  # bytes


def expand_lists(root: Node, base: Path, problems: Problems) -> Node:
    """The document with an entry of `images` for each image that a list names, in its order; paths relative to `base`.

    An image is called by the last part of its path where no other has that, else by more of it. Findings go to
    `problems`, and a list that can't be read stands for nothing.
    """
    images = root.get("images")
    if images is None or not any(node.get("list") for node in images.items()):
        return root
    taken = {str(name.value).lower() for node in images.items() if (name := node.get("name"))}
    entries: list[Node] = []
    for node in images.items():
        place = node.get("list")
        entries += [node] if place is None else _expanded(node, place, base, taken, problems)
    return replace(root, value={**root.members(), "images": replace(images, value=entries)})


def _expanded(node: Node, place: Node, base: Path, taken: set[str], problems: Problems) -> Iterator[Node]:
    for key, member in node.members().items():
        if key not in ("list", *_PASSED_ON):
            what = f"a list of images takes no {key!r}"
            problems.add((member.key or member.place), what, expected=f"list, {', '.join(_PASSED_ON)}")
    if not isinstance(place.value, str):
        problems.add(place.place, "'list' is no text", expected="the path of a file with one image a line")
        return
    path = base / place.value
    references = _read(path, place, problems)
    more = {key: node.members()[key] for key in _PASSED_ON if key in node.members()}
    for reference, name in zip(references, _names(references, taken), strict=True):
        members = {"name": replace(place, value=name), "source": replace(place, value=str(reference))}
        yield replace(node, value={**members, **more})


def _read(path: Path, place: Node, problems: Problems) -> list[Reference]:
    """The images that a file names: one a line; what follows a # is a comment."""
    try:
        text = path.read_text("utf-8-sig") if path.stat().st_size <= _MAX_LIST else None
    except (OSError, UnicodeDecodeError) as err:
        reason = (err.strerror or "").lower() if isinstance(err, OSError) else "it is no UTF-8"
        hint = f"paths are relative to {problems.file}'s directory"
        problems.add(place.place, f"the list {str(path)!r} can't be read: {reason}", hint=hint)
        return []
    if text is None:
        problems.add(place.place, f"the list {str(path)!r} has more than {_MAX_LIST} bytes")
        return []
    found: dict[Reference, None] = {}
    for number, line in enumerate(text.splitlines(), 1):
        written = line.partition("#")[0].strip()
        if not written:
            continue
        try:
            found.setdefault(Reference.parse(written))
        except FormatError as err:
            problems.add(place.place, f"{path.name}:{number}: {err.what}", hint=err.hint)
    return list(found)


def _names(references: Sequence[Reference], taken: set[str]) -> Iterator[str]:
    """A name for each: as much of its path, tag and host, from the end of the path on, as no other has."""
    choices = [list(_choices(each)) for each in references]
    often = Counter(choice for each in choices for choice in set(each))
    for each in choices:
        free = (choice for choice in each if often[choice] == 1 and choice not in taken)
        yield next(free, each[-1])


def _choices(reference: Reference) -> Iterator[str]:
    parts = reference.path.split("/")
    for count in range(1, len(parts) + 1):
        yield "-".join(parts[-count:])
    tag = reference.tag or (reference.digest.hex[:12] if reference.digest else "latest")
    yield f"{'-'.join(parts)}-{tag}".lower()
    yield f"{reference.host.replace(':', '-').strip('[]')}-{'-'.join(parts)}-{tag}".lower()
