"""`install.backup` as data."""

import json

from schema.spec.backup import DEFAULT_MAX_AGE, BackupSpec, DumpSpec, RestoreCheckSpec, RestoreSpec

DUMP = DumpSpec(name="db", run=("mysqldump", "${site.host}"), env={"PW": "${env.PW}"})
RESTORE = RestoreSpec(
    run=("mysql", "${site.scratch}"),
    env={"PW": "${env.SCRATCH_PW}"},
    checks=(RestoreCheckSpec(run=("count", "${site.scratch}"), prints="${site.rows}"), RestoreCheckSpec(run=("look",))),
)
RESTORED = DumpSpec(name="db", run=DUMP.run, env=DUMP.env, restore=RESTORE)
FULL = BackupSpec(before_upgrade=("b", "a"), max_age=60, commands=(DUMP, RESTORED))


def test_it_round_trips() -> None:
    for made in (BackupSpec(), FULL):
        assert BackupSpec.from_dict(json.loads(json.dumps(made.to_dict()))) == made
    assert DumpSpec.from_dict(json.loads(json.dumps(DUMP.to_dict()))) == DUMP


def test_without_it_no_upgrade_waits() -> None:
    assert BackupSpec().to_dict() == {"before_upgrade": [], "max_age": DEFAULT_MAX_AGE, "commands": []}


def test_all_templates_of_a_restore_are_filled() -> None:
    made = RESTORE.filled(lambda text: text.replace("${site.scratch}", "x").replace("${", "<"))
    assert made.run == ("mysql", "x")
    assert made.env == {"PW": "<env.SCRATCH_PW}"}
    assert made.checks[0] == RestoreCheckSpec(run=("count", "x"), prints="<site.rows}")
    assert made.checks[1].prints is None
    assert set(RESTORE.templates) == {
        "mysql", "${site.scratch}", "${env.SCRATCH_PW}", "count", "${site.rows}", "look", ""
    }  # fmt: skip


def test_every_command_is_known() -> None:
    assert DUMP.runs == (DUMP.run,)
    assert RESTORED.runs == (DUMP.run, RESTORE.run, ("count", "${site.scratch}"), ("look",))
