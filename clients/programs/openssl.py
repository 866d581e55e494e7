"""Encryption to a recipient's certificate, by openssl (CMS, RFC 5652): what is secret goes by standard input only.

The private key is needed only where a backup is read, so a stolen machine or archive gives nothing away.
"""

import os
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bundle.errors import FormatError, ProgramError, storage_errors
from bundle.formats.x509 import parse_authorities
from clients.programs.process import find_program, masked, run
from clients.programs.stream import dump, feed

SUFFIX = ".cms"
PASSWORD = "BACKUP_KEY_PASSWORD"  # noqa: S105 - the variable with the passphrase of a private key
PART = 512 * 1024 * 1024  # bytes of plaintext; openssl decrypts a message in memory, and none of 2 GiB or more
_SECONDS = 120.0
_MAX_CERTIFICATE = 1024 * 1024  # bytes


def part_name(name: str, number: int) -> str:
    """The file name of an encrypted part; the first is number 1."""
    return f"{name}.{number:04d}{SUFFIX}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Who can read it: the certificate in `path`; `openssl` is the program."""

    path: Path
    openssl: Path

    @classmethod
    def read(cls, path: Path, *, search: str | None = None) -> Self:
        """The recipient of a PEM certificate, tried out; `search` is the PATH to look for openssl on.

        A FormatError for what is no certificate, a MissingToolError without openssl, a ProgramError when openssl can't
        encrypt to it.
        """
        with storage_errors("read the recipient's certificate", path), path.open("rb") as file:
            held = file.read(_MAX_CERTIFICATE).decode("latin-1")
        try:
            parse_authorities(held)
        except FormatError as err:
            hint = "make a pair where backups are read: openssl req -x509 -newkey rsa:3072 -days 3650 -subj /CN=backup "
            raise FormatError(
                f"key={path}: {err.what}", hint=f"{hint}-keyout backup.key -out backup.crt; give key=backup.crt here"
            ) from err
        recipient = cls(path=path, openssl=find_program("openssl", path=search))
        recipient.encrypt(b"")
        return recipient

    def encrypt(self, data: bytes) -> bytes:
        """A small text, encrypted as one DER message."""
        done = run(self._argv, subject="encrypt", timeout=_SECONDS, stdin=data)
        if done.code != 0:
            raise _failed(self.path, done.stderr)
        return done.stdout

    def stream(self, chunks: Iterator[bytes], directory: Path, name: str) -> list[Path]:
        """Whatever many bytes, encrypted in parts of about PART bytes: `name.0001.cms` and so on in `directory`."""
        parts: list[Path] = []
        chunk = next(chunks, b"")
        while chunk or not parts:
            path = directory / part_name(name, len(parts) + 1)
            chunk = self._part(chunk, chunks, path)
            parts.append(path)
        return parts

    def _part(self, first: bytes, chunks: Iterator[bytes], path: Path) -> bytes:
        """Encrypt one part, and return the chunk that did not go into it; empty at the end."""
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as to:
            with feed(self._argv, subject="encrypt", to=to) as program:
                written, chunk, taken = 0, first, True
                while chunk and written < PART and (taken := program.write(chunk)):
                    written += len(chunk)
                    chunk = next(chunks, b"")
            if program.code != 0 or not taken:
                raise _failed(self.path, program.said)
            os.fsync(to.fileno())
        return chunk

    @property
    def _argv(self) -> list[str]:
        # CBC and not GCM: every openssl since 1.0 reads it. Whether it is whole, the archive's list of digests says.
        return [
            str(self.openssl),
            "cms",
            "-encrypt",
            "-binary",
            "-stream",
            "-aes256",
            "-outform",
            "DER",
            str(self.path),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateKey:
    """What reads it: the private key in `path`, which only openssl opens."""

    path: Path
    openssl: Path

    @classmethod
    def at(cls, path: Path, *, search: str | None = None) -> Self:
        """The key at a path; a StorageError where there is no file, a FormatError for a certificate."""
        with storage_errors("read the private key", path), path.open("rb") as file:
            held = file.read(_MAX_CERTIFICATE)
        if b"PRIVATE KEY-----" not in held:
            hint = "name the key that belongs to the certificate of the backup: key=backup.key"
            raise FormatError(f"key={path} holds no private key in PEM", hint=hint)
        return cls(path=path, openssl=find_program("openssl", path=search))

    def stream(self, part: Path, *, env: Mapping[str, str]) -> Generator[bytes]:
        """The plaintext of an encrypted file, in chunks; a ProgramError when this key does not read it.

        `env` may hold the key's passphrase as BACKUP_KEY_PASSWORD.
        """
        password = env.get(PASSWORD, "")
        argv = [str(self.openssl), "cms", "-decrypt", "-binary", "-inform", "DER", "-in", str(part)]
        # Without the certificate openssl answers a wrong key with noise, lest somebody asks it again and again; nobody
        # can here, and a database must not be fed with noise.
        argv += ["-inkey", str(self.path), "-passin", f"env:{PASSWORD}", "-debug_decrypt"]
        try:
            yield from dump(
                argv,
                subject="decrypt",
                env={**env, PASSWORD: password},
                cwd=part.parent,
                mask=lambda text: masked(text, [password] if password else []),
            )
        except ProgramError as err:
            hint = f"name the key of the certificate that it was made for; export {PASSWORD} where it has a passphrase"
            raise ProgramError(f"{self.path} does not decrypt it: {err.what}", hint=hint) from err


def _failed(path: Path, said: str) -> ProgramError:
    words = " ".join(said.split()[:60])
    return ProgramError(
        f"openssl can't encrypt to {path}: {words}", hint="use a certificate with an RSA or EC key, made for encryption"
    )
