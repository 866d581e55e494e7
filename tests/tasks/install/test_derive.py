"""Images made at install: a step each, which knows when it has to run again."""

from pathlib import Path

import pytest
import trustme

from tasks.install.derive import derive_steps
from tasks.runtime.step import Step
from tasks.site.receiver import Receiver
from tests.fixtures.benches.receiving import named, receiving
from tests.fixtures.benches.workbench import bundled, make, write_layout
from tests.fixtures.images.system_images import DEBIAN, system


def authority() -> str:
    return trustme.CA().cert_pem.bytes().decode()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images, of the first of which one with the site's certificates is made."""
    bench = make(tmp_path_factory.mktemp("derive") / "project")
    write_layout(bench.place / "images/one", system(DEBIAN, {"app": b"program"}), "example.com/one:1.0")
    derived = [{"name": "one-ca", "base": "one", "add_ca": "${site.ca}", "target": "one-ca:1.0"}]
    images = bench.spec["images"]
    assert isinstance(images, list)
    bench.write({**bench.spec, "images": [*images, *derived]})
    return bundled(bench).bundle


def installing(bundle: Path, place: Path, text: str) -> Receiver:
    place.mkdir(exist_ok=True)
    (place / "ca.pem").write_text(text)
    (place / "site.yaml").write_text("ca: ca.pem\n")
    return receiving(bundle, place)


def only(receiver: Receiver) -> Step:
    (step,) = named(derive_steps(receiver)).values()
    return step


def test_it_is_made_once(bundle: Path, tmp_path: Path) -> None:
    text = authority()
    step = only(installing(bundle, tmp_path / "state", text))
    assert (step.task_name, step.doc) == ("derive:one-ca", "make it of one and more certificates")
    assert list(step.outputs()) == []
    step.action()
    files = list(step.outputs())
    assert files
    assert all(path.is_file() and path.is_relative_to(tmp_path / "state") for path in files)
    again = only(installing(bundle, tmp_path / "state", text))
    assert (again.inputs(), list(again.outputs())) == (step.inputs(), files)


def test_other_certificates_are_a_reason_to_make_it_anew(bundle: Path, tmp_path: Path) -> None:
    first = only(installing(bundle, tmp_path / "state", authority()))
    first.action()
    before = first.inputs()
    second = only(installing(bundle, tmp_path / "state", authority()))
    assert second.inputs() != before
    assert list(second.outputs()) == []


def test_without_such_images_there_is_no_step(receiver: Receiver) -> None:
    assert list(derive_steps(receiver)) == []
