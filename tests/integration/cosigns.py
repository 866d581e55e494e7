"""The real cosign, which signs what tests carry and looks at what arrived."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from bundle.oci.digest import Digest
from tests.integration.parts import CommandError, PartError

# There is no transparency log here to be written to, and registries on loopback speak no TLS.
_SIGN = ("--tlog-upload=false", "--use-signing-config=false", "--allow-insecure-registry", "--yes")
_VERIFY = ("--insecure-ignore-tlog", "--allow-insecure-registry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosign:
    """cosign with nobody's settings and a pair of keys of its own, `cosign.key` and `cosign.pub` in `home`."""

    program: str
    home: Path

    @classmethod
    def make(cls, home: Path) -> Self:
        """A new pair of keys in `home`; a PartError when there is no cosign."""
        program = os.environ.get("COSIGN") or shutil.which("cosign")
        if not program:
            raise PartError("cosign is not here: COSIGN is not set (tools/cosign prints what it has to be)")
        made = cls(program=program, home=home)
        made.run("generate-key-pair")
        return made

    @property
    def public_key(self) -> Path:
        """What the spec names."""
        return self.home / "cosign.pub"

    def sign(self, image: str, digest: Digest, *options: str, older: bool = False) -> None:
        """Sign `image` (a repository) by digest, in the present or the older format."""
        self.run("sign", *_SIGN, *self._format(older=older), *options, "--key=cosign.key", f"{image}@{digest}")

    def attest(
        self, image: str, digest: Digest, *, older: bool = False, kind: str = "custom",
        predicate: Mapping[str, Any] = MappingProxyType({"checked": True}),
    ) -> None:  # fmt: skip
        """Attach an attestation of one of cosign's types."""
        file = self.home / "predicate.json"
        file.write_text(json.dumps(dict(predicate)))
        options = (*_SIGN, *self._format(older=older), "--key=cosign.key", f"--predicate={file}", f"--type={kind}")
        self.run("attest", *options, f"{image}@{digest}")

    def verify(self, image: str, *, older: bool = False, key: Path | None = None) -> str:
        """What cosign says of an image that is signed; a CommandError for one that is not."""
        return self.run("verify", *_VERIFY, *self._format(older=older), f"--key={key or self.public_key}", image)

    def verify_attestation(self, image: str, *, older: bool = False) -> str:
        """The same of its attestations of the type `custom`."""
        options = (*_VERIFY, *self._format(older=older), f"--key={self.public_key}", "--type=custom")
        return self.run("verify-attestation", *options, image)

    def save(self, image: str, place: Path) -> None:
        """Write an image with its signatures of the older format as an OCI layout."""
        self.run("save", "--allow-insecure-registry", f"--dir={place}", image)

    def run(self, *args: str) -> str:
        """Run cosign and return its output; a CommandError carries what it said on failure."""
        env = {**os.environ, "HOME": str(self.home), "DOCKER_CONFIG": str(self.home), "COSIGN_PASSWORD": ""}
        done = subprocess.run(
            [self.program, *args], cwd=self.home, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        if done.returncode != 0:
            raise CommandError(done.returncode, done.args, done.stdout, done.stderr.decode(errors="replace"))
        return done.stdout.decode()

    def _format(self, *, older: bool) -> tuple[str, ...]:
        return (f"--new-bundle-format={'false' if older else 'true'}",)
