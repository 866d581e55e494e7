"""The facts of a site for a rehearsal: those that are known, and placeholders for the rest, told by name."""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bundle.errors import FormatError, ProgramError, SpecError, storage_errors
from bundle.storage.files import inside, make_directories, write_bytes
from clients.programs.process import run
from schema.site.site import OVERRIDES, TRUST
from schema.site.stand_ins.rehearsal import PLACEHOLDER, completed, is_address
from schema.site.uses import uses
from schema.syntax import template
from schema.syntax.problems import did_you_mean, listed
from schema.syntax.template import Name
from tasks.site.receiver import Receiver

_OPENSSL_SECONDS = 60.0
_KEPT = ("LANG", "LC_ALL", "TZ")


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalSite:
    """`file` is the site file, `env` what the installation may read, `missing` what got a placeholder.

    `spared` are addresses of the site that got one although they are known, `used` those that the pods really use.
    """

    file: Path
    env: Mapping[str, str]
    missing: tuple[str, ...]
    spared: tuple[str, ...]
    used: tuple[str, ...]


def make_site(
    receiver: Receiver, place: Path, *, directory: Path, env: Mapping[str, str], use: Sequence[str] | None
) -> RehearsalSite:
    """Write `place/site.yaml`, and what `${file.PATH}` stands for below `place/inside`, where install is started.

    In a cluster whose pods could connect to them, only those addresses are kept that are, or are below, one of `use`
    (None: all are, where nothing leads out). A FormatError for a name of those that the spec does not use.
    """
    if faults := receiver.site_faults():
        raise SpecError(f"{receiver.site.label} can't be rehearsed with:", faults)
    names = {use.name for use in uses(receiver.carried.spec, receiver.all_values)}
    facts = [name for name in names if name.space == "site" and _lacks(receiver, name)]
    wanted = sorted(name.rest for name in names if name.space == "env")
    known = {name for name in names if name.space == "site"} - set(facts)
    addresses = {name for name in known if use is not None and is_address(receiver.site.value(name))}
    used = {name for name in addresses if any(f"{name.rest}.".startswith(f"{each}.") for each in use or ())}
    _check_use(use or (), addresses)
    missing = [str(name) for name in facts] + [f"${{env.{name}}}" for name in wanted if name not in env]
    file, lists = place / "site.yaml", [each.list for each in receiver.carried.spec.install.lists]
    with storage_errors("write the rehearsal's facts", place):
        (place / "inside").mkdir(mode=0o700)
        told = {**completed(receiver.site, [*facts, *(addresses - used)], lists), **_reserved(receiver)}
        write_bytes(file, json.dumps(told).encode(), mode=0o600)  # JSON is YAML
        missing += _files(receiver, names, place / "inside", directory)
        _certificates(receiver, place)
    given = {name: env.get(name, PLACEHOLDER) for name in wanted}
    kept = {name: env[name] for name in _KEPT if name in env}
    return RehearsalSite(
        file=file, env={**kept, **given}, missing=tuple(sorted(missing)), spared=_texts(addresses - used),
        used=_texts(used),
    )  # fmt: skip


def _texts(names: Iterable[Name]) -> tuple[str, ...]:
    return tuple(sorted(map(str, names)))


def _check_use(use: Sequence[str], addresses: Iterable[Name]) -> None:
    known = sorted(name.rest for name in addresses)
    for each in use:
        if not any(f"{name}.".startswith(f"{each}.") for name in known):
            what = f"use={each}: the site has no address of this name that the spec uses; expected {listed(known)}"
            raise FormatError(what, hint=did_you_mean(each, known))


def _reserved(receiver: Receiver) -> Mapping[str, object]:
    """What a site file says besides facts: its overrides, and whom the command line or it trusts."""
    trust, site = receiver.carried.trust(receiver.carried.path), receiver.site.trust
    found: dict[str, object] = {}
    if trust:
        found |= {"signers": str(Path(trust.signers.label).absolute()), "require": trust.required}
    if site and site.bundles:
        found |= {"bundles": list(site.bundles)}
    overrides = {name: each.root.plain() for name, each in receiver.overrides.items()}
    return {key: value for key, value in ((OVERRIDES, overrides), (TRUST, found)) if value}


def _lacks(receiver: Receiver, name: Name) -> bool:
    try:
        receiver.site.value(name)
    except FormatError:
        return True
    return False


def _files(receiver: Receiver, names: set[Name], place: Path, directory: Path) -> Iterator[str]:
    """Lead to the files that there are; write those that there are not, and tell which."""
    lacking = []
    for name in sorted((name for name in names if name.space == "file"), key=str):
        real = directory / name.rest
        if os.path.isabs(name.rest):
            if not real.is_file():
                yield str(name)
            continue
        target = inside(place, name.rest)
        make_directories(target.parent)
        if real.is_file():
            target.symlink_to(real)
            continue
        lacking.append(name)
        target.write_text(PLACEHOLDER)
        yield str(name)
    for secret in receiver.carried.spec.install.secrets:
        pair = [template.names(template.parse(secret.data.get(part, ""))) for part in ("certificate", "key")]
        if secret.type == "tls" and all(found and found[0] in lacking for found in pair):
            _self_signed(*(inside(place, found[0].rest) for found in pair))


def _certificates(receiver: Receiver, place: Path) -> None:
    """Lead to the files beside the real site file that its facts name for derived images."""
    beside = receiver.options.site.parent if receiver.options.site else place
    for image in receiver.carried.spec.derived:
        pieces = template.parse(image.add_ca)
        names = template.names(pieces)
        if any(name.space != "site" or _lacks(receiver, name) for name in names):
            continue
        given = template.in_text(template.render(pieces, receiver.site.value))
        if names and "\n" not in given and (beside / given).is_file() and not os.path.isabs(given):
            target = inside(place, given)
            make_directories(target.parent)
            target.symlink_to(beside / given)


def _self_signed(certificate: Path, key: Path) -> None:
    """A pair that serves nobody; without openssl the placeholders stay, and preflight tells what is wrong with them."""
    if openssl := shutil.which("openssl"):
        argv = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={PLACEHOLDER}"]
        argv += ["-addext", f"subjectAltName=DNS:{PLACEHOLDER}", "-keyout", str(key), "-out", str(certificate)]
        with suppress(ProgramError):
            run(argv, subject="a certificate for the rehearsal", timeout=_OPENSSL_SECONDS)
