"""Attacks on a carried bundle, each refused with the right words, by the program that the site has already."""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import pytest

from bundle.metadata.manifest import BundleManifest
from clients.sandbox.registry import throwaway_registry
from tests.fixtures.benches.workbench import Ran, make
from tests.fixtures.parts.ssh_keys import Key, make_key, verify_by_hand

SUMS, SIGNATURE = "SHA256SUMS", "SHA256SUMS.sig"


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A signed bundle on its way, the attacker's own key, and the site: its program, its list, its state."""

    place: Path
    bundle: Path
    older: Path
    mallory: Key
    program: Path

    @property
    def site(self) -> Path:
        """What is inside, and out of the attacker's reach."""
        return self.place / "site"

    def run(self, *words: str, bundle: Path | None = None, path: str | None = None) -> Ran:
        """Run a command of the site's own copy of the program on what was carried."""
        argv = [sys.executable, "-I", "-X", f"pycache_prefix={self.program}.cache", str(self.program), *words]
        argv += [f"state={self.site / 'state'}"]
        argv += [f"bundle={bundle or self.bundle}"]
        env = {**os.environ, "PATH": os.environ["PATH"] if path is None else path}
        done = subprocess.run(
            argv, cwd=self.site, env=env, capture_output=True, text=True, check=False, timeout=120
        )  # fmt: skip
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        return Ran(code=done.returncode, out=done.stdout, err=done.stderr)

    def blob(self) -> Path:
        """The bundle's largest blob."""
        return max((self.bundle / "images/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)

    def manifest(self, change: Callable[[dict[str, object]], object]) -> None:
        """Change manifest.json, its id with it."""
        path = self.bundle / "manifest.json"
        data = json.loads(path.read_text())
        change(data)
        content = {key: value for key, value in data.items() if key not in OUTSIDE_ID}
        data["id"] = f"sha256:{hashlib.sha256(json.dumps(content, **COMPACT).encode()).hexdigest()}"
        path.write_text(json.dumps(data))

    def resum(self) -> None:
        """Make SHA256SUMS fit what is there."""
        files = (path for path in self.bundle.rglob("*") if path.is_file() and path.name not in (SUMS, SIGNATURE))
        lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(self.bundle)}" for path in files]
        (self.bundle / SUMS).write_text("\n".join([*sorted(lines, key=lambda line: line[66:]), ""]))

    def resign(self, **options: str) -> None:
        """Sign what is there by the attacker's key."""
        (self.bundle / SIGNATURE).write_bytes(self.mallory.sign((self.bundle / SUMS).read_bytes(), **options))  # type: ignore[arg-type]


COMPACT = {"sort_keys": True, "separators": (",", ":")}
OUTSIDE_ID = {"id", "created", "tool", "archive", "proof", "signed", "carries"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Carried:
    """Version 1.0 in `older` and 1.1 in `bundle`, both signed by the release key that the site lists."""
    place = tmp_path_factory.mktemp("attacks")
    key = make_key(place / "keys/release")
    made = {}
    for version, epoch in (("1.0", "1700000000"), ("1.1", "1710000000")):
        bench = make(place / version, bundle={"version": version, "sign": {"key": str(key.path)}})
        bench.env["SOURCE_DATE_EPOCH"] = epoch
        ran = bench.doit("bundle")
        assert ran.code == 0, ran.err
        made[version] = bench.dist / f"app-{version}"
    (place / "site").mkdir()
    with ZipFile(made["1.0"] / "airgap.pyz") as program:  # unpacked, so that Python keeps what it has compiled
        program.extractall(place / "program")
    key.signers(place / "site/signers", options='namespaces="airgap-bundle"')
    mallory = make_key(place / "keys/mallory")
    return Carried(place=place, bundle=made["1.1"], older=made["1.0"], mallory=mallory, program=place / "program")


@pytest.fixture
def carried(made: Carried, tmp_path: Path) -> Carried:
    """A copy that may be attacked."""
    shutil.copytree(made.site, tmp_path / "site")
    shutil.copytree(made.bundle, tmp_path / "app-1.1")
    return Carried(
        place=tmp_path, bundle=tmp_path / "app-1.1", older=made.older, mallory=made.mallory, program=made.program
    )


def swap_blob(carried: Carried) -> None:
    carried.blob().write_bytes(b"evil")


def swap_blob_and_sums(carried: Carried) -> None:
    swap_blob(carried)
    carried.resum()


def strip(carried: Carried) -> None:
    (carried.bundle / SIGNATURE).unlink()


def sign_by_another(carried: Carried) -> None:
    swap_blob_and_sums(carried)
    carried.resign()


def sign_by_another_for_another_use(carried: Carried) -> None:
    carried.resign(namespace="git")


def signature_of_an_older_bundle(carried: Carried) -> None:
    shutil.copy(carried.older / SIGNATURE, carried.bundle / SIGNATURE)


def rename_image(carried: Carried) -> None:
    carried.manifest(lambda data: data["images"][0].update(ref="registry.example.com/team/evil:1"))  # type: ignore[index]


def add_file(carried: Carried) -> None:
    (carried.bundle / "charts/evil.tgz").write_bytes(b"evil")


def change_program(carried: Carried) -> None:
    with (carried.bundle / "airgap.pyz").open("ab") as file:
        file.write(b"evil")


def link_in(carried: Carried) -> None:
    (carried.bundle / "files/note.txt").unlink()
    (carried.bundle / "files/note.txt").symlink_to("/etc/passwd")


def link_a_directory_in(carried: Carried) -> None:
    shutil.rmtree(carried.bundle / "files")
    (carried.bundle / "files").symlink_to("/etc")


def sums_that_lead_out(carried: Carried) -> None:
    with (carried.bundle / SUMS).open("a") as file:
        file.write(f"{'0' * 64}  ../../etc/passwd\n")


def huge_signature(carried: Carried) -> None:
    with (carried.bundle / SIGNATURE).open("ab") as file:
        file.truncate(10**12)


ATTACKS: list[tuple[Callable[[Carried], None], str]] = [
    (swap_blob, "damaged: images/blobs/sha256/"),
    (swap_blob_and_sums, "SHA256SUMS.sig, by release@example.com, is not over this SHA256SUMS"),
    (strip, "is not signed: it has no SHA256SUMS.sig"),
    (sign_by_another, "does not list; it lists release@example.com"),
    (sign_by_another_for_another_use, "SHA256SUMS.sig was made for 'git', expected 'airgap-bundle'"),
    (
        signature_of_an_older_bundle,
        "is not over this SHA256SUMS: one of them was changed, or belongs to another bundle",
    ),
    (rename_image, "damaged: manifest.json"),
    (add_file, "extra: charts/evil.tgz: expected only what SHA256SUMS lists"),
    (change_program, "damaged: airgap.pyz"),
    (link_in, "unsafe: files/note.txt (of file 'note.txt'): expected a file, found a link"),
    (link_a_directory_in, "unsafe: files: expected a file, found a link"),
    (sums_that_lead_out, "is not over this SHA256SUMS"),
    (huge_signature, "'SHA256SUMS.sig' has 1000000000000 bytes, more than 65536"),
]


@pytest.mark.parametrize(("attack", "words"), ATTACKS, ids=[attack.__name__ for attack, _ in ATTACKS])
def test_a_site_that_names_signers(carried: Carried, attack: Callable[[Carried], None], words: str) -> None:
    attack(carried)
    # An install compares large files while it sends them, after preflight, for which there is no registry here.
    ran = carried.run("verify" if attack is change_program else "install", "trust=signers")
    assert ran.code == 1
    assert words in ran.err, ran.err
    assert ran.steps == [], "nothing was done"


def duplicate_images(carried: Carried) -> None:
    carried.manifest(lambda data: data["images"].append(data["images"][0]))  # type: ignore[attr-defined]


def duplicate_files(carried: Carried) -> None:
    carried.manifest(lambda data: data["files"].append({**data["files"][0], "name": "other"}))  # type: ignore[index, attr-defined]


def duplicate_keys(carried: Carried) -> None:
    path = carried.bundle / "manifest.json"
    path.write_text(path.read_text().replace('"name": "app"', '"name": "app", "name": "evil"', 1))


def duplicate_keys_of_the_spec(carried: Carried) -> None:
    path = carried.bundle / "airgap.json"
    path.write_text(path.read_text().replace('"prefix"', '"prefix": "evil.example.com", "prefix"', 1))


def deep(carried: Carried) -> None:
    (carried.bundle / "manifest.json").write_text("[" * 200_000)


def manifest_that_leads_out(carried: Carried) -> None:
    carried.manifest(lambda data: data["charts"][0].update(file="../../etc/passwd"))  # type: ignore[index]


def huge_manifest(carried: Carried) -> None:
    with (carried.bundle / "manifest.json").open("ab") as file:
        file.truncate(70 * 1024 * 1024)


RESUMMED: list[tuple[Callable[[Carried], None], str]] = [
    (rename_image, "missing: registry.example.com/team/evil:1 in images/index.json"),
    (strip, "missing: SHA256SUMS.sig: expected the signature that the manifest tells of"),
    (duplicate_images, "manifest.json has two images named 'one'"),
    (duplicate_files, "manifest.json has two entries with the file 'files/note.txt'"),
    (duplicate_keys, "manifest.json is not JSON: a key that is given twice"),
    (duplicate_keys_of_the_spec, "airgap.json is not JSON: a key that is given twice"),
    (deep, "nested too deeply"),
    (manifest_that_leads_out, "leads out of its directory"),
    (huge_manifest, "'manifest.json' has 73400320 bytes, more than 16777216"),
]


@pytest.mark.parametrize(("attack", "words"), RESUMMED, ids=[attack.__name__ for attack, _ in RESUMMED])
def test_what_new_sums_do_not_hide(carried: Carried, attack: Callable[[Carried], None], words: str) -> None:
    """At a site that names no signers, whoever changes the bundle changes its list too."""
    attack(carried)
    carried.resum()
    ran = carried.run("install")
    assert ran.code == 1
    assert words in ran.err, ran.err
    assert ran.steps == []


def member(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


TARS: dict[str, tuple[tuple[tarfile.TarInfo, bytes], str]] = {
    "climbs out": (member("app-1.1/../../evil"), "unsafe: app-1.1/../../evil: expected a path below app-1.1/"),
    "absolute": (member("/etc/cron.d/evil"), "unsafe: /etc/cron.d/evil: expected a path below app-1.1/"),
    "link": (member("app-1.1/link", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "unsafe: link"),
    "hard link": (member("app-1.1/link", type=tarfile.LNKTYPE, linkname="/etc/passwd"), "unsafe: link"),
    "device": (member("app-1.1/disk", type=tarfile.BLKTYPE, devmajor=8), "unsafe: disk"),
    "two of one name": (
        member("app-1.1/manifest.json", b"{}"),
        "duplicate: manifest.json (of the bundle): expected one entry of this name",
    ),
    "beside": (member("evil/x"), "unsafe: evil/x: expected a path below app-1.1/"),
    "sparse": (
        member("app-1.1/big", pax_headers={"GNU.sparse.major": "1", "GNU.sparse.realsize": str(2**60)}),
        "unsafe: big: expected a file, found a special file",
    ),
    "huge size": (member("app-1.1/big", pax_headers={"size": str(2**60)}), "tar is cut off inside 'app-1.1/big'"),
    "huge header": (member("app-1.1/big", pax_headers={"comment": "x" * 2**21}), "extended header of"),
}


@pytest.mark.parametrize(("entry", "words"), TARS.values(), ids=TARS)
def test_archives(carried: Carried, entry: tuple[tarfile.TarInfo, bytes], words: str) -> None:
    archive = carried.place / "app-1.1.tar"
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        tar.add(carried.bundle, "app-1.1")
        tar.addfile(entry[0], io.BytesIO(entry[1]))
    before = sorted(path.name for path in carried.place.iterdir())
    ran = carried.run("install", "trust=signers", bundle=archive)
    assert ran.code == 1
    assert words in ran.err, ran.err
    assert ran.steps == []
    assert sorted(path.name for path in carried.place.iterdir()) == before


def test_an_archive_of_a_million_entries(carried: Carried) -> None:
    archive = carried.place / "app-1.1.tar"
    header = tarfile.TarInfo("app-1.1/x").tobuf()
    archive.write_bytes(header * 200_001)
    ran = carried.run("verify", bundle=archive)
    assert ran.code == 1
    assert "tar has more than 50000 entries" in ran.err


def test_the_program_cannot_be_its_own_witness(carried: Carried) -> None:
    """A changed airgap.pyz reports that everything is fine; the two commands, and any other copy, do not."""
    (carried.bundle / "airgap.pyz").write_text("print('verify  all checksums match')\n")
    lies = subprocess.run(
        [sys.executable, "-I", carried.bundle / "airgap.pyz", "verify"], capture_output=True, check=False
    )
    assert (lies.returncode, b"all checksums match" in lies.stdout) == (0, True)
    by_hand = verify_by_hand(carried.bundle, carried.site / "signers")
    assert by_hand.returncode != 0
    assert "airgap.pyz: FAILED" in by_hand.stdout
    assert "damaged: airgap.pyz" in carried.run("verify", "trust=signers").err


def test_a_list_of_signers_in_the_bundle_itself(carried: Carried) -> None:
    carried.mallory.signers(carried.bundle / "signers")
    carried.resum()
    carried.resign()
    for words in ([f"trust={carried.bundle / 'signers'}"], [f"trust={carried.site / 'link'}"]):
        if not (carried.site / "link").is_symlink():
            (carried.site / "link").symlink_to(carried.bundle / "signers")
        ran = carried.run("install", *words)
        assert ran.code == 1
        assert "lies in the bundle, which can't vouch for itself" in ran.err


@pytest.mark.parametrize("require", [True, False])
def test_trust_in_the_site_file(carried: Carried, require: bool) -> None:
    (carried.site / "site.yaml").write_text(json.dumps({"trust": {"signers": "signers", "require": require}}))
    good = carried.run("verify", "site=site.yaml")
    assert good.code == 0
    assert "signed by release@example.com (ssh-ed25519 SHA256:" in good.out
    carried.resign()
    assert "does not list" in carried.run("verify", "site=site.yaml").err
    carried.manifest(lambda data: data.update(signed=False))
    carried.resum()
    strip(carried)
    unsigned = carried.run("verify", "site=site.yaml")
    assert unsigned.code == (1 if require else 0)
    assert ("is not signed" in unsigned.err) is require


@pytest.mark.parametrize("command", ["verify", "preflight", "install", "plan", "diagnose", "uninstall"])
def test_every_command_asks(carried: Carried, command: str) -> None:
    carried.resign()
    ran = carried.run(command, *(["install"] if command == "plan" else []), "trust=signers")
    assert ran.code == 1
    assert "does not list; it lists release@example.com" in ran.err


def test_without_ssh_keygen(carried: Carried) -> None:
    """The same answers by pure Python, for Ed25519."""
    nothing = str(carried.place / "no-programs")
    assert "signed by release@example.com" in carried.run("verify", "trust=signers", path=nothing).out
    swap_blob_and_sums(carried)
    assert "is not over this SHA256SUMS" in carried.run("verify", "trust=signers", path=nothing).err
    key = make_key(carried.place / "ecdsa", kind="ecdsa")
    key.signers(carried.site / "signers")
    (carried.bundle / SIGNATURE).write_bytes(key.sign((carried.bundle / SUMS).read_bytes()))
    ran = carried.run("verify", "trust=signers", path=nothing)
    assert "can't be checked here: ssh-keygen is not installed" in ran.err
    assert (
        "next: install OpenSSH's client (openssh-client, openssh-clients), 8.2 or later; without it only Ed25519"
        in ran.err
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [('valid-before="20200101Z"', "let this key expire at 2020-01-01 00:00 UTC"),
     ('valid-after="29990101Z"', "makes this key valid from 2999-01-01 00:00 UTC on"),
     ('namespaces="file"', "lets this key sign for 'file' only")],
)  # fmt: skip
def test_a_key_that_does_not_count(carried: Carried, options: str, words: str) -> None:
    signers = carried.site / "signers"
    who, *rest = signers.read_text().split(" ")
    signers.write_text(" ".join([who, options, *rest[1:]]))
    ran = carried.run("install", "trust=signers")
    assert (ran.code, words in ran.err) == (1, True), ran.err


def test_a_signed_older_bundle_after_a_newer_one(carried: Carried) -> None:
    with throwaway_registry(carried.place / "registry") as (_, host):
        words = ["install", "trust=signers", f"registry=http://{host}/team"]
        assert carried.run(*words).code == 0
        ran = carried.run(*words, bundle=carried.older)
        assert ran.code == 1
        assert "bundle app 1.0 of 2023-11-14T22:13:20Z is older than what is installed: 1.1 of 2024-03-09" in ran.err
        assert "to go back on purpose, give downgrade=allow" in ran.err
        assert ran.steps == []
        assert carried.run("verify", "trust=signers", bundle=carried.older).code == 0, "to look at it is no install"
        assert carried.run(*words, bundle=carried.older).code == 1
        planned = carried.run("plan", *words, bundle=carried.older)
        assert "refused: bundle app 1.0 of 2023-11-14T22:13:20Z is older than what is installed" in planned.out
        assert carried.run(*words, "downgrade=allow", bundle=carried.older).code == 0
        again = carried.run(*words, bundle=carried.older)
        assert (again.code, again.steps) == (0, [])
        assert carried.run(*words).code == 0, "and forward again"


def test_a_signed_older_bundle_after_another_application(carried: Carried) -> None:
    """The newest receipt is another application's then, as its install with the same state leaves it."""
    newest = carried.site / "state/receipt.json"
    with throwaway_registry(carried.place / "registry") as (_, host):
        words = ["install", "trust=signers", f"registry=http://{host}/team"]
        assert carried.run(*words).code == 0
        data = json.loads(newest.read_text())
        data["bundle"] |= {"name": "shop", "version": "0.1"}
        other = carried.site / "state/shop/elsewhere/receipt.json"
        other.parent.mkdir(parents=True)
        other.write_text(json.dumps(data))
        newest.unlink()
        newest.symlink_to(other)
        ran = carried.run(*words, bundle=carried.older)
        assert ran.code == 1
        assert "is older than what is installed: 1.1 of 2024-03-09" in ran.err
        assert re.search(r"state/app/127\.0\.0\.1-\d+-[0-9a-f]{8}/receipt.json", ran.err)
        planned = carried.run("plan", *words, bundle=carried.older)
        assert planned.code == 1
        assert "refused: bundle app 1.0" in planned.out
        assert json.loads(newest.read_text())["bundle"]["name"] == "shop", "refused, it wrote nothing"
        assert other.read_text() == json.dumps(data)


def test_the_same_version_made_earlier(carried: Carried) -> None:
    """Somebody rebuilt 1.1 without its fix, or kept the first build of it back."""
    receipt = carried.site / "state/receipt.json"
    with throwaway_registry(carried.place / "registry") as (_, host):
        words = ["install", f"registry=http://{host}/team"]
        assert carried.run(*words).code == 0
        data = json.loads(receipt.read_text())
        data["bundle"] |= {"created": "2030-01-01T00:00:00Z", "sums": f"sha256:{'0' * 64}"}
        receipt.write_text(json.dumps(data))
        assert "is older than what is installed: 1.1 of 2030-01-01" in carried.run(*words).err
        data["bundle"]["version"] = "0.9"
        receipt.write_text(json.dumps(data))
        assert carried.run(*words).code == 0


def test_the_manifest_of_the_table_is_one(made: Carried) -> None:
    """The attacks change what `doit bundle` makes, and it is good before."""
    assert BundleManifest.decode((made.bundle / "manifest.json").read_bytes()).signed
    assert made.run("verify", f"trust={made.site / 'signers'}").code == 0
