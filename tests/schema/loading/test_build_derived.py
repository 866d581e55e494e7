"""Images that are made at install, and backups, as the resolved spec carries them."""

import json
from pathlib import Path

import pytest

from schema.site.stand_ins.rehearsal import AUTHORITY
from schema.spec.carried import carried_files
from schema.spec.spec import Spec
from tests.fixtures.made.installs import spec

IMAGES = """\
images:
  - {name: client, source: 'quay.io/x/client:1'}
  - {name: Client-CA, base: client, add_ca: certs/ca.crt}
  - {name: other, base: client, add_ca: "${site.ca}", target: team/other}
"""
BACKUP = """\
charts: [{name: web, source: 'oci://h.x/web', version: '1.0.0'}]
install:
  releases: [{name: web, chart: web, namespace: web}]
  backup:
    before_upgrade: [web]
    max_age: 12h
    commands: [{name: db, run: [dump, "${site.host}"], env: {DB_PASSWORD: "${env.DB}"}}]
"""


def loaded(tmp_path: Path) -> Spec:
    return spec(tmp_path, IMAGES + BACKUP, {"certs/ca.crt": AUTHORITY})


def test_a_derived_image_is_named_for_itself_with_its_bases_tag(tmp_path: Path) -> None:
    made = loaded(tmp_path)
    assert [str(image.target) for image in made.derived] == [
        "reg.internal/demo/client-ca:1",
        "reg.internal/demo/team/other:1",
    ]
    assert [image.name for image in made.images] == ["client"]
    assert made.targets[0] == made.images[0].target


def test_only_a_file_that_the_spec_names_travels(tmp_path: Path) -> None:
    assert list(carried_files(loaded(tmp_path))) == ["install/certs/ca.crt"]


@pytest.mark.parametrize("part", ["images", "install"])
def test_the_resolved_spec_gives_it_again(tmp_path: Path, part: str) -> None:
    made = loaded(tmp_path)
    data = json.loads(json.dumps(made.to_dict()))
    again = Spec.from_dict(data, path=made.path)
    assert again == made
    assert again.to_dict()[part] == data[part]
    assert again.install.backup.max_age == 12 * 3600
