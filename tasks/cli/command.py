"""What all commands do alike: a wrong word is told in one line, and a reader that has had enough ends them."""

import os
from getopt import GetoptError
from typing import Any

from doit.cmd_base import Command
from doit.cmdparse import CmdParseError
from doit.exceptions import InvalidCommand, InvalidDodoFile

from tasks.cli.suggest import unknown
from tasks.runtime.calling import CALLED, as_called
from tasks.runtime.console import flush
from tasks.runtime.installation import missing_package

_PIPE_CLOSED = 141  # as the shell tells of a program that SIGPIPE ended: 128 and its number


class PlainCommand(Command):  # type: ignore[misc]
    """Comes before doit's own class among the bases of a command."""

    def parse_execute(self, in_args: list[str]) -> Any:
        """Run the command as doit does and return its exit code."""
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


def plain(kind: type[Command], purpose: str) -> type[Command]:
    """A command of doit's own, that does these things too."""
    return type(kind.__name__, (PlainCommand, kind), {"name": kind.get_name(), "doc_purpose": purpose})
