"""A site's list of signers, in the format of `ssh-keygen`'s allowed signers file (ssh-keygen(1), ALLOWED SIGNERS).

A line that can't be read vouches for nobody; it is told of where no other line does either.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Self

from bundle.errors import FormatError, TrustError
from bundle.signing.ssh_signature import NAMESPACE, PublicKey

_Options = dict[str, str]
# A quotation ends the word, as OpenSSH's strdelim has it.
_PRINCIPALS = re.compile(r'([^ \t\r"]*)(?:"([^"]*)"|[ \t\r])[ \t\r]*')
_KEY = re.compile(r"((?:ssh|ecdsa|sk)-[^ \t]*)[ \t]+([^ \t]+)")
_PASSED = re.compile(
    r'((?:\\"|\\(?!")|"(?:\\"|\\(?!")|[^"\\])*+"|[^ \t"\\])*+)[ \t]+'
)  # spaces in quotation marks end no options
_OPTION = re.compile(
    r'(cert-authority)|(namespaces|valid-after|valid-before)="((?:\\"|\\(?!")|[^"\\])*+)"', re.IGNORECASE
)
_NAME = re.compile(r"[A-Za-z-]*")
_TIME = re.compile(r"(\d{8})(?:(\d{4})(\d{2})?)?(Z?)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """One line: whose key it is, which uses it is for (None: all), and from when until when it is valid."""

    line: int
    principals: str
    key: PublicKey
    namespaces: str | None = None
    valid_after: datetime | None = None
    valid_before: datetime | None = None
    authority: bool = False

    @classmethod
    def parse(cls, text: str, line: int) -> Self:
        """Read a line; FormatError for what ssh-keygen would pass over too."""
        principals, rest = _first_word(text.lstrip(" \t"))
        found, told = _KEY.match(rest), None
        if not found and (told := _PASSED.match(rest)):
            found = _KEY.match(rest, told.end())
        if not found:
            what = "there is no public key in it" if len(text.split()) > 2 else ""
            raise FormatError(what or "expected: principals, options, type and base64 of a key")
        options = _options(told[1]) if told else {}
        key = PublicKey.decode(found[2])
        if key.type != found[1]:
            raise FormatError(f"it says {found[1]!r}, but the key is a {key.type!r}")
        after, before = _time(options.get("valid-after")), _time(options.get("valid-before"))
        if after and before and before <= after:
            raise FormatError("its key expires before it is valid")
        signer = cls(
            line=line,
            principals=principals,
            key=key,
            namespaces=options.get("namespaces"),
            valid_after=after,
            valid_before=before,
            authority="cert-authority" in options,
        )
        if not matches(principals, signer.identity):
            raise FormatError(f"its principals {principals!r} match nobody")
        return signer

    @property
    def identity(self) -> str:
        """A name that the line's principals match: the first of them."""
        return next((each for each in self.principals.split(",") if not each.startswith("!")), self.principals)

    def objection(self, now: datetime) -> str:
        """Why the line does not let its key sign bundles at this time; empty when it does."""
        if self.authority:
            return "names a certificate authority, which is not followed here"
        if self.namespaces is not None and not matches(self.namespaces, NAMESPACE):
            return f"lets this key sign for {self.namespaces!r} only, not for {NAMESPACE!r}"
        if self.valid_after and now < self.valid_after:
            return f"makes this key valid from {_shown(self.valid_after)} on, and it is {_shown(now)}"
        if self.valid_before and now > self.valid_before:
            return f"let this key expire at {_shown(self.valid_before)}, and it is {_shown(now)}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signers:
    """All lines of one list; `label` is what the operator called the file, `unreadable` why lines were passed over."""

    label: str
    raw: bytes
    signers: tuple[Signer, ...]
    unreadable: tuple[str, ...]

    @classmethod
    def parse(cls, raw: bytes, *, label: str) -> Self:
        """Read a file; FormatError when nothing in it is a signer."""
        signers, unreadable = [], []
        for number, line in enumerate(raw.decode("utf-8", "replace").split("\n"), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            try:
                signers.append(Signer.parse(_plain(line.lstrip(" \t").rstrip(" \t\r")), number))
            except FormatError as err:
                unreadable.append(f"line {number}: {err.what}")
        if not signers:
            why = f": {unreadable[0]}" if unreadable else ""
            hint = f'a line is: NAME namespaces="{NAMESPACE}" ssh-ed25519 AAAA... (the .pub file of who signs)'
            raise FormatError(f"{label} lists no signer{why}", hint=hint)
        return cls(label=label, raw=raw, signers=tuple(signers), unreadable=tuple(unreadable))

    def find(self, key: PublicKey, now: datetime, *, subject: str) -> Signer:
        """The line that lets this key sign bundles now; a TrustError says why there is none."""
        if key.is_certificate:
            raise TrustError(
                f"{subject} is signed by a certificate ({key}), which is not followed here",
                hint=f"sign with a key of its own, and list that in {self.label}",
            )
        own = [signer for signer in self.signers if signer.key.blob == key.blob]
        for signer in own:
            if not signer.objection(now):
                return signer
        if own:
            raise TrustError(
                f"{subject} is signed by {own[0].principals} ({key}), but "
                f"{self.label}:{own[0].line} {own[0].objection(now)}",
                hint="a signature tells no time: its key must be valid when it is checked. "
                "Ask for a bundle signed by a key that is, or correct the list",
            )
        passed = f" ({'; '.join(self.unreadable)})" if self.unreadable else ""
        known = ", ".join(dict.fromkeys(signer.principals for signer in self.signers))
        raise TrustError(
            f"{subject} is signed by {key}, which {self.label} does not list{passed}; it lists {known}",
            hint="do not use the bundle before its origin is clear; if the key is right, add it to the list",
        )


def _plain(line: str) -> str:
    """The line; a FormatError for what ssh-keygen takes for none, as quotes that don't end and what is no ASCII."""
    if not line.isascii() or not line.replace("\t", " ").isprintable():
        raise FormatError("it has characters that are not ASCII")
    if line.count('"') % 2:
        raise FormatError("a quotation mark is missing")
    return line


def matches(patterns: str, text: str) -> bool:
    """OpenSSH's pattern lists (ssh_config(5), PATTERNS): one must match, and none with an exclamation mark may."""
    given = patterns.split(",")
    if any(each.startswith("!") and _fits(each[1:], text) for each in given):
        return False
    return any(_fits(each, text) for each in given if not each.startswith("!"))


def _fits(pattern: str, text: str) -> bool:
    return fnmatchcase(text, pattern.replace("[", "[[]"))  # OpenSSH has no brackets


def _first_word(text: str) -> tuple[str, str]:
    """The principals, and what comes behind them."""
    found = _PRINCIPALS.match(text)
    return (found[1] + (found[2] or ""), text[found.end() :]) if found else (text, "")


def _options(text: str) -> _Options:
    """The options of a line, each at most once."""
    options, at = _Options(), 0
    while at < len(text):
        found = _OPTION.match(text, at)
        if not found:
            raise FormatError(_unreadable(text[at:]))
        name = (found[1] or found[2]).lower()
        if name in options and name != "cert-authority":
            raise FormatError(f"its option {name!r} comes twice")
        options[name] = (found[3] or "").replace('\\"', '"')
        at = found.end()
        if at < len(text) and not (text[at] == "," and at + 1 < len(text)):
            unread = f"its options can't be read: {text[at:][:40]!r}"
            raise FormatError(f"its option {name!r} takes no value" if text[at] == "=" else unread)
        at += 1
    return options


def _unreadable(text: str) -> str:
    """What is wrong with options from here on."""
    name = _NAME.match(text)[0].lower()  # type: ignore[index]
    if name in ("namespaces", "valid-after", "valid-before"):
        return f"its option {name!r} has no value in quotation marks"
    return f"its option {name!r} is not known" if name else f"its options can't be read: {text[:40]!r}"


def _time(text: str | None) -> datetime | None:
    """`YYYYMMDD[HHMM[SS]][Z]`; the machine's own time zone without the Z."""
    if text is None:
        return None
    found = _TIME.fullmatch(text)
    if not found:
        raise FormatError(f"{text!r} is no time; expected YYYYMMDD or YYYYMMDDHHMM[SS], with a Z for UTC")
    date, minutes, seconds, utc = found.groups()
    try:
        time = datetime.strptime(f"{date}{minutes or '0000'}{seconds or '00'}", "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError as err:
        raise FormatError(f"{text!r} is no time: {err}") from err
    return time if utc else time.replace(tzinfo=None).astimezone(UTC)


def _shown(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M UTC}"
