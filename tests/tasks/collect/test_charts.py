"""Charts: fetched, pinned, placed in the bundle, and checked where they must be signed."""

import pytest

from bundle.charts.package import package_chart
from bundle.errors import FormatError, LockError, MissingToolError, SignatureError
from bundle.metadata.entries import ChartEntry
from tasks.collect import charts
from tests.fixtures.benches.connected import connected, script
from tests.fixtures.benches.workbench import Workbench


def test_it_is_pinned_and_placed(bench: Workbench) -> None:
    project = connected(bench)
    (step,) = charts.chart_steps(project)
    assert step.inputs() is None
    with pytest.raises(LockError, match="chart 'app' is not pinned"):
        charts.digests(project)
    step.action()
    (target,) = step.outputs()
    assert target.name == "app-1.0.0.tgz"
    entry = charts.chart_entry(project, project.spec.charts[0])
    assert (entry.version, entry.file) == ("1.0.0", "charts/app-1.0.0.tgz")
    assert entry.digest.matches(target.read_bytes())
    assert charts.digests(project) == {entry.file: entry.digest}
    assert charts.identity(project, project.spec.charts[0]) == {"sha256": str(entry.digest), "keyring": ""}
    assert {path.name for path in step.local} == {"Chart.yaml", "config.yaml"}


def test_a_chart_that_changed_is_another_than_is_pinned(bench: Workbench) -> None:
    for step in charts.chart_steps(connected(bench)):
        step.action()
    (bench.place / "chart/values.yaml").write_text("a: 1\n")
    (step,) = charts.chart_steps(connected(bench))
    with pytest.raises(LockError, match="chart 'app'"):
        step.action()


def test_a_look_at_a_chart_moves_no_pin(bench: Workbench) -> None:
    project = connected(bench)
    path = charts.packaged(project, project.spec.charts[0])
    assert path.read_bytes() == package_chart(bench.place / "chart", name="app", subject="chart 'app'")
    assert not project.lock_path.exists()


def test_a_pin_counts_for_what_the_spec_says_now(bench: Workbench) -> None:
    for step in charts.chart_steps(connected(bench)):
        step.action()
    bench.spec["charts"] = [{"name": "app", "source": "./chart", "version": "2.0.0"}]
    bench.write()
    project = connected(bench)
    assert charts.chart_pin(project, project.spec.charts[0]) is None


def signed(bench: Workbench) -> None:
    (bench.place / "ring.gpg").write_bytes(b"keys")
    bench.spec["charts"] = [{"name": "app", "source": "./chart", "verify": {"keyring": "ring.gpg"}}]
    bench.write()


def test_one_that_must_be_signed_and_is_not(bench: Workbench) -> None:
    signed(bench)
    project = connected(bench)
    (step,) = charts.chart_steps(project)
    assert tuple(step.after) == ("file",), "a carried helm checks where there is no other"
    with pytest.raises(SignatureError, match=r"chart 'app' is not signed, which verify\.keyring wants"):
        step.action()
    assert not project.lock_path.exists()


@pytest.mark.parametrize("told", ["verified", "refused", "no helm"])
def test_a_signature_is_helms_to_judge(bench: Workbench, told: str) -> None:
    signed(bench)
    package = package_chart(bench.place / "chart", name="app", subject="chart 'app'")
    (bench.place / "app-1.0.0.tgz").write_bytes(package)
    (bench.place / "app-1.0.0.tgz.prov").write_text("signed\n")
    bench.spec["charts"] = [{"name": "app", "source": "./app-1.0.0.tgz", "verify": {"keyring": "ring.gpg"}}]
    bench.write()
    bench.env["PATH"] = str(bench.place / "bin")
    judged = "exit 0" if told == "verified" else "echo 'Error: openpgp: no' >&2; exit 1"
    if told != "no helm":
        script(bench.place / "bin", "helm", f'[ "$1" = version ] && echo v4.0.0 && exit 0; {judged}')
    project = connected(bench)
    (step,) = charts.chart_steps(project)
    if told == "verified":
        step.action()
        assert [path.name for path in step.outputs()] == ["app-1.0.0.tgz", "app-1.0.0.tgz.prov"]
        assert charts.chart_entry(project, project.spec.charts[0]).keyring
    elif told == "refused":
        with pytest.raises(SignatureError, match=r"is not signed as verify\.keyring wants \(ring\.gpg\): openpgp: no"):
            step.action()
    else:
        with pytest.raises(MissingToolError, match="so its signature can't be checked"):
            step.action()


def two(bench: Workbench, *, version: str) -> None:
    """Two charts that call themselves app: one more directory, of this version."""
    other = bench.place / "other"
    other.mkdir()
    (other / "Chart.yaml").write_text(f"apiVersion: v2\nname: app\nversion: {version}\n")
    bench.spec["charts"] = [
        {"name": "app", "source": "./chart"},
        {"name": "app-other", "chart": "app", "source": "./other", "version": version},
    ]
    bench.write()


@pytest.mark.parametrize(
    ("version", "file"),
    [("2.0.0", "charts/app-2.0.0.tgz"), ("1.0.0", "charts/app-other-1.0.0.tgz")],
    ids=["two versions", "two makers"],
)
def test_two_charts_of_one_name(bench: Workbench, version: str, file: str) -> None:
    two(bench, version=version)
    for step in charts.chart_steps(project := connected(bench)):
        step.action()
    entries = [charts.chart_entry(project, chart) for chart in project.spec.charts]
    assert [(each.name, each.chart, each.file) for each in entries] == [
        ("app", "", "charts/app-1.0.0.tgz"),
        ("app-other", "app", file),
    ]
    assert all((project.tree / each.file).is_file() for each in entries)
    assert ChartEntry.from_dict(entries[1].to_dict()) == entries[1]


def test_a_chart_that_calls_itself_otherwise_than_is_wanted(bench: Workbench) -> None:
    two(bench, version="2.0.0")
    bench.spec["charts"][1]["chart"] = "shop"
    bench.write()
    *_, step = charts.chart_steps(connected(bench))
    with pytest.raises(FormatError, match=r"chart 'app-other': Chart.yaml says name 'app', expected 'shop'"):
        step.action()
