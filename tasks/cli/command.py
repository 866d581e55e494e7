"""What all of our commands do alike: a wrong option is told in one line, and a reader that has had enough ends them."""

import os
from getopt import GetoptError
from typing import Any

from doit.cmd_base import Command
from doit.cmdparse import CmdParseError

from tasks.runtime.console import flush

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
            raise CmdParseError(f"{err.__context__}; `doit help {self.name}` lists the options") from None
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still to be written at the exit has no reader either
            return _PIPE_CLOSED
        return result
