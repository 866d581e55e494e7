"""What is known inside: the one place that says what a `${...}` of values, secrets and actions stands for."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bundle.errors import FormatError, storage_errors
from bundle.secret import KnownSecrets, Secret
from schema.site.image_names import ImageNames
from schema.site.site import Site
from schema.syntax.problems import did_you_mean, listed
from schema.syntax.template import Name

MAX_FILE = 1024 * 1024  # bytes; Kubernetes keeps no larger secret (api core/v1 MaxSecretSize)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Resolves names of every space but `vars`, as a Lookup.

    `directory` is where the paths of `${file.PATH}` begin. `secrets` are those that stand for one value, `outputs` the
    members of what each action printed, of which `secret_outputs` names the secret ones (all where it names none). What
    comes from env, file, secret and a secret output is remembered in `known`.
    """

    images: ImageNames
    site: Site
    env: Mapping[str, str] = field(repr=False)
    directory: Path
    known: KnownSecrets
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    outputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    secret_outputs: Mapping[str, Collection[str]] = field(default_factory=dict)

    def __call__(self, name: Name) -> Any:
        """The value with its type; a FormatError lists the known names when there is none."""
        match name.space:
            case "image":
                return self.images.value(name)
            case "site":
                return self.site.value(name)
            case "env":
                return self._secret(self._env(name))
            case "file":
                return self._secret(read_secret_file(self.directory / name.rest, name))
            case "secret":
                return self._secret(_member(self.secrets, name.rest, name, "secret").reveal())
            case "output":
                return self._output(name)
        raise FormatError(f"{name} has no value here", hint="vars are known in the spec only")

    def _env(self, name: Name) -> str:
        if name.rest not in self.env:
            raise FormatError(
                f"undefined {name}: the environment has no {name.rest}", hint=f"set it before: export {name.rest}=..."
            )
        return self.env[name.rest]

    def is_secret(self, name: Name) -> bool:
        """Whether the value of a name that has one is a secret."""
        if name.space != "output":
            return name.space in ("env", "file", "secret")
        secret = self.secret_outputs.get(name.subject, (name.part,))
        printed = self.outputs.get(name.subject, {})
        return name.part in secret or not printed.keys() >= set(secret)  # one that is not there may be misspelt

    def _output(self, name: Name) -> Any:
        printed = _member(self.outputs, name.subject, name, "action with outputs")
        value = _member(printed, name.part, name, "output")
        if self.is_secret(name):
            remember(value, self.known)
        return value

    def _secret(self, value: str) -> str:
        self.known.add(value)
        return value


def without(facts: Facts, settings: Collection[str]) -> Callable[[Name], Any]:
    """The same lookup without these settings: a FormatError for each of them, as for one that is missing."""

    def lookup(name: Name) -> Any:
        if name.space == "site" and name.rest in settings:
            raise FormatError(f"{name} is not as declared")
        return facts(name)

    return lookup


def remember(value: Any, known: KnownSecrets) -> None:
    """Take every text in a JSON value as secret."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            remember(item, known)
    elif value is not None and not isinstance(value, bool):
        known.add(str(value))


def read_secret_file(path: Path, name: Name) -> str:
    """The text of a file without one newline at its end; a FormatError when it is not there, too large or no text."""
    with storage_errors(f"read {name}", path):
        try:
            with path.open("rb") as file:
                data = file.read(MAX_FILE + 1)
        except (FileNotFoundError, IsADirectoryError) as err:
            hint = "paths are relative to the directory that install is started in"
            raise FormatError(f"{name}: there is no file {str(path)!r}", hint=hint) from err
    if len(data) > MAX_FILE:
        raise FormatError(f"{name}: {str(path)!r} has more than {MAX_FILE} bytes; Kubernetes keeps no larger secret")
    try:
        text = data.decode()
    except UnicodeDecodeError as err:
        raise FormatError(f"{name}: {str(path)!r} is not UTF-8 text", hint="encode it as base64") from err
    return text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")


def _member(members: Mapping[str, Any], key: str, name: Name, kind: str) -> Any:
    if key not in members:
        what = f"{name}: no {kind} is called {key!r}; expected {listed(members)}"
        raise FormatError(what, hint=did_you_mean(key, members))
    return members[key]
