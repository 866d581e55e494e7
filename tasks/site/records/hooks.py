"""Tell the site's programs and webhooks how an install ended; one that fails is a warning and nothing else."""

from collections.abc import Mapping
from pathlib import Path

from bundle.errors import AirgapError, FormatError, ProgramError
from bundle.formats.strict_json import canonical
from clients.programs.process import masked, run
from schema.site.hooks import Hook
from tasks.site.receiver import Receiver
from tasks.site.records.history import HistoryEntry

SECONDS = 30.0  # for one hook
_ANSWER = 64 * 1024  # bytes, of which none is used
_EVENTS = {"done": "installed", "failed": "failed"}
_INSTALLS = ("install", "upgrade", "downgrade")


def call_hooks(receiver: Receiver, entry: HistoryEntry, *, seconds: float = SECONDS) -> None:
    """Give the entry as JSON to each hook of its event: a command on its standard input, a webhook as the body.

    A rehearsal tells nobody. The commands start in the site file's directory.
    """
    if entry.what not in _INSTALLS or receiver.options.rehearsal or receiver.options.site is None:
        return
    record = canonical(entry.to_dict(), escaped=True) + b"\n"
    for hook in receiver.site_file.hooks.get(_EVENTS.get(entry.result, ""), ()):
        try:
            if hook.command:
                _start(hook, record, receiver.options.site.parent, receiver.project.env, seconds)
            else:
                _post(receiver, hook, record, seconds)
        except AirgapError as err:
            told = masked(str(err), receiver.known)
            receiver.project.console.problem(f"warning: hook {hook.label!r} failed: {told}")


def _start(hook: Hook, record: bytes, place: Path, env: Mapping[str, str], seconds: float) -> None:
    subject = f"hook {hook.label!r}"
    argv = [str(place / hook.command[0]) if "/" in hook.command[0] else hook.command[0], *hook.command[1:]]
    done = run(argv, subject=subject, timeout=seconds, stdin=record, env=env, cwd=place)
    if done.code != 0:
        raise ProgramError(f"{subject} ended with {done.code}: {done.stderr.strip()[-300:] or 'no error message'}")


def _post(receiver: Receiver, hook: Hook, record: bytes, seconds: float) -> None:
    from clients.http.transport import Transport  # few sites have one

    url = hook.url or receiver.known.add(receiver.project.env.get(hook.variable, "")).reveal()
    if not url.startswith(("https://", "http://")):
        raise FormatError(f"{hook.label} holds no address of the web", hint="export it before install: https://...")
    headers = {"Content-Type": "application/json"}
    each, env = seconds / 3, receiver.project.env  # to connect, to wait for the answer, and to read it
    web = Transport({}, pool_size=1, connect_timeout=each, read_timeout=each, answer_timeout=each, environment=env)
    with web:
        web.attempt("POST", url, subject=f"hook {hook.label!r}", headers=headers, limit=_ANSWER, body=record)
