"""ZenML Pro's flagship on a bench: the root's spec word for word, its sources and its outside world stood in for.

Images are the runnable one of examples/hello under the vendor's names, charts those of tests/charts. Hosts are known to
a hosts file that only the installation sees. Behind both answers tests.examples.control_plane, by TLS of an internal
CA, and tells of the workspace what the cluster has.
"""

import json
import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme
import yaml

from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from tests.examples.control_plane import API, ControlPlane, serving
from tests.fixtures.places import CHARTS, ROOT
from tests.integration.databases import mariadb, postgresql
from tests.integration.helms import Helm
from tests.integration.images import AMD64, Image
from tests.integration.parts import CommandError, PartError, program
from tests.integration.registries import RunningRegistry
from tests.integration.site_bench import Site
from tests.tasks.workbench import Workbench, write_layout

ADDRESS = ("127.77.0.1", 443)
CONTROL_PLANE, WORKSPACE = "zenml-pro.flagship.test", "zenml-workspace.flagship.test"
HELLO = ROOT / "examples" / "hello" / "image"


@dataclass(kw_only=True)
class Plane(ControlPlane):
    """The control plane whose admin has the password that its chart was given, and a workspace as it was deployed."""

    site: "Flagship" = field(repr=False)

    def answer(self, method: str, path: str, query: Mapping[str, str], body: bytes, token: str) -> tuple[int, Any]:
        """As the stand-in, after a look into the cluster."""
        try:
            self.users["admin"] = self.site.secret("zenml-pro", "zenml-pro")["ZENML_CLOUD_ADMIN_PASSWORD"]
            if path == f"{API}/info":
                pod = self.site.get("deployment", "zenml", "zenml-workspace")["spec"]["template"]["spec"]
                env = {each["name"]: each["value"] for each in pod["containers"][0]["env"]}
                version = pod["containers"][0]["image"].rpartition(":")[2]
                self.info = {"version": version, "pro_workspace_id": env["ZENML_SERVER_PRO_WORKSPACE_ID"]}
        except CommandError:
            return 503, {"detail": "not deployed"}
        return super().answer(method, path, query, body, token)


@dataclass(kw_only=True)
class Flagship(Site):
    """The flagship's machines; `facts` are the site file."""

    facts: dict[str, Any] = field(default_factory=dict)

    def command(self, *args: str) -> tuple[list[str], dict[str, str], Path]:
        """As usual, with a hosts file and no DNS of its own."""
        (self.inside / "site.yaml").write_text(json.dumps(self.facts))
        words, env, cwd = super().command(*args, "site=site.yaml")
        script = 'mount --bind "$1" /etc/hosts && mount --bind "$2" /etc/resolv.conf && shift 2 && exec "$@"'
        alone = [program("unshare"), "--mount", "sh", "-c", script, "sh"]
        return [*alone, str(self.place / "hosts"), str(self.place / "resolv.conf"), *words], env, cwd

    def versions(self, *, pro: str, server: str) -> None:
        """Let the spec bring these versions, from images and charts that are made here."""
        written = yaml.safe_load((ROOT / "airgap.yaml").read_text())
        written["vars"] |= {"pro": pro, "server": server}
        written["bundle"]["version"] = f"{pro}-{server}"  # as it resolves
        for image in (each for each in written["images"] if "source" in each):
            version = image["source"].rpartition(":")[2].replace("${vars.pro}", pro).replace("${vars.server}", server)
            version = version.replace("${vars.python}", written["vars"]["python"])
            place = f"images/{image['name']}-{version}"
            if not (self.bench.place / place).exists():
                write_layout(self.bench.place / place, runnable(image["name"], version), f"example.com/x:{version}")
            image["source"] = f"oci:{place}"
            image.setdefault("target", f"{image['name']}:{version}")
        for chart in written["charts"][:2]:
            version = pro if chart["name"] == "zenml-pro" else server
            chart["source"] = make_chart(self.bench.place, chart["name"], version)
        written["registries"] = {self.registry.host: {"plain_http": True}}
        self.bench.write(written)

    def backup_key(self) -> Path:
        """A certificate that backups are encrypted to. The databases' clients are stood in for: they write a line."""
        for name in ("mysqldump", "pg_dump"):
            program_ = self.place / "bin" / name
            program_.parent.mkdir(exist_ok=True)
            program_.write_text('#!/bin/sh\ntest -n "$MYSQL_PWD$PGPASSWORD" && echo "-- dump: $*"\n')
            program_.chmod(0o755)
        self.env["PATH"] = os.pathsep.join([str(self.place / "bin"), self.helm.env["PATH"]])
        key, certificate = self.place / "backup.key", self.place / "backup.crt"
        argv = [
            program("openssl"),
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "9",
            "-subj",
            "/CN=backup",
        ]
        subprocess.run([*argv, "-keyout", str(key), "-out", str(certificate)], capture_output=True, check=True)
        return certificate

    def values_of(self, release: str, namespace: str) -> dict[str, Any]:
        """The values that a release was given last."""
        found = json.loads(self.helm.run("get", "values", release, "-n", namespace, "-o", "json"))
        assert isinstance(found, dict)
        return found

    def revisions(self) -> dict[str, tuple[int, str]]:
        """Each release of the cluster with its revision and chart."""
        found = json.loads(self.helm.run("list", "--all-namespaces", "-o", "json"))
        names = ("zenml-pro", "zenml-workspace", "zenml-runners")
        return {each["name"]: (int(each["revision"]), each["chart"]) for each in found if each["namespace"] in names}


def runnable(name: str, version: str) -> Image:
    """The image of examples/hello with labels of its own, so that each has a digest of its own."""
    index = json.loads((HELLO / "index.json").read_text())
    manifest = json.loads(_blob(index["manifests"][0]["digest"]))
    config = json.loads(_blob(manifest["config"]["digest"]))
    config["config"] = {**config.get("config", {}), "Labels": {"name": name, "version": version}}
    written = json.dumps(config, sort_keys=True).encode()
    manifest["config"] |= {"digest": str(Digest.of(written)), "size": len(written)}
    raw = json.dumps(manifest, sort_keys=True).encode()
    kind = index["manifests"][0]["mediaType"]
    layers = {Digest.parse(each["digest"]): _blob(each["digest"]) for each in manifest["layers"]}
    return Image(
        descriptor=Descriptor(media_type=kind, digest=Digest.of(raw), size=len(raw)),
        raw=raw,
        blobs={Digest.of(written): written, **layers},
        platform=AMD64,
    )


def make_chart(project: Path, name: str, version: str) -> str:
    """The chart in this version; from 0.94.2 on the workspace's values stand below `server:`."""
    place = project / "charts" / f"{name}-{version}"
    if not place.exists():
        shutil.copytree(CHARTS / name, place)
        about = yaml.safe_load((place / "Chart.yaml").read_text())
        (place / "Chart.yaml").write_text(yaml.safe_dump({**about, "version": version}))
        if name == "zenml" and version >= "0.94.2":
            values = place / "values.yaml"
            values.write_text(values.read_text().replace("\nzenml:\n", "\nserver:\n"))
    return str(place.relative_to(project))


@contextmanager
def flagship(place: Path, registry: RunningRegistry, helm: Helm) -> Iterator[tuple[Flagship, Plane]]:
    """The site with its databases, its ingress and its control plane, nothing installed yet."""
    program("openssl")  # the page on backups uses it
    if subprocess.run([program("unshare"), "--mount", "true"], capture_output=True, check=False).returncode:
        raise PartError("a mount namespace is not permitted here")
    with ExitStack() as stack:
        postgres = stack.enter_context(postgresql({}))
        mysql = stack.enter_context(mariadb())
        bench = Workbench(place=place / "project", env={"PATH": helm.env["PATH"]})
        for name in ("examples/zenml-pro", "docs/zenml-pro"):
            shutil.copytree(ROOT / name, bench.place / name)
        for name in ("docker", "inside/tls"):
            (place / name).mkdir(parents=True)
        site = Flagship(place=place, bench=bench, registry=registry, helm=helm, namespace="zenml-pro")
        site.facts = _facts(registry, mysql=mysql, postgres=postgres)
        (place / "hosts").write_text(f"127.0.0.1 localhost\n{ADDRESS[0]} {CONTROL_PLANE} {WORKSPACE}\n")
        (place / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        tls = _certificates(place / "inside" / "tls")
        site.env |= {
            "SSL_CERT_FILE": str(place / "inside/tls/internal-ca.crt"),
            "REGISTRY_USER": "robot",
            "REGISTRY_PASSWORD": "password-of-robot",
            "CONTROL_PLANE_DATABASE_PASSWORD": "password-of-one",
            "WORKSPACE_DATABASE_PASSWORD": "p@ss/w:rd%two",
        }
        try:
            plane = stack.enter_context(serving(Plane(site=site), address=ADDRESS, tls=tls))
        except OSError as err:
            raise PartError(f"nobody may listen at {ADDRESS[0]}:{ADDRESS[1]} here: {err}") from err
        yield site, plane


def _facts(registry: RunningRegistry, *, mysql: int, postgres: int) -> dict[str, Any]:
    """The example's facts, filled in."""
    facts: dict[str, Any] = yaml.safe_load((ROOT / "examples/zenml-pro/site.example.yaml").read_text())
    facts["registry"] = f"{registry.host}/flagship"
    facts["control_plane"] |= {"host": CONTROL_PLANE}
    facts["control_plane"]["database"] |= {"type": "postgres", "host": "127.0.0.1", "port": postgres}
    facts["workspace"] |= {"host": WORKSPACE}
    facts["workspace"]["database"] |= {"host": "127.0.0.1", "port": mysql}
    return facts


def _certificates(place: Path) -> ssl.SSLContext:
    """The internal CA and a certificate for each host, as a customer lays them beside the site file."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(place / "internal-ca.crt")
    for name, host in (("control-plane", CONTROL_PLANE), ("workspace", WORKSPACE)):
        issued = authority.issue_cert(host)
        issued.cert_chain_pems[0].write_to_path(place / f"{name}.crt")
        issued.private_key_pem.write_to_path(place / f"{name}.key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(CONTROL_PLANE, WORKSPACE).configure_cert(context)
    return context


def _blob(digest: str) -> bytes:
    return (HELLO / "blobs" / digest.replace(":", "/")).read_bytes()
