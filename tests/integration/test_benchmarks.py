"""The benchmarks run, on a tiny data set; how fast is not looked at."""

import json
from pathlib import Path

import pytest

from benchmarks.run import main


@pytest.mark.usefixtures("registry", "skopeo")
def test_pull_runs_over_both_schemes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--smoke", "--rounds", "1", "--peers", "skopeo", "--place", str(tmp_path)]
    assert main(["pull", *options, "--json", str(tmp_path / "out.json")]) == 0, capsys.readouterr().err
    report = json.loads((tmp_path / "out.json").read_text())
    for scheme in ("http", "https"):
        assert [result["name"] for result in report[scheme]["results"]] == ["doit pull", "skopeo copy"]
    assert "pull over https: 2 images" in capsys.readouterr().out


@pytest.mark.usefixtures("registry", "skopeo")
def test_push_runs_over_both_schemes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--smoke", "--rounds", "1", "--peers", "skopeo", "--place", str(tmp_path)]
    assert main(["push", *options, "--json", str(tmp_path / "out.json")]) == 0, capsys.readouterr().err
    report = json.loads((tmp_path / "out.json").read_text())
    for scheme in ("http", "https"):
        assert [result["name"] for result in report[scheme]["results"]] == [
            "airgap jobs=2",
            "airgap jobs=4",
            "skopeo copy",
        ]
    assert (report["present"]["images"], report["present"]["requests"]) == (3, 3)


@pytest.mark.usefixtures("registry", "skopeo")
def test_the_whole_job_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--smoke", "--rounds", "1", "--peers", "skopeo", "--place", str(tmp_path)]
    assert main(["crossing", *options, "--json", str(tmp_path / "out.json")]) == 0, capsys.readouterr().err
    report = json.loads((tmp_path / "out.json").read_text())
    names = [result["whole"]["name"] for result in report["results"]]
    assert names == ["airgap", "airgap, SBOM+report", "skopeo + tar"]
    for result in report["results"]:
        both = result["outside"]["runs_seconds"][0] + result["inside"]["runs_seconds"][0]
        assert abs(result["whole"]["runs_seconds"][0] - both) < 0.001
    assert report["written_beside_cache_x"] > 0
    assert "crossing: 2 images" in capsys.readouterr().out


@pytest.mark.usefixtures("registry")
def test_a_bundle_that_is_up_to_date_asks_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--smoke", "--rounds", "1", "--place", str(tmp_path)]
    assert main(["noop", *options, "--json", str(tmp_path / "out.json")]) == 0, capsys.readouterr().err
    assert json.loads((tmp_path / "out.json").read_text())["requests"] == 0
