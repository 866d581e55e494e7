"""The units that make backups by themselves."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import AirgapError
from tasks.commands.installed.backups.backup import Backup
from tasks.commands.installed.backups.timer import DAILY, BackupTimer, quoted
from tests.fixtures.benches.backups import installing, make_keys
from tests.fixtures.benches.receiving import ENV, commanded, make_carried, receiving, said


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_keys(tmp_path_factory.mktemp("keys"))


def timer(**changes: Any) -> BackupTimer:
    made: dict[str, Any] = {
        "name": "airgap-backup-app",
        "application": "app",
        "calendar": DAILY,
        "user": "ops",
        "argv": ("/usr/bin/python3", "/srv/app/airgap.pyz", "backup", "out=/backup"),
        "cwd": Path("/srv"),
        "env": {"PATH": "/usr/bin"},
        "secrets": (),
        "reads": (Path("/srv/app"),),
        "writes": (Path("/backup"),),
        **changes,
    }
    return BackupTimer(**made)


@pytest.mark.parametrize(
    ("text", "word", "in_command"),
    [
        pytest.param("/a/b.tar", "/a/b.tar", "/a/b.tar", id="plain"),
        pytest.param("/a b", '"/a b"', '"/a b"', id="blank"),
        pytest.param("100%", '"100%%"', '"100%%"', id="percent"),
        pytest.param("a$b", '"a$b"', '"a$$b"', id="dollar"),
        pytest.param('a"b', '"a\\"b"', '"a\\"b"', id="quote"),
        pytest.param("a\\b", '"a\\\\b"', '"a\\\\b"', id="backslash"),
        pytest.param("it's", '"it\'s"', '"it\'s"', id="apostrophe"),
        pytest.param("", '""', '""', id="empty"),
        pytest.param(";", '";"', '";"', id="semicolon"),
    ],
)
def test_words_are_quoted_as_systemd_reads_them(text: str, word: str, in_command: str) -> None:
    assert quoted(text) == word
    assert quoted(text, command=True) == in_command


def test_the_units() -> None:
    made = timer(cwd=Path("/srv/100% a"), secrets=("DB", "PW"), reads=(Path("/srv/a b"), Path("/k.crt")))
    lines = made.service.splitlines()
    assert lines[lines.index("[Service]") + 1 :][:8] == [
        "Type=oneshot",
        "User=ops",
        "WorkingDirectory=/srv/100%% a",
        "Environment=PATH=/usr/bin",
        "# DB, PW",
        "EnvironmentFile=/etc/airgap/backup-app.env",
        "ExecStart=/usr/bin/python3 /srv/app/airgap.pyz backup out=/backup",
        "Nice=10",
    ]
    assert 'RequiresMountsFor="/srv/a b" /k.crt' in lines
    assert {"ReadWritePaths=/backup", "PrivateTmp=yes", "ProtectSystem=strict", "NoNewPrivileges=yes"} <= set(lines)
    assert "OnCalendar=*-*-* 02:30:00\nRandomizedDelaySec=5min\nPersistent=true\n" in made.timer
    assert "WantedBy=timers.target" in made.timer


def test_what_lies_in_a_place_for_temporary_files_is_seen_by_the_service() -> None:
    lines = timer(reads=(Path("/tmp/kubeconfig"),)).service.splitlines()
    assert {"ReadWritePaths=/backup /tmp /var/tmp", "PrivateTmp=no"} <= set(lines)


def test_it_runs_what_was_typed_from_anywhere(
    carried_bundle: Path, tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(keys)
    monkeypatch.setattr(sys, "argv", ["airgap"])
    monkeypatch.setitem(ENV, "KUBECONFIG", f"k.conf{os.pathsep}/etc/k2")
    words = ("backup", "key=k.crt", "keep=14", "--timer=x", "name=of-nothing", "site=")
    receiver = receiving(carried_bundle, tmp_path / "state", key=str(keys / "k.crt"), words=words)
    made = BackupTimer.of(receiver, tmp_path / "out", DAILY)
    assert made.argv[2:] == (
        "backup",
        f"out={tmp_path / 'out'}",
        f"state={tmp_path / 'state'}",
        f"key={keys / 'k.crt'}",
        "keep=14",
        "site=",
    )
    assert Path(made.argv[0]).is_absolute()
    assert Path(made.argv[1]).is_absolute()
    assert made.env == {"PATH": ENV["PATH"], "KUBECONFIG": f"{keys / 'k.conf'}:/etc/k2"}
    assert made.name == "airgap-backup-app"
    assert {keys / "k.crt", keys / "k.conf", Path("/etc/k2"), keys} <= set(made.reads)
    assert made.writes == (tmp_path / "out", tmp_path / "state")


def test_each_site_has_its_own(carried_bundle: Path, tmp_path: Path) -> None:
    site = tmp_path / "north 1.yaml"
    site.write_text("host: n.example\n")
    receiver = receiving(carried_bundle, tmp_path / "state", site=str(site))
    assert BackupTimer.of(receiver, tmp_path, DAILY).name == "airgap-backup-app-north-1"


@pytest.mark.parametrize("calendar", ["daily\nUser=root", " daily", "daily\\"])
def test_what_no_unit_can_hold_is_refused(carried_bundle: Path, tmp_path: Path, calendar: str) -> None:
    receiver = receiving(carried_bundle, tmp_path / "state")
    with pytest.raises(AirgapError, match="a systemd unit can't hold"):
        BackupTimer.of(receiver, tmp_path, calendar)


def test_they_are_written_and_hold_no_secret(tmp_path: Path, keys: Path) -> None:
    command = {"name": "db", "run": ["dump", "${site.host}"], "env": {"PW": "${env.DB_PASSWORD}"}}
    release = {"name": "app", "chart": "app", "namespace": "app"}
    install = {"releases": [release], "backup": {"commands": [command]}}
    bundle = make_carried(tmp_path / "project", install=install).bundle
    place, units = tmp_path / "100% a", tmp_path / "units"
    place.mkdir()
    receiver = receiving(
        bundle,
        place / "state",
        key=str(keys / "k.crt"),
        out=str(place / "out"),
        words=(f"key={keys / 'k.crt'}", f"out={place / 'out'}"),
        env={**ENV, "DB_PASSWORD": "hunter2"},
    )
    assert commanded(Backup, receiver, timer=str(units), calendar="Mon *-*-* 04:00:00") == 0, said(receiver)
    service, timed = (units / f"airgap-backup-app.{suffix}" for suffix in ("service", "timer"))
    assert "hunter2" not in service.read_text() + said(receiver)
    assert "OnCalendar=Mon *-*-* 04:00:00\n" in timed.read_text()
    told = said(receiver)
    assert f"wrote {service}\nwrote {timed}\n" in told
    assert "install -D -m 0600 /dev/null /etc/airgap/backup-app.env" in told
    assert "  DB_PASSWORD=...\n" in told
    assert "systemctl enable --now airgap-backup-app.timer" in told
    assert list((place / "out").iterdir()) == [], "no backup was made"
    if verify := shutil.which("systemd-analyze"):
        done = subprocess.run([verify, "verify", str(service), str(timed)], capture_output=True, text=True, check=False)
        assert "airgap-backup-app" not in done.stderr, done.stderr


def test_a_key_that_can_not_be_used_is_told_now(carried_bundle: Path, tmp_path: Path, keys: Path) -> None:
    receiver = installing(carried_bundle, tmp_path, keys, key=str(keys / "k.key"))
    assert commanded(Backup, receiver, timer=str(tmp_path / "units")) == 1
    assert not (tmp_path / "units").exists()
