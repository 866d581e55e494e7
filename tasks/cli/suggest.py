"""What is said of a word that is no command and no step: the nearest one, or where it can be typed."""

from collections.abc import Iterable
from difflib import get_close_matches

from tasks.cli.commands import COMMANDS
from tasks.runtime.calling import CALLED, NAME, SIDE
from tasks.runtime.groups import GROUPS
from tasks.runtime.variables import Side


def unknown(word: str, steps: Iterable[str], *, side: Side = SIDE, program: str = CALLED) -> str:
    """The message on a word of the command line that names nothing here; `steps` are the names that are known."""
    base = word.partition(":")[0]
    known = {name: each.purpose for table in (COMMANDS, GROUPS) for name, each in table.items() if side in each.sides}
    listed = COMMANDS.get(base) or GROUPS.get(base)
    if listed and side == "air-gapped" and base not in known:
        return f"{word!r} is for the connected side: {listed.purpose}\n  next: type it there: {NAME} {word}"
    if word in GROUPS:
        return f"{word!r} needs a bundle: {GROUPS[word].purpose}\n  next: {program} {word} bundle=PATH"
    close = get_close_matches(word, sorted({*known, *steps}), 1)
    kind = "step" if ":" in word else "command or step"
    if close:
        return f"there is no {kind} {word!r}; did you mean {close[0]!r}?\n  next: {program} help {close[0]}"
    more = f"{program} list --all shows the steps" if ":" in word else f"{program} help shows the commands"
    return f"there is no {kind} {word!r}\n  next: {more}"
