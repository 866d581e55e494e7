"""airgap.lock: written for people and diffs, read with suspicion."""

import json
from pathlib import Path

import pytest

from bundle.errors import LockError, StorageError
from bundle.oci.digest import Digest
from bundle.oci.locations import LocalChart, RegistryImage
from bundle.oci.platform import Platform
from bundle.oci.reference import Reference
from schema.lock import ChartPin, FilePin, ImagePin, Lock
from schema.spec.contents import ChartSpec, FileSpec, ImageSpec

D1, D2 = Digest.of(b"1"), Digest.of(b"2")
IMAGE = ImagePin(
    source="nginx:1",
    platform="linux/amd64",
    digest=D1,
    media_type="application/vnd.oci.image.manifest.v1+json",
    size=12,
)
CHART = ChartPin(source="oci://h.x/c", version="1.2.3", sha256=D1, size=3, provenance=D2)
FILE = FilePin(source="https://h.x/f", sha256=D2, size=4)
LOCK = Lock(
    images={"b": IMAGE, "a": IMAGE}, charts={"c": CHART, "p": ChartPin(source="p", version="1", sha256=D1, size=1)}
)


def test_it_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "airgap.lock"
    lock = LOCK.with_file("f", FILE)
    assert lock.write(path)
    assert Lock.read(path) == lock
    assert Lock.from_dict(lock.to_dict()) == lock


def test_the_file_is_made_for_diffs(tmp_path: Path) -> None:
    path = tmp_path / "airgap.lock"
    Lock(images={"b": IMAGE, "a": IMAGE}).write(path)
    pin = (
        "    {\n"
        f'      "digest": "{D1}",\n'
        '      "media_type": "application/vnd.oci.image.manifest.v1+json",\n'
        '      "platform": "linux/amd64",\n'
        '      "size": 12,\n'
        '      "source": "nginx:1"\n'
        "    }"
    ).lstrip()
    assert path.read_text() == (
        '{\n  "charts": {},\n  "files": {},\n  "images": {\n'
        f'    "a": {pin},\n    "b": {pin}\n'
        '  },\n  "version": 1\n}\n'
    )


def test_an_unchanged_lock_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "airgap.lock"
    LOCK.write(path)
    before = path.stat()
    assert not Lock.read(path).write(path)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert LOCK.with_file("f", FILE).write(path)
    assert path.stat().st_ino != before.st_ino


def test_an_absent_lock_is_empty(tmp_path: Path) -> None:
    assert Lock.read(tmp_path / "airgap.lock") == Lock()


def test_updates_leave_the_original_alone() -> None:
    moved = ImagePin(source="nginx:2", platform="all", digest=D2, media_type="m", size=1)
    lock = LOCK.with_image("a", moved).with_chart("c", CHART).with_file("f", FILE)
    assert (lock.images["a"], lock.images["b"]) == (moved, IMAGE)
    assert LOCK.images["a"] == IMAGE
    assert LOCK.files == {}


def test_names_that_the_spec_no_longer_has_are_dropped() -> None:
    kept = LOCK.with_file("f", FILE).restricted_to(images=["a", "new"], charts=[], files=["f"])
    assert (set(kept.images), set(kept.charts), set(kept.files)) == ({"a"}, set(), {"f"})


def damaged(old: str, new: str) -> str:
    """A lock file with one image, whose pin is changed."""
    return json.dumps({"version": 1, "images": {"a": IMAGE.to_dict()}}).replace(old, new)


REMAKE = "restore it from version control, or delete it and run `doit lock`"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "PATH is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("\xff", "PATH is not JSON"),
        ("[]", "PATH: this is no lock file: it has no version"),
        ("{}", "PATH: this is no lock file: it has no version"),
        ('{"version": 2}', "PATH: the lock file has version 2, expected 1"),
        ('{"version": 1, "images": []}', "PATH: 'images' of the lock file is not an object"),
        ('{"version": 1, "images": {"a": 1}}', "PATH: the pin of 'a' in 'images' is not an object"),
        (
            damaged('"size": 12', '"size": -1'),
            "PATH: the pin of 'a' in 'images' is damaged: size is -1, expected a number of bytes",
        ),
        (
            damaged("sha256:", "md5:"),
            "PATH: the pin of 'a' in 'images' is damaged: 'md5:",
        ),
        (
            '{"version": 1, "images": {"a": {}}}',
            "PATH: the pin of 'a' in 'images' is damaged: source is None, expected text",
        ),
    ],
)
def test_a_damaged_lock_says_what_to_do(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "airgap.lock"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(LockError) as caught:
        Lock.read(path)
    assert caught.value.what.startswith(message.replace("PATH", str(path)))
    assert caught.value.hint == (
        "another version of this program wrote it: use that one, or delete it and run `doit lock`"
        if "version 2" in message
        else REMAKE
    )


def test_an_unreadable_lock_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="can't read the lock file"):
        Lock.read(tmp_path)


IMAGE_SPEC = ImageSpec(
    name="a",
    source=RegistryImage(reference=Reference.parse("nginx:1")),
    source_text="nginx:1",
    target=Reference.parse("h.x/nginx:1"),
    platform=Platform.parse("linux/amd64"),
)


def chart(version: str, source: str = "oci://h.x/c") -> ChartSpec:
    return ChartSpec(name="c", source=LocalChart(path=Path("c")), source_text=source, version=version, images=())


def file(sha256: Digest | None, source: str = "https://h.x/f") -> FileSpec:
    return FileSpec(name="f", source=source, source_text=source, sha256=sha256, tool=False)


def image(source: str, platform: Platform | None) -> ImageSpec:
    return ImageSpec(
        name="a", source=IMAGE_SPEC.source, source_text=source, target=IMAGE_SPEC.target, platform=platform
    )


@pytest.mark.parametrize(
    ("fits", "expected"),
    [
        pytest.param(IMAGE.fits(IMAGE_SPEC), True, id="image"),
        pytest.param(IMAGE.fits(image("nginx:2", IMAGE_SPEC.platform)), False, id="image of another source"),
        pytest.param(IMAGE.fits(image("nginx:1", None)), False, id="image of all platforms"),
        pytest.param(
            IMAGE.fits(image("nginx:1", Platform.parse("linux/arm64"))), False, id="image of another platform"
        ),
        pytest.param(CHART.fits(chart("1.2.3")), True, id="chart"),
        pytest.param(CHART.fits(chart("")), True, id="chart that leaves out its version"),
        pytest.param(CHART.fits(chart("1.2.4")), False, id="chart of another version"),
        pytest.param(CHART.fits(chart("1.2.3", "oci://h.x/d")), False, id="chart of another source"),
        pytest.param(FILE.fits(file(D2)), True, id="file"),
        pytest.param(FILE.fits(file(None)), True, id="file without sha256"),
        pytest.param(FILE.fits(file(D1)), False, id="file of another sha256"),
        pytest.param(FILE.fits(file(D2, "https://h.x/g")), False, id="file of another source"),
    ],
)
def test_whether_a_pin_is_for_what_the_spec_says_now(fits: bool, expected: bool) -> None:
    assert fits is expected
