"""`install.backup` as data."""

import json

from schema.spec.backup import DEFAULT_MAX_AGE, BackupSpec, DumpSpec

DUMP = DumpSpec(name="db", run=("mysqldump", "${site.host}"), env={"PW": "${env.PW}"})
FULL = BackupSpec(before_upgrade=("b", "a"), max_age=60, commands=(DUMP, DUMP))


def test_it_round_trips() -> None:
    for made in (BackupSpec(), FULL):
        assert BackupSpec.from_dict(json.loads(json.dumps(made.to_dict()))) == made
    assert DumpSpec.from_dict(json.loads(json.dumps(DUMP.to_dict()))) == DUMP


def test_without_it_no_upgrade_waits() -> None:
    assert BackupSpec().to_dict() == {"before_upgrade": [], "max_age": DEFAULT_MAX_AGE, "commands": []}
