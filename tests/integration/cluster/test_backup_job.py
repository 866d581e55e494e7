"""The CronJob of chart `backups` as a pod: under its restrictions it leaves an encrypted archive on its volume."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from clients.programs.openssl import PrivateKey
from tasks.site.records.backup_archive import BackupArchive
from tests.fixtures.benches.backups import make_keys
from tests.fixtures.images.application import system_image
from tests.fixtures.parts.clusters import asset
from tests.fixtures.parts.nodes import Node
from tests.fixtures.parts.parts import PartError
from tests.fixtures.places import ROOT

CHART = ROOT / "examples" / "zenml-pro" / "charts" / "backups"
LINES = 100_000  # of the dump


def test_the_job_leaves_an_encrypted_archive_on_its_volume(node: Node, tmp_path: Path) -> None:
    try:
        node.registry.put(system_image(), "tools/system", "1")
    except PartError as err:
        pytest.skip(str(err))
    namespace, keys, disk = node.new_namespace("backup"), make_keys(tmp_path), tmp_path / "disk"
    disk.mkdir()
    os.chown(disk, 999, 999)
    node.kubectl("create", "namespace", namespace)
    node.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    node.kubectl("wait", "--for=create", "serviceaccount/default", "-n", namespace, "--timeout=60s")
    size, modes = {"storage": "10Mi"}, ["ReadWriteOnce"]
    spec = {"capacity": size, "accessModes": modes, "storageClassName": namespace, "hostPath": {"path": str(disk)}}
    volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": namespace}, "spec": spec}
    node.kubectl("create", "-f", "-", stdin=json.dumps(volume))
    values = {
        "enabled": True,
        "application": "app",
        "recipient": (keys / "k.crt").read_text(),
        "pullSecret": "",
        "dumps": {"db": {"image": f"{node.registry.host}/tools/system:1", "command": ["seq", str(LINES)]}},
        "storage": {"size": "10Mi", "storageClass": namespace},
    }
    (tmp_path / "values.yaml").write_text(json.dumps(values))
    argv = [asset("helm4"), "template", "nightly", str(CHART), "-n", namespace, "-f", str(tmp_path / "values.yaml")]
    chart = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    node.kubectl("create", "-n", namespace, "-f", "-", stdin=chart)
    node.kubectl("create", "job", "now", "--from=cronjob/nightly-db", "-n", namespace)
    node.kubectl("wait", "--for=jsonpath={.status.succeeded}=1", "job/now", "-n", namespace, "--timeout=300s")
    (path,) = disk.iterdir()
    archive, key, part = BackupArchive.read(path), PrivateKey.at(keys / "k.key"), tmp_path / "part.cms"
    assert (archive.application, archive.target) == ("app", f"cronjob/{namespace}/nightly/db")
    (name,) = archive.parts("db")
    archive.extract(name, part)
    assert b"\n99999\n" not in path.read_bytes()
    dump = b"".join(key.stream(part, env=os.environ))
    assert dump.splitlines() == [str(number).encode() for number in range(1, LINES + 1)]
