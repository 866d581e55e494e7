"""Keys and signatures by the real ssh-keygen, and an agent that holds keys."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.integration.parts import program, running

NAMESPACE = "airgap-bundle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key pair in files: `path` and `path`.pub."""

    path: Path

    @property
    def public(self) -> Path:
        """The public key's file."""
        return self.path.with_name(f"{self.path.name}.pub")

    def line(self, who: str = "release@example.com", options: str = "") -> str:
        """Its line in a list of signers."""
        kind, blob, *_ = self.public.read_text().split()
        return " ".join(filter(None, [who, options, kind, blob])) + "\n"

    def signers(self, place: Path, who: str = "release@example.com", options: str = "") -> Path:
        """A list of signers with this key only, as a file at `place`."""
        place.write_text(self.line(who, options))
        return place

    def sign(self, message: bytes, *, namespace: str = NAMESPACE, options: tuple[str, ...] = ()) -> bytes:
        """The armoured signature over a message."""
        argv = [program("ssh-keygen"), "-Y", "sign", "-n", namespace, *options, "-f", str(self.path)]
        return subprocess.run(argv, input=message, capture_output=True, check=True).stdout


def make_key(place: Path, *, kind: str = "ed25519", passphrase: str = "") -> Key:
    """Make a key pair at `place`."""
    place.parent.mkdir(parents=True, exist_ok=True)
    argv = [program("ssh-keygen"), "-q", "-t", kind, "-N", passphrase, "-C", "", "-f", str(place)]
    subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return Key(path=place)


def verify_by_hand(bundle: Path, signers: Path, who: str = "release@example.com") -> "subprocess.CompletedProcess[str]":
    """The two commands that manifest.txt prints, as one types them."""
    check = f"ssh-keygen -Y verify -f {signers} -I {who} -n {NAMESPACE} -s SHA256SUMS.sig < SHA256SUMS"
    return subprocess.run(
        ["sh", "-c", f"{check} && sha256sum -c SHA256SUMS"], cwd=bundle, capture_output=True, text=True, check=False
    )


@contextmanager
def agent(place: Path, *keys: Key) -> Iterator[Mapping[str, str]]:
    """An ssh-agent with these keys; gives what the environment must have to reach it."""
    socket = place / "agent"
    with running([program("ssh-agent"), "-D", "-a", str(socket)], place / "agent.log", ready=socket.exists):
        env = {"SSH_AUTH_SOCK": str(socket)}
        for key in keys:
            subprocess.run(
                [program("ssh-add"), "-q", str(key.path)],
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=True,
            )
        yield env
