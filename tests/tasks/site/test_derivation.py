"""Images made at install: of which certificates, made once, kept and found again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import trustme

from bundle.errors import FormatError, StorageError
from bundle.metadata.manifest import ImageEntry
from bundle.meter import SilentMeter
from bundle.oci.reference import Reference
from schema.site.lookup import Facts
from schema.site.site import Site
from schema.site.stand_ins.rehearsal import AUTHORITY, PLACEHOLDER
from schema.spec.contents import DerivedImageSpec
from tasks.site.derivation import Certificates, Derivation, derivations
from tests.fixtures.images.system_images import DEBIAN, Held, system

PEM = trustme.CA().cert_pem.bytes().decode()
BASE = system(DEBIAN, {"app": b"program"})
ENTRY = ImageEntry(
    name="client", source="s", reference=Reference.parse("r.x/team/client:1"), digest=BASE.descriptor.digest,
    media_type=BASE.descriptor.media_type, size=1, platform=None,
)  # fmt: skip


def image(add_ca: str) -> DerivedImageSpec:
    return DerivedImageSpec(name="client-ca", base="client", add_ca=add_ca, target=Reference.parse("r.x/team/ca:1"))


def certificates(place: Path, *, rehearsal: bool = False, **facts: Any) -> Certificates:
    """The spec lies in `place`/spec, the site file in `place`."""
    site: Any = Site(label="site.yaml", facts=facts)
    found: Callable[..., Any] = site.value
    return Certificates(directory=place / "spec", beside=place, facts=lambda: cast("Facts", found), rehearsal=rehearsal)


class Reads:
    """The base image, and how often it was read."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, entry: ImageEntry) -> Held:
        self.count += 1
        return Held(BASE)


def derivation(place: Path, read: Reads, add_ca: str = "ca.pem") -> Derivation:
    (place / "spec").mkdir(exist_ok=True)
    if not (place / "spec/ca.pem").exists():
        (place / "spec/ca.pem").write_text(PEM)
    return Derivation(
        image(add_ca), base=ENTRY, source=read, certificates=certificates(place), place=place / "derived",
        meter=SilentMeter(),
    )  # fmt: skip


def test_a_file_of_the_spec_travels_with_it(tmp_path: Path) -> None:
    (tmp_path / "spec").mkdir()
    (tmp_path / "spec/ca.pem").write_text(PEM)
    assert certificates(tmp_path)(image("ca.pem")) == PEM


def test_what_the_site_names_is_a_file_beside_its_own_or_the_text_itself(tmp_path: Path) -> None:
    (tmp_path / "own.pem").write_text(PEM)
    assert certificates(tmp_path, ca="own.pem")(image("${site.ca}")) == PEM
    assert certificates(tmp_path, ca=PEM)(image("${site.ca}")) == PEM
    with pytest.raises(StorageError, match="read image 'client-ca': 'add_ca'"):
        certificates(tmp_path, ca="gone.pem")(image("${site.ca}"))


def test_a_rehearsal_has_an_authority_of_nobody(tmp_path: Path) -> None:
    assert certificates(tmp_path, rehearsal=True, ca=PLACEHOLDER)(image("${site.ca}")) == AUTHORITY


def test_a_file_that_is_too_large_is_no_list_of_certificates(tmp_path: Path) -> None:
    (tmp_path / "large.pem").write_bytes(bytes(1024 * 1024 + 1))
    with pytest.raises(FormatError, match="has more than 1048576 bytes"):
        certificates(tmp_path, ca="large.pem")(image("${site.ca}"))


def test_it_is_made_once_and_kept(tmp_path: Path) -> None:
    read = Reads()
    made = derivation(tmp_path, read)
    assert not made.is_known
    assert made.files == ()
    digest = made.digest()
    assert made.is_known
    made.keep()
    assert (made.digest(), read.count) == (digest, 1)
    assert all(path.is_file() for path in made.files)
    again = derivation(tmp_path, read)
    assert again.is_known
    assert (again.digest(), read.count) == (digest, 1)
    assert again.entry.digest == digest
    assert digest.matches(again.source().manifest(again.source().resolve()))


@pytest.mark.parametrize("damage", ["image.json", "a blob", "no blob"])
def test_what_was_kept_and_is_not_whole_is_made_anew(tmp_path: Path, damage: str) -> None:
    read = Reads()
    made = derivation(tmp_path, read)
    made.keep()
    digest = made.digest()
    index, blob, *_ = made.files
    if damage == "image.json":
        index.write_text("{")
    elif damage == "a blob":
        blob.write_bytes(b"other")
    else:
        blob.unlink()
    again = derivation(tmp_path, read)
    assert not again.is_known
    assert (again.digest(), read.count) == (digest, 2)


def test_other_certificates_make_another(tmp_path: Path) -> None:
    read = Reads()
    made = derivation(tmp_path, read)
    made.keep()
    digest, place = made.digest(), made.place
    (tmp_path / "spec/ca.pem").write_text(trustme.CA().cert_pem.bytes().decode())
    other = derivation(tmp_path, read)
    assert other.digest() != digest
    assert other.place != place


def test_what_are_no_certificates_names_the_image(tmp_path: Path) -> None:
    made = derivation(tmp_path, Reads())
    (tmp_path / "spec/ca.pem").write_text("no PEM")
    with pytest.raises(FormatError, match=r"image 'client-ca' \(made of 'client'\): 'add_ca': there is no PEM"):
        made.digest()


def test_a_bundle_without_the_base_is_refused() -> None:
    spec: Any = type("Spec", (), {"derived": (image("ca.pem"),), "path": Path("/x/airgap.yaml")})
    manifest: Any = type("Manifest", (), {"images": ()})
    with pytest.raises(FormatError, match="the bundle holds no image 'client'"):
        derivations(
            spec,
            manifest,
            Reads(),
            cast("Any", None),
            place=Path("/x"),
            facts=lambda: cast("Any", None),
            meter=SilentMeter(),
        )
