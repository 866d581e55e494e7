"""What `backup` keeps of a real installation, who can read it, and what waits for it."""

import base64
import json
import os
import pwd
import re
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.fixtures.benches.site_bench import VALUES, Site, make_site
from tests.fixtures.parts.clusters import Cluster
from tests.fixtures.parts.databases import mariadb_argv, postgresql
from tests.fixtures.parts.helms import Helm
from tests.fixtures.parts.parts import PartError, program
from tests.fixtures.parts.registries import RunningRegistry

pytestmark = pytest.mark.parametrize("helm", [3], indirect=True, ids=["helm 3"])
PASSWORD = "correct-horse-battery"
ROWS = "INSERT INTO users VALUES ('ada');\n"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """The directory with backup.crt, and backup.key that is never on the installing machine in earnest."""
    try:
        openssl = program("openssl")
    except PartError as err:
        pytest.skip(str(err))
    argv = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "10", "-subj", "/CN=backup"]
    argv += ["-keyout", str(tmp_path / "backup.key"), "-out", str(tmp_path / "backup.crt")]
    subprocess.run(argv, capture_output=True, check=True)
    return tmp_path


@pytest.fixture
def site(tmp_path: Path, registry: RunningRegistry, helm: Helm, cluster: Cluster) -> Site:
    """A release, a generated secret that its values use, a certificate, and a database that is a file here."""
    site = make_site(tmp_path, registry, helm, cluster.new_namespace())
    site.values(VALUES + "password: ${secret.database}\n")
    site.plan["secrets"] = [
        {"name": "database", "generate": "alnum20"},
        {"name": "front", "type": "tls", "certificate": "${file.tls.crt}", "key": "${file.tls.key}"},
    ]
    dump = ["sh", "-c", 'test "$PGPASSWORD" = ' + PASSWORD + ' && cat "$ROWS"']
    site.plan["backup"] = {
        "before_upgrade": ["web"],
        "commands": [
            {"name": "users", "run": dump, "env": {"PGPASSWORD": "${env.DB_PASSWORD}", "ROWS": "${site.rows}"}}
        ],
    }
    issued = trustme.CA().issue_cert("shop.corp")
    issued.cert_chain_pems[0].write_to_path(site.inside / "tls.crt")
    issued.private_key_pem.write_to_path(site.inside / "tls.key")
    (site.inside / "rows.sql").write_text(ROWS)
    (site.inside / "site.yaml").write_text(f"rows: {site.inside / 'rows.sql'}\n")
    site.env["DB_PASSWORD"] = PASSWORD
    return site


def decrypted(keys: Path, path: Path) -> bytes:
    """As README.txt in the archive says."""
    argv = [program("openssl"), "cms", "-decrypt", "-binary", "-inform", "DER", "-in", str(path)]
    argv += ["-recip", str(keys / "backup.crt"), "-inkey", str(keys / "backup.key")]
    return subprocess.run(argv, capture_output=True, check=True).stdout


def opened(site: Site) -> Path:
    """The one archive that was written, unpacked."""
    (archive,) = site.inside.glob("backup-*.tar")
    assert archive.stat().st_mode & 0o777 == 0o600
    with tarfile.open(archive) as tar:
        tar.extractall(site.place / "opened", filter="data")
    return site.place / "opened" / archive.stem


def backup(site: Site, keys: Path, *words: str) -> str:
    ran = site.run("backup", f"key={keys / 'backup.crt'}", "site=site.yaml", *words)
    assert ran.code == 0, ran.out + ran.err
    return ran.out


def test_all_that_an_installation_is_rebuilt_from_is_there_and_only_the_key_reads_it(site: Site, keys: Path) -> None:
    site.carry()
    site.install("site=site.yaml")
    secret = site.secret("database")["value"]
    out = backup(site, keys)
    assert "release web: chart web-1.0.0, revision 1, its values" in out
    assert re.search(r"certificate \S+/front: until \d{4}-\d\d-\d\d", out)
    assert secret not in out
    assert PASSWORD not in out
    place = opened(site)
    plain = b"".join(path.read_bytes() for path in place.rglob("*") if path.is_file())
    for hidden in (secret, PASSWORD, ROWS, base64.b64encode(secret.encode()).decode()):
        assert hidden.encode() not in plain
    about = json.loads((place / "backup.json").read_text())
    assert about["releases"] == [{"name": "web", "namespace": site.namespace, "chart": "web-1.0.0", "revision": 1}]
    assert about["certificates"][0]["hosts"] == ["shop.corp"]
    assert json.loads((place / "receipt.json").read_text())["bundle"]["id"] == about["bundle"]["id"]
    values = json.loads(decrypted(keys, place / f"values/{site.namespace}.web.json.cms"))
    assert values["password"] == secret
    assert decrypted(keys, place / "dumps/users.0001.cms").decode() == ROWS
    assert not list(site.inside.glob(".backup-*"))
    restored = site.place / "secrets.json"
    restored.write_bytes(decrypted(keys, place / "secrets.json.cms"))
    site.helm.cluster.kubectl("delete", "secret", "database", "-n", site.namespace)
    site.helm.cluster.kubectl("apply", "-f", str(restored))
    assert site.secret("database")["value"] == secret
    assert site.install("site=site.yaml").steps == []


def test_an_upgrade_waits_for_a_backup_of_what_runs(site: Site, keys: Path) -> None:
    site.carry()
    site.install("site=site.yaml")
    chart = site.bench.place / "charts/web/Chart.yaml"
    chart.write_text(chart.read_text().replace("version: 1.0.0", "version: 1.1.0"))
    site.bench.doit("lock", "web")
    site.carry()
    told = site.refused("site=site.yaml").err
    assert "release 'web': it would go from chart web-1.0.0 to web-1.1.0, and there is no backup of it" in told
    assert "python3 airgap.pyz backup key=RECIPIENT.crt" in told
    assert site.revision("web") == 1
    backup(site, keys)
    noted = site.installation / "backup.json"
    before = noted.read_text()
    noted.write_text(re.sub(r'"created": "\d{4}', '"created": "2020', before))
    assert "hours old, more than 24" in site.refused("site=site.yaml").err
    noted.write_text(before.replace(": 1", ": 7"))
    assert "the last backup has revision 7 of it, not revision 1 that runs now" in site.refused("site=site.yaml").err
    noted.write_text(before)
    assert "helm:web" in site.install("site=site.yaml").steps
    site.values(VALUES.replace("replicas: 1", "replicas: 2") + "password: ${secret.database}\n")
    site.carry()
    assert "helm:web" in site.install("site=site.yaml").steps


def test_what_fails_leaves_no_archive_and_no_plaintext(site: Site, keys: Path) -> None:
    site.carry()
    told = site.run("backup", f"key={keys / 'backup.crt'}", "site=site.yaml")
    assert (told.code, "there is nothing to back up" in told.err) == (1, True)
    site.install("site=site.yaml")
    assert site.run("backup").code == 3
    (site.inside / "not.crt").write_text("not")
    for key, said in (
        ("not.crt", "openssl req -x509"),
        ("gone.crt", "No such file"),
        (str(keys / "backup.key"), "key"),
    ):
        ran = site.run("backup", f"key={key}", "site=site.yaml")
        assert (ran.code, said in ran.err) == (1, True), ran.err
    del site.env["DB_PASSWORD"]
    ran = site.run("backup", f"key={keys / 'backup.crt'}", "site=site.yaml")
    assert "${env.DB_PASSWORD} is not set; used in backup command 'users'" in ran.err
    site.env["DB_PASSWORD"] = "wrong"
    ran = site.run("backup", f"key={keys / 'backup.crt'}", "site=site.yaml")
    assert (ran.code, "backup command 'users': sh ended with 1" in ran.err) == (1, True)
    site.env["PATH"] = "/nonexistent"
    assert "openssl" in site.run("backup", f"key={keys / 'backup.crt'}", "site=site.yaml").err
    assert not list(site.inside.glob("*backup-*"))
    assert not (site.installation / "backup.json").exists()


def restored(site: Site, keys: Path, dump: dict[str, Any]) -> str:
    """What `restore-test` says of a backup with this dump, and `status` afterwards."""
    site.plan["backup"]["commands"] = [dump]
    (site.inside / "site.yaml").write_text("{}\n")
    site.carry()
    site.install("site=site.yaml")
    backup(site, keys)
    (archive,) = site.inside.glob("backup-*.tar")
    ran = site.run("restore-test", f"archive={archive}", f"key={keys / 'backup.key'}", "site=site.yaml")
    assert ran.code == 0, ran.out + ran.err
    assert f"restore test passed: {dump['name']} of {archive}, " in ran.out
    assert "last restore test: 0 hours ago" in site.run("status", "site=site.yaml").out
    return ran.out


def test_a_dump_of_postgresql_is_restored_and_its_data_checked(site: Site, keys: Path) -> None:
    user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    site.env["DB_PASSWORD"] = "loopback-only"
    with postgresql({}) as port:
        where = ["--host=127.0.0.1", f"--port={port}", f"--username={user}", "--no-password"]
        psql = [program("psql"), *where, "--no-psqlrc", "--quiet", "--no-align", "--tuples-only"]
        rows = "CREATE TABLE users AS SELECT n, md5(n::text) AS name FROM generate_series(1, 200000) AS n"
        for database, statement in (("postgres", "CREATE DATABASE app"), ("app", rows)):
            subprocess.run([*psql, "-c", statement, database], env={"PGPASSWORD": "loopback-only"}, check=True)
        subprocess.run(
            [*psql, "-c", "CREATE DATABASE scratch", "postgres"], env={"PGPASSWORD": "loopback-only"}, check=True
        )
        password = {"PGPASSWORD": "${env.DB_PASSWORD}"}
        out = restored(
            site,
            keys,
            {
                "name": "app",
                "run": [program("pg_dump"), *where, "--format=custom", "app"],
                "env": password,
                "restore": {
                    "run": [program("pg_restore"), *where, "--clean", "--if-exists", "--exit-on-error", "-dscratch"],
                    "env": password,
                    "checks": [
                        {"run": [*psql, "-c", "SELECT count(*), min(n), max(n) FROM users", "scratch"],
                         "prints": "200000|1|200000"},
                    ],
                },
            },
        )  # fmt: skip
    assert "dump app: restored, 1 checks passed" in out


def test_a_dump_of_mariadb_is_restored_and_its_data_checked(site: Site, keys: Path) -> None:
    """The server's own bootstrap mode reads SQL from its standard input: no client is needed."""
    with mariadb_argv() as source, mariadb_argv() as scratch:
        schema = "CREATE DATABASE app;\nCREATE TABLE app.users (name VARCHAR(40)) ENGINE=InnoDB;\n"
        rows = "INSERT INTO app.users VALUES ('ada'), ('edsger'), ('grace');\n"
        subprocess.run(source, input=schema + rows, text=True, capture_output=True, check=True)
        place = site.inside / "dumped"
        place.mkdir()
        insert = "CONCAT('INSERT INTO app.users VALUES (', QUOTE(name), ');')"
        (place / "select.sql").write_text(f"SELECT {insert} INTO OUTFILE '{place}/rows' FROM app.users;\n")
        (place / "schema.sql").write_text(schema)
        dump = f'"$@" < {place}/select.sql >&2 && cat {place}/schema.sql {place}/rows; rm -f {place}/rows'
        (place / "count.sql").write_text(
            f"SELECT GROUP_CONCAT(name ORDER BY name) INTO OUTFILE '{place}/found' FROM app.users;\n"
        )
        count = f'rm -f {place}/found; "$@" < {place}/count.sql >&2 && cat {place}/found'
        out = restored(
            site,
            keys,
            {
                "name": "app",
                "run": ["sh", "-c", dump, "sh", *source],
                "restore": {
                    "run": list(scratch),
                    "checks": [{"run": ["sh", "-c", count, "sh", *scratch], "prints": "ada,edsger,grace"}],
                },
            },
        )
    assert "dump app: restored, 1 checks passed" in out
