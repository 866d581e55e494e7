"""An install that is killed in the middle of a migration, on a node whose pods really run: the migration ends."""

import json
import os
import signal
import time
from pathlib import Path

from tests.fixtures.benches.site_bench import make_site
from tests.fixtures.benches.workbench import write_layout
from tests.fixtures.fates import SLEEP, job, pod, sh
from tests.fixtures.images.busybox import busybox_image
from tests.fixtures.parts.helms import Helm
from tests.fixtures.parts.nodes import Node

IMAGE = "${image.web.repository}:${image.web.tag}"
# It says who it is and that it begins, and goes on when it may.
MIGRATE = """\
trap 'echo $(hostname) is cut off >> /database/log; exit 1' TERM
echo $(hostname) begins >> /database/log
until [ -e /database/go ]; do sleep 0.1; done
echo $(hostname) ends >> /database/log
"""


def values(database: Path) -> str:
    """A migration that writes to a volume, and what runs after it."""
    mounted = {"volumeMounts": [{"name": "database", "mountPath": "/database"}], "image": IMAGE}
    volume = {"name": "database", "hostPath": {"path": str(database)}}
    migration = job("", volumes=[volume])
    migration["pod"] |= {"containers": [sh(MIGRATE, **mounted)], "terminationGracePeriodSeconds": 30}
    labels = {"app": "server"}
    server = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "server"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod(sh(SLEEP, image=IMAGE))["pod"]},
        },
    }
    return json.dumps({**migration, "objects": [server]})


def test_a_kill_in_a_migration_lets_it_end(node: Node, tmp_path: Path) -> None:
    database = tmp_path / "database"
    database.mkdir()
    log = database / "log"
    log.touch()
    site = make_site(
        tmp_path / "site", node.registry, Helm.make(4, tmp_path, node), node.new_namespace(), charts=("fate",)
    )
    write_layout(site.bench.place / "images/web", busybox_image(), "example.com/web:1.0")
    site.values(values(database))
    site.plan["releases"][0]["timeout"] = "5m"
    site.carry()

    with site.start("install") as process:
        wait_for(log, "begins")
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    first = site.get("job", "fate")["metadata"]["uid"]

    said = ""
    with site.start("install") as process:
        assert process.stdout
        while "hook job fate of an earlier run, which is not cut off: " not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        assert site.get("job", "fate")["metadata"]["uid"] == first
        assert log.read_text().count("\n") == 1, "no other one has begun, and it is not cut off"
        (database / "go").touch()
        said += process.communicate()[0]
    assert process.returncode == 0, said
    assert site.get("job", "fate")["metadata"]["uid"] != first
    (one, begins), (same, ends), (other, begins_too), (other_too, ends_too) = (
        line.split() for line in log.read_text().splitlines()
    )
    assert (begins, ends, begins_too, ends_too) == ("begins", "ends", "begins", "ends")
    assert one == same != other == other_too
    assert site.install().steps == []


def wait_for(log: Path, word: str) -> None:
    deadline = time.monotonic() + 120
    while word not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)
