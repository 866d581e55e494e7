"""A spec's own steps: the command with its names resolved, when it has to run again, and what it prints."""

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from bundle.errors import FormatError, ProgramError, SpecError, storage_errors
from bundle.formats import strict_json
from bundle.secret import KnownSecrets, Secret
from schema.site.lookup import remember
from schema.site.secrets import secret_object
from schema.spec.carried import command_files
from schema.spec.install import DEFAULT_TIMEOUT, ActionSpec
from schema.syntax import template
from schema.syntax.problems import did_you_mean
from schema.values.file import Lookup
from schema.values.rendered import digest

_KEY = re.compile(r"[A-Za-z0-9_.-]+")
_SALT_BYTES = 16
_SHOWN_LINES = 20  # of a failed action's standard error


class EndedProgram(Protocol):
    """How a program ended: its exit code (negative: a signal), its output and the end of its errors."""

    @property
    def code(self) -> int: ...
    @property
    def stdout(self) -> bytes: ...
    @property
    def stderr(self) -> str: ...


class ActionRunner(Protocol):
    """Runs a program to its end, `env` being its whole environment; ProgramError when it can't, or is out of time."""

    def __call__(
        self, argv: Sequence[str], *, subject: str, timeout: float, env: Mapping[str, str], cwd: Path
    ) -> EndedProgram: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionCall:
    """One action, ready to run in `cwd`; `env` is what it gets besides the environment. `files` are digests by path."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    inputs: tuple[str, ...] = field(repr=False)
    files: Mapping[str, str]
    cwd: Path
    has_outputs: bool
    secret_outputs: tuple[str, ...] | None = None

    @classmethod
    def of(cls, action: ActionSpec, lookup: Lookup, *, base: Path) -> Self:
        """Resolve an action of the spec in directory `base`; a SpecError lists the names that have no value."""
        problems: list[str] = []

        def text(written: str, where: str) -> str:
            try:
                found = template.in_text(template.render(template.parse(written), lookup))
            except FormatError as err:
                problems.append(f"{where}: {err.what}; {err.hint}" if err.hint else f"{where}: {err.what}")
                return ""
            if "\0" in found:
                problems.append(f"{where}: it holds a zero byte, which no program can be given")
            return found

        argv = [text(item, "'run'") for item in action.run]
        env = {key: text(item, f"'env' {key}") for key, item in action.env.items()}
        inputs = [text(item, "'inputs'") for item in action.inputs]
        if problems:
            raise SpecError(f"action {action.name!r} can't run:", problems)
        if "/" in argv[0] and (base / argv[0]).is_file():
            argv[0] = str((base / argv[0]).absolute())
        files = {
            path.relative_to(base).as_posix(): _sha256(path, action.name) for path in command_files(action.run, base)
        }
        return cls(
            name=action.name,
            argv=tuple(argv),
            env=env,
            inputs=tuple(inputs),
            files=files,
            cwd=base,
            has_outputs=bool(action.outputs),
            secret_outputs=action.secret_outputs,
        )

    def digest(self, key: bytes) -> str:
        """Changes when the command, its files, its env or its inputs do; see rendered.digest for the key."""
        argv = [self.argv[0].removeprefix(f"{self.cwd.absolute()}/"), *self.argv[1:]]
        return digest([argv, dict(self.env), list(self.inputs), dict(self.files)], key)


def run_action(
    call: ActionCall,
    runner: ActionRunner,
    known: KnownSecrets,
    *,
    environ: Mapping[str, str],
    mask: Callable[[str], str],
    timeout: float = DEFAULT_TIMEOUT,
) -> Mapping[str, Any]:
    """Run it and return its outputs (none unless it has some); those that are secrets count as such from here on.

    `timeout` in seconds. ProgramError when it fails, its standard error masked; FormatError for wrong outputs.
    """
    subject = f"action {call.name!r}"
    try:
        done = runner(call.argv, subject=subject, timeout=timeout, env={**environ, **call.env}, cwd=call.cwd)
    except ProgramError as err:
        raise type(err)(mask(err.what), hint=err.hint) from None  # the cause quotes what was not masked
    if done.code:
        ended = f"exited with {done.code}" if done.code > 0 else f"was ended by signal {-done.code}"
        said = "".join(f"\n    {line}" for line in mask(done.stderr).strip().splitlines()[-_SHOWN_LINES:])
        hint = "run install again when the cause is gone; what is done stays done"
        raise ProgramError(f"{subject}: {Path(call.argv[0]).name} {ended}{said}", hint=hint)
    if not call.has_outputs:
        return {}
    outputs = parse_outputs(done.stdout, call.name)
    for key in outputs if call.secret_outputs is None else call.secret_outputs:
        if key not in outputs:  # a slip in its name would show the secret
            hint = did_you_mean(key, outputs) or "correct `secret` of its `outputs` in the spec"
            raise FormatError(f"{subject}: it printed no {key!r}, which the spec calls a secret", hint=hint)
        remember(outputs[key], known)
    return outputs


def parse_outputs(stdout: bytes, action: str) -> Mapping[str, Any]:
    """Read what an action with `outputs: json` printed: one JSON object. The FormatErrors never repeat it."""
    subject, hint = f"action {action!r}", "print one JSON object on standard output, and all else on standard error"
    try:
        found = strict_json.exact(stdout.decode())
    except json.JSONDecodeError as err:
        what = "nothing" if not stdout.strip() else f"no JSON: {err.msg} (line {err.lineno}, column {err.colno})"
        raise FormatError(f"{subject} printed {what}", hint=hint) from None  # the cause holds the output
    except UnicodeDecodeError:
        raise FormatError(f"{subject} printed no UTF-8 text", hint=hint) from None
    except ValueError as err:
        raise FormatError(f"{subject} printed JSON with {err}", hint=hint) from err
    except RecursionError:
        raise FormatError(f"{subject} printed JSON that is nested too deeply", hint=hint) from None
    if not isinstance(found, dict):
        raise FormatError(f"{subject} printed JSON that is no object", hint=hint)
    if odd := sum(not _KEY.fullmatch(key) for key in found):
        what = f"{subject} printed {odd} key{'s' if odd > 1 else ''} that ${{output.{action}.KEY}} can't name"
        raise FormatError(what, hint="use letters, digits, '.', '_' and '-'")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRecord:
    """That an action has run and what it printed, kept as a Secret in the cluster, so that any machine knows it.

    `mark` is the digest of its call under `salt`.
    """

    name: str
    outputs: Mapping[str, Any] = field(repr=False)
    salt: bytes = field(repr=False)
    mark: str

    @classmethod
    def of(cls, call: ActionCall, outputs: Mapping[str, Any]) -> Self:
        """The record of a call that has just succeeded."""
        salt = secrets.token_bytes(_SALT_BYTES)
        return cls(name=call.name, outputs=outputs, salt=salt, mark=call.digest(salt))

    def covers(self, call: ActionCall) -> bool:
        """Whether this very call has run, so that it need not again."""
        return self.name == call.name and self.mark == call.digest(self.salt)

    @classmethod
    def from_contents(cls, name: str, contents: Mapping[str, Secret]) -> Self:
        """Read the contents of its Secret, as secret_objects.read_object gives them; FormatError for others."""
        try:
            return cls(
                name=name,
                outputs=parse_outputs(contents["outputs"].reveal().encode(), name),
                salt=bytes.fromhex(contents["salt"].reveal()),
                mark=contents["mark"].reveal(),
            )
        except (KeyError, ValueError) as err:
            hint = f"delete it, and action {name!r} runs again"
            raise FormatError(f"secret {record_name(name)!r} is no record of an action", hint=hint) from err

    def to_object(self, namespace: str, known: KnownSecrets) -> Mapping[str, Any]:
        """Its Secret object."""
        texts = {"outputs": json.dumps(self.outputs, sort_keys=True), "salt": self.salt.hex(), "mark": self.mark}
        return secret_object(record_name(self.name), namespace, {key: known.add(text) for key, text in texts.items()})


def record_name(action: str) -> str:
    """The name of the Secret that holds an action's record."""
    return f"airgap-action-{action}"


def _sha256(path: Path, action: str) -> str:
    with storage_errors(f"read what action {action!r} runs", path):
        return hashlib.sha256(path.read_bytes()).hexdigest()
