"""`ssh-keygen`, which makes and checks signatures: by key files, by keys of an agent, by hardware tokens."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from bundle.errors import MissingToolError, ProgramError, storage_errors
from bundle.signing.signers import Signers
from bundle.signing.ssh_signature import NAMESPACE
from bundle.signing.trust import SignedData
from bundle.storage.scratch import scratch_directory, temporary_place
from clients.programs.process import Completed, find_program, run

_SIGNING = 900.0  # seconds; somebody may have to find the token, or the passphrase
_CHECKING = 60.0  # seconds
_PASSPHRASE = re.compile(r"passphrase", re.IGNORECASE)
_NO_AGENT = re.compile(r"agent|no private key found", re.IGNORECASE)
_TOO_OLD = re.compile(r"unknown option|illegal option|invalid option|unsupported operation", re.IGNORECASE)


class SshKeygen:
    """The machine's ssh-keygen; a MissingToolError where there is none."""

    def __init__(self, env: Mapping[str, str]) -> None:
        try:
            self._program = find_program("ssh-keygen", path=env.get("PATH"))
        except MissingToolError as err:
            hint = "install OpenSSH's client (openssh-client, openssh-clients), 8.2 or later"
            raise MissingToolError(err.what, hint=hint) from err
        self._env = env

    def sign(self, message: Path, key: Path, *, place: Path, interactive: bool, say: Callable[[str], None]) -> bytes:
        """The armoured signature over a file. `key` is a private key, or the public one of an agent or a token.

        What ssh-keygen asks for (a passphrase, a touch) reaches the terminal when `interactive`; else whoever would be
        asked is a ProgramError. `place` is a directory of ours, on which the message can be linked.
        """
        if not key.is_file():
            raise ProgramError(
                f"there is no key {str(key)!r}",
                hint="name a key file: bundle.sign.key of the spec, or key=FILE for doit approve",
            )
        with storage_errors("sign", place), scratch_directory(place, "sign-") as private:
            copy = private / message.name
            copy.symlink_to(message.resolve())
            argv = [str(self._program), "-Y", "sign", "-n", NAMESPACE, "-f", str(key), str(copy)]
            done = self._run(argv, timeout=_SIGNING, terminal=interactive, say=say)
            made = copy.with_name(f"{copy.name}.sig")
            if done.code != 0 or not made.is_file():
                raise _not_signed(done, key, interactive=interactive)
            return made.read_bytes()

    def accepts(self, data: SignedData, signers: Signers) -> bool:
        """Whether ssh-keygen takes the signature for the signer's, by the same list; ProgramError when it can't tell.

        False says that it is not over the message: who may sign was looked at before.
        """
        place = temporary_place()
        with storage_errors("check a signature", place), scratch_directory(place, "airgap-sign-") as private:
            listed, signature = private / "signers", private / "signature"
            listed.write_bytes(signers.raw)
            signature.write_bytes(data.armored)
            argv = [str(self._program), "-Y", "verify", "-n", NAMESPACE, "-f", str(listed), "-s", str(signature)]
            argv += ["-I", data.signer.identity]
            done = self._run(argv, timeout=_CHECKING, stdin=data.message)
        if done.code == 0:
            return True
        if _TOO_OLD.search(done.stderr):
            raise MissingToolError(f"{self._program} is older than OpenSSH 8.2", hint="install a newer one")
        return False

    def _run(
        self,
        argv: list[str],
        *,
        timeout: float,
        stdin: bytes | None = None,
        terminal: bool = False,
        say: Callable[[str], None] | None = None,
    ) -> Completed:
        told = say if terminal else None
        env = {**os.environ, **self._env, "LC_ALL": "C"}
        return run(
            argv, subject="sign", timeout=timeout, stdin=stdin, terminal=terminal, on_output=told, env=env, tied=False
        )


def _not_signed(done: Completed, key: Path, *, interactive: bool) -> ProgramError:
    said = " ".join(done.stderr.split()) or f"exit code {done.code}"
    what = f"ssh-keygen made no signature with {str(key)!r}: {said}"
    if _PASSPHRASE.search(said):
        if interactive:
            return ProgramError(what, hint="run again, and give the key's passphrase")
        return ProgramError(
            f"the key {str(key)!r} has a passphrase, and there is no terminal to ask for it",
            hint=f"load it before: ssh-add {key}; and name its public key: sign: {{key: {key.name}.pub}}",
        )
    if _NO_AGENT.search(said):
        return ProgramError(what, hint=f"its private key is in no agent: start ssh-agent, and ssh-add {key.stem}")
    return ProgramError(what, hint="try it by hand: ssh-keygen -Y sign -n file -f KEY FILE")
