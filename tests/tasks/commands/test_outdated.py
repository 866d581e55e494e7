"""`doit outdated`: the table, JSON, and exit codes."""

import json
from pathlib import Path

import pytest

from tests.fixtures.benches.workbench import Workbench, make
from tests.fixtures.made.published import faults
from tests.fixtures.servers.faulty_registry import OFTEN, FaultyRegistry, refusal


@pytest.fixture
def registered(tmp_path: Path, faulty: FaultyRegistry) -> Workbench:
    """A project whose images `one` and `two` are in the registry, pinned."""
    made = make(tmp_path / "project")
    made.env |= {"DOCKER_CONFIG": str(tmp_path), "NO_PROXY": "127.0.0.1", "COLUMNS": "200"}
    for name in ("one", "two"):
        faulty.put_image(f"team/{name}", "1.0.0", name.encode())
    images = [
        {"name": name, "source": f"{faulty.host}/team/{name}:1.0.0", "target": f"{name}:1"} for name in ("one", "two")
    ]
    made.write({**made.spec, "images": images, "registries": {faulty.host: {"plain_http": True}}})
    assert made.doit("bundle").code == 0
    return made


def test_nothing_is_newer(registered: Workbench) -> None:
    ran = registered.doit("outdated", "--exit-code")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].split() == ["NAME", "PINNED", "SAME", "LINE", "NEWEST", "NOTE"]
    assert [line.split(maxsplit=2) for line in lines[1:3]] == [
        ["one", "1.0.0", "up to date"],
        ["two", "1.0.0", "up to date"],
    ]
    assert lines[-1] == "4 checked: 0 newer versions, 0 digests changed"


def test_what_is_outdated_comes_first_and_nothing_changes(registered: Workbench, faulty: FaultyRegistry) -> None:
    for tag in ("1.4.0", "2.0.0"):
        faulty.put_image("team/two", tag, tag.encode())
    before = registered.files(), (registered.place / "airgap.lock").read_bytes()
    ran = registered.doit("outdated")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[1].split() == ["two", "1.0.0", "1.4.0", "2.0.0"]
    assert lines[-2:] == [
        "4 checked: 1 newer version, 0 digests changed",
        "next: write the version that you want into the spec, then doit lock",
    ]
    assert registered.doit("outdated", "--exit-code").code == 1
    assert registered.doit("outdated", "--exit-code", "one").code == 0
    assert (registered.files(), (registered.place / "airgap.lock").read_bytes()) == before


def test_a_moved_tag_is_said_with_both_digests(registered: Workbench, faulty: FaultyRegistry) -> None:
    new = faulty.put_image("team/one", "1.0.0", b"rebuilt")
    ran = registered.doit("outdated", "one", "--exit-code")
    assert ran.code == 1
    assert f"now {new.digest}, pinned sha256:" in ran.out
    assert ran.out.splitlines()[-1] == "next: doit lock"
    assert registered.doit("lock").code == 0
    assert registered.doit("outdated", "one", "--exit-code").code == 0


def test_json_has_all_of_it(registered: Workbench, faulty: FaultyRegistry) -> None:
    faulty.put_image("team/two", "2.0.0", b"two")
    ran = registered.doit("outdated", "--json")
    data = json.loads(ran.out)
    assert faults("outdated", ran.out) == []
    assert (ran.code, data["version"], data["failed"]) == (0, 1, [])
    by_name = {each["name"]: each for each in data["checked"]}
    assert set(by_name) == {"one", "two", "app", "note.txt"}
    two = by_name["two"]
    assert (two["kind"], two["version"], two["newer"], two["newest"]) == ("image", "1.0.0", ["2.0.0"], "2.0.0")
    assert (two["outdated"], by_name["one"]["outdated"], by_name["app"]["note"]) == (True, False, "local")


def test_one_source_that_fails_hides_no_other(registered: Workbench, faulty: FaultyRegistry) -> None:
    faulty.put_image("team/two", "2.0.0", b"two")
    faulty.plan("team/one/", *[refusal(403, "DENIED", "not for you")] * OFTEN)
    ran = registered.doit("outdated")
    assert ran.code == 1
    assert "2.0.0" in ran.out
    assert "3 checked: 1 newer version, 0 digests changed, 1 failed" in ran.out
    assert "FAILED outdated: image 'one'" in ran.err
    assert "not for you" in ran.err


def test_names_that_are_none(registered: Workbench) -> None:
    ran = registered.doit("outdated", "three")
    assert ran.code == 3
    assert "no image, chart or file is named three" in ran.err
