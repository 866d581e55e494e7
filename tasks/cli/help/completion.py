"""`completion`: what bash, zsh and fish complete, made of the tables of commands, step groups and variables."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from doit.cmd_base import Command
from doit.exceptions import InvalidCommand

from tasks.cli.command import PlainCommand
from tasks.cli.commands import COMMANDS, SCHEMAS
from tasks.cli.help.overview import UNLISTED
from tasks.runtime.calling import CALLED, SIDE
from tasks.runtime.console import Console
from tasks.runtime.groups import GROUPS
from tasks.runtime.variables import VARIABLES, Side

_OF_STEPS = ("run", "plan", "graph", "list", "info", "clean", "forget", "ignore")  # commands that take names of steps


def operands(name: str, side: Side) -> Sequence[str]:
    """The words besides variables that can follow a command or a step group."""
    groups = [each.name for each in GROUPS.values() if side in each.sides or side == "connected"]
    if name == "help":
        return [*starts(side), *(each for each in groups if each not in starts(side))]
    if name == "completion":
        return list(SHELLS)
    if name == "schema":
        return list(SCHEMAS)
    return groups if name in _OF_STEPS or name in GROUPS else []


def starts(side: Side) -> Sequence[str]:
    """What a command line can begin with: commands, and the step groups that people type."""
    commands = [each.name for each in COMMANDS.values() if side in each.sides and each.name not in UNLISTED]
    groups = [each.name for each in GROUPS.values() if each.main and (side in each.sides or side == "connected")]
    return [*groups, *commands]


def _words(name: str, side: Side) -> str:
    """What can follow, variables with their `=`."""
    listed = COMMANDS.get(name) or GROUPS[name]
    return " ".join([*operands(name, side), *(f"{each}=" for each in listed.variables)])


def _by_words(side: Side) -> Mapping[str, Sequence[str]]:
    """The commands and groups by what can follow them."""
    names = [each for each in (*COMMANDS, *GROUPS) if side in (COMMANDS.get(each) or GROUPS[each]).sides]
    if side == "connected":
        names += [each for each in GROUPS if each not in names]
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(_words(name, side), []).append(name)
    return found


def _paths() -> str:
    return "|".join(f"{each.name}=*" for each in VARIABLES.values() if each.is_path)


def _every() -> str:
    return " ".join(f"{each}=" for each in VARIABLES)


def _bash(program: str, side: Side) -> Iterator[str]:
    yield f"# bash completion: source <({CALLED} completion bash)"
    yield "_airgap_words() {"
    yield "    local line=${COMP_LINE:0:COMP_POINT} cur value command= word names i"
    yield "    cur=${line##*[[:space:]]} value=${line##*=}"
    yield "    local key=${cur%%=*}= ; [[ $COMP_WORDBREAKS == *=* ]] && key="
    yield "    local IFS=$'\\n'"
    yield "    COMPREPLY=()"
    yield "    case $cur in"
    for each in VARIABLES.values():
        if each.values:
            yield f"        {each.name}=*) IFS=' '; names='{' '.join(each.values)}' ;;"
    yield f"        {_paths()})"
    yield '            COMPREPLY=($(compgen -P "$key" -f -- "$value")); compopt -o filenames 2>/dev/null; return ;;'
    yield "        *=*) return ;;"
    yield "    esac"
    yield "    if [[ $cur == *=* ]]; then"
    yield '        COMPREPLY=($(IFS=$\'\\n \'; compgen -P "$key" -W "$names" -- "$value")); return'
    yield "    fi"
    yield "    IFS=$' \\t\\n'"
    yield '    for word in ${line%"$cur"}; do'
    yield "        ((i++)) && [[ $word != *=* && $word != -* ]] && { command=$word; break; }"
    yield "    done"
    yield "    case $command in"
    yield f"        '') names='{' '.join(starts(side))} {_every()}' ;;"
    for words, names in _by_words(side).items():
        yield f"        {'|'.join(names)}) names='{words}' ;;"
    yield f"        *) names='{_every()}' ;;"
    yield "    esac"
    yield '    COMPREPLY=($(compgen -W "$names" -- "$cur"))'
    yield "    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null"
    yield "    return 0"
    yield "}"
    yield f"complete -F _airgap_words {program}"


def _zsh(program: str, side: Side) -> Iterator[str]:
    yield f"#compdef {program}"
    yield f"# zsh completion: source <({CALLED} completion zsh), after compinit"
    yield "_airgap_words() {"
    yield "    local word command=''"
    yield "    local -a names"
    yield "    case $PREFIX in"
    for each in VARIABLES.values():
        if each.values:
            yield f"        {each.name}=*) compset -P '*='; compadd -- {' '.join(each.values)}; return ;;"
    yield f"        {_paths()}) compset -P '*='; _files; return ;;"
    yield "        *=*) return 1 ;;"
    yield "    esac"
    yield "    for word in ${words[2,CURRENT-1]}; do"
    yield "        [[ $word != *=* && $word != -* ]] && { command=$word; break }"
    yield "    done"
    yield "    case $command in"
    yield f"        '') names=({' '.join(starts(side))} {_every()}) ;;"
    for words, names in _by_words(side).items():
        yield f"        {'|'.join(names)}) names=({words}) ;;"
    yield f"        *) names=({_every()}) ;;"
    yield "    esac"
    yield "    compadd -S '' -- ${(M)names:#*=}"
    yield "    compadd -- ${names:#*=}"
    yield "}"
    yield f"compdef _airgap_words {program}"


def _fish(program: str, side: Side) -> Iterator[str]:
    yield f"# fish completion: {CALLED} completion fish | source"
    yield "function __airgap_command"
    yield "    for word in (commandline -opc)[2..]"
    yield "        string match -qr -- '=|^-' $word; or begin; echo $word; return; end"
    yield "    end"
    yield "end"
    yield "function __airgap_paths"
    yield "    set -l parts (string split -m 1 = -- (commandline -ct))"
    yield "    for path in $parts[2]*"
    yield "        test -d $path; and set path $path/"
    yield "        echo $parts[1]=$path"
    yield "    end"
    yield "end"
    yield "function __airgap_after"
    yield "    string match -q -- '*=*' (commandline -ct); and return 1"
    yield "    contains -- (__airgap_command) $argv"
    yield "end"
    at = f"complete -c {program}"
    yield f"{at} -f"
    first = 'test -z (__airgap_command); and not string match -q -- "*=*" (commandline -ct)'
    for name in starts(side):
        purpose = (COMMANDS.get(name) or GROUPS[name]).purpose.replace("'", "\\'")
        yield f"{at} -n '{first}' -a {name} -d '{purpose}'"
    yield f"{at} -n '{first}' -a '{_every()}'"
    for words, names in _by_words(side).items():
        yield f"{at} -n '__airgap_after {' '.join(names)}' -a '{words}'"
    for each in VARIABLES.values():
        if each.values:
            values = " ".join(f"{each.name}={value}" for value in each.values)
            yield f"{at} -n 'string match -q -- \"{each.name}=*\" (commandline -ct)' -a '{values}'"
    pattern = "|".join(each.name for each in VARIABLES.values() if each.is_path)
    yield f"{at} -n 'string match -qr -- \"^({pattern})=\" (commandline -ct)' -a '(__airgap_paths)'"


SHELLS: Mapping[str, Callable[[str, Side], Iterator[str]]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}


class Completion(PlainCommand, Command):  # type: ignore[misc]
    """Prints the script. It needs no project."""

    name = "completion"
    doc_purpose = COMMANDS["completion"].purpose
    doc_usage = "bash|zsh|fish"
    doc_description = "The script completes the name by which this program was called: airgap, doit or airgap.pyz."

    def execute(self, opt_values: Any, pos_args: list[str]) -> int:
        """Print the script of the one shell that was named."""
        if len(pos_args) != 1 or pos_args[0] not in SHELLS:
            raise InvalidCommand(f"name a shell: {CALLED} completion {'|'.join(SHELLS)}")
        program = CALLED.rpartition("/")[2].rpartition(" ")[2]
        for line in SHELLS[pos_args[0]](program, SIDE):
            Console().line(line)
        return 0
