"""What all commands do alike: a wrong word is told in one line, and a reader that has had enough ends them."""

import os
import shlex
import sys
import tempfile
import traceback
from getopt import GetoptError
from typing import Any

from doit.cmd_base import Command
from doit.cmdparse import CmdParseError
from doit.exceptions import InvalidCommand, InvalidDodoFile, InvalidTask

from bundle.errors import AirgapError
from bundle.formats.visible import one_line
from tasks.cli.suggest import unknown
from tasks.runtime.calling import CALLED, as_called
from tasks.runtime.console import Console, flush
from tasks.runtime.installation import missing_package
from tasks.runtime.version import VERSION

_FAILED, _BROKEN = 1, 2
_SHOWN = 300  # characters
_PIPE_CLOSED = 141  # as the shell tells of a program that SIGPIPE ended: 128 and its number


class PlainCommand(Command):  # type: ignore[misc]
    """Comes before doit's own class among the bases of a command."""

    def parse_execute(self, in_args: list[str]) -> Any:
        """Run the command as doit does and return its exit code; no exception but doit's own leaves it."""
        try:
            return self._run(in_args)
        except (CmdParseError, InvalidCommand, InvalidDodoFile, InvalidTask):
            raise
        except AirgapError as err:
            Console().problem(f"FAILED {self.name}: {err}")
            return _FAILED
        except Exception as err:
            details = "".join(traceback.format_exception(err))
            Console().problem(f"BROKEN {self.name}: {unforeseen(err, details)}")
            return _BROKEN

    def _run(self, in_args: list[str]) -> Any:
        try:
            result = super().parse_execute(in_args)
            flush()
        except CmdParseError as err:
            if not isinstance(err.__context__, GetoptError):
                raise
            raise CmdParseError(f"{err.__context__}; `{CALLED} help {self.name}` lists the options") from None
        except InvalidCommand as err:
            if err.not_found is None:
                raise
            steps = [task.name for task in getattr(self, "task_list", ())]
            raise InvalidCommand(unknown(err.not_found, steps)) from None
        except ModuleNotFoundError as err:
            missing = missing_package(err)
            if not missing:
                raise
            raise InvalidCommand(missing) from err
        except InvalidDodoFile as err:
            raise InvalidDodoFile(as_called(str(err))) from err
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still to be written at the exit has no reader either
            return _PIPE_CLOSED
        return result


class FlagsAnywhere(PlainCommand):
    """A command whose options, none of which takes a value, may come after the names too."""

    def parse_execute(self, in_args: list[str]) -> Any:
        """As doit does, with the options first."""
        return super().parse_execute(sorted(in_args, key=lambda arg: not arg.startswith("-")))


def unforeseen(cause: object, details: str) -> str:
    """What to say of a fault of this program: one line and the next step; its details go to a private file."""
    kind = f"{type(cause).__name__}: {cause}" if isinstance(cause, BaseException) else str(cause)
    shown = one_line(kind)
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
    python = ".".join(map(str, sys.version_info[:3]))
    try:
        handle, name = tempfile.mkstemp(prefix="airgap-fault-", suffix=".txt")
        with open(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"airgap {VERSION}, Python {python}, {sys.platform}\n{shlex.join(sys.argv)}\n\n{details}\n")
    except OSError as err:
        return f"this program has a fault: {shown}\n  next: its details could not be written down ({err.strerror})"
    return f"this program has a fault: {shown}\n  next: report it with {name}, which has the details; read it before"


def plain(kind: type[Command], purpose: str) -> type[Command]:
    """A command of doit's own, that does these things too."""
    return type(kind.__name__, (PlainCommand, kind), {"name": kind.get_name(), "doc_purpose": purpose})
