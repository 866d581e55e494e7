"""A list of images, as products publish them: one a line, with comments, quotes, list marks or columns around."""

import re

from schema.drafts.draft import Draft

_MARKS = re.compile(r"^(?:[-*]\s+|image:\s*|docker pull\s+)+")
_OPENING = frozenset("#;")


def read_image_list(text: str, name: str) -> Draft:
    """The images of a list, each once, in its order."""
    draft = Draft(name=name)
    for line in text.lstrip("\ufeff").splitlines():
        plain = line.strip()
        if not plain or plain[0] in _OPENING:
            continue
        word = _MARKS.sub("", plain).split(" #")[0].strip()
        for part in word.split(","):
            item = part.strip().strip("\"'").removeprefix("docker://")
            if not item:
                continue
            if len(item.split()) > 1:
                draft.leave_out(f"line {plain!r}", "it is more than the name of an image")
            else:
                draft.add_image(item)
    return draft
