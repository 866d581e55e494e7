"""`doit scan`: what it lists, what is new, and its gate."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bundle.errors import MissingToolError
from clients.programs.scanner import Vulnerability
from tasks.commands.review import scan
from tasks.commands.review.scan import Scan, scan_result
from tasks.site.receiver import Receiver
from tests.fixtures.benches.receiving import commanded, said
from tests.fixtures.made.published import faults

HIGH = Vulnerability(id="CVE-1", package="openssl", version="1.0", severity="high", fixed="1.1")
LOW = Vulnerability(id="CVE-2", package="zlib", version="1", severity="low")


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[Vulnerability]]:
    """What the scanner finds, by image; it looks into the document that it is given."""
    answers: dict[str, set[Vulnerability]] = {"one": {LOW, HIGH}, "two": {HIGH}}

    def look(sbom: Path, *, subject: str) -> set[Vulnerability]:
        assert json.loads(sbom.read_text())["bomFormat"] == "CycloneDX"
        return answers[subject.split("'")[1]]

    monkeypatch.setattr(scan, "Scanner", lambda **_: SimpleNamespace(name="grype", scan=look))
    return answers


def test_the_worst_first_with_its_images(receiver: Receiver, found: dict[str, Any]) -> None:
    assert commanded(Scan, receiver, "", "", "") == 0
    assert said(receiver).splitlines() == [
        "high       CVE-1 openssl 1.0 in one, two, fixed in 1.1",
        "low        CVE-2 zlib 1 in one",
        "grype: 1 high, 1 low in 2 images of app 1.0",
    ]


def test_the_gate_and_what_is_new(receiver: Receiver, found: dict[str, Any], tmp_path: Path) -> None:
    written = tmp_path / "scan.json"
    assert commanded(Scan, receiver, "critical", "", str(written)) == 0
    assert commanded(Scan, receiver, "high", "", "") == 1
    assert "1 stand against it at --fail-on high:\n  high CVE-1 in openssl" in said(receiver)
    data = json.loads(written.read_text())
    assert faults("scan", written.read_text()) == []
    assert data["bundle"]["name"] == "app"
    assert [each["images"] for each in data["vulnerabilities"]] == [["one", "two"], ["one"]]
    assert commanded(Scan, receiver, "low", str(written), "") == 0, "all of it was there before"
    found["two"] = {Vulnerability(id="CVE-3", package="curl", version="8", severity="critical")}
    assert commanded(Scan, receiver, "high", str(written), "") == 1
    assert "new critical   CVE-3 curl 8 in two" in said(receiver)


@pytest.mark.parametrize(
    ("fail_on", "told"),
    [("bad", "--fail-on bad: expected one of critical"), ("high", "other.json is no result of a scan")],
)
@pytest.mark.usefixtures("found")
def test_what_can_not_be_meant(receiver: Receiver, tmp_path: Path, fail_on: str, told: str) -> None:
    (tmp_path / "other.json").write_text("{}")
    assert commanded(Scan, receiver, fail_on, str(tmp_path / "other.json"), "") == 1
    assert told in said(receiver)


def test_the_report_has_the_last_scan_of_these_files(receiver: Receiver, found: dict[str, Any]) -> None:
    state, bundle = receiver.options.state, receiver.carried.bundle
    assert scan_result(state, bundle).summary == "nothing was scanned: doit scan"
    assert commanded(Scan, receiver, "", "", "") == 0
    result = scan_result(state, bundle)
    assert (result.state, result.summary) == ("open", "2 known vulnerabilities, by grype")
    assert result.details[0] == "high: CVE-1 in openssl 1.0"
    found |= {"one": set(), "two": set()}
    assert commanded(Scan, receiver, "", "", "") == 0
    assert (scan_result(state, bundle).state, scan_result(state, bundle).details) == ("good", ())
    data = json.loads((state / "scan.json").read_text())
    data["bundle"]["sums"] = "sha256:0"
    (state / "scan.json").write_text(json.dumps(data))
    assert "of another bundle or build" in scan_result(state, bundle).summary


def test_nobody_looked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(**_: Any) -> Any:
        raise MissingToolError("nothing was scanned: neither grype nor trivy is installed")

    monkeypatch.setattr(scan, "Scanner", absent)
    assert commanded(Scan, receiver, "", "", "") == 1
    assert "FAILED scan: nothing was scanned" in said(receiver)
