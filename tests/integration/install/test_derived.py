"""A client image with the internal CA baked in at install, judged by OpenSSL in containers of a real Docker Engine."""

import json
import re
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from socket import create_server

import pytest
import trustme

from tests.fixtures.benches.site_bench import make_site
from tests.fixtures.benches.workbench import Ran, Workbench, write_layout
from tests.fixtures.images.images import image
from tests.fixtures.images.system_images import ALPINE, DEBIAN, RED_HAT, Files, layer_of
from tests.fixtures.parts.clusters import Cluster
from tests.fixtures.parts.helms import Helm
from tests.fixtures.parts.parts import CommandError, Engine, PartError, program
from tests.fixtures.parts.registries import RunningRegistry

SYSTEMS: dict[str, tuple[Files, str, bool]] = {
    "debian": (DEBIAN, "/usr/lib/ssl/cert.pem", False),
    "redhat": (RED_HAT, "/etc/pki/tls/cert.pem", True),
    "alpine": (ALPINE, "/etc/ssl/cert.pem", False),
}
"""The files, the name by which the system's programs know the bundle, and whether the manifest is Docker's."""


@cache
def openssl() -> Files:
    """This machine's openssl with the libraries that it is linked with."""
    path = program("openssl")
    linked = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
    wanted = [path, *re.findall(r"(/\S+) \(0x", linked)]
    return {name.lstrip("/"): Path(name).resolve().read_bytes() for name in wanted}


@dataclass(frozen=True, kw_only=True)
class Site:
    """A bundle with a client image for each system, and the machine inside, whose servers have an internal CA."""

    place: Path
    registry: RunningRegistry
    authority: trustme.CA

    @property
    def bench(self) -> Workbench:
        return Workbench(place=self.place / "project")

    def prefix(self) -> str:
        return f"{self.registry.host}/{self.place.name}"

    def make(self, **systems: str) -> None:
        """The bundle: each system's client, and one derived of it with this `add_ca`."""
        project = self.place / "project"
        (project / "certs").mkdir(parents=True)
        self.authority.cert_pem.write_to_path(project / "certs/internal-ca.crt")
        for system in systems:
            files, _, docker = SYSTEMS[system]
            own = trustme.CA().cert_pem.bytes()
            told = {name: own if isinstance(content, bytes) else content for name, content in files.items()}
            made = image(layer_of(told), layer_of(openssl(), mode=0o755), docker=docker)
            write_layout(project / f"images/{system}", made, f"example.com/{system}:1.0")
        self.bench.write(
            {
                "version": 1,
                "bundle": {"name": "app", "version": "1.0"},
                "registry": {"prefix": self.prefix()},
                "registries": {self.registry.host: {"plain_http": True}},
                "images": [
                    *(
                        {"name": system, "source": f"oci:images/{system}", "target": f"{system}:1.0"}
                        for system in systems
                    ),
                    *({"name": f"{system}-ca", "base": system, "add_ca": ca} for system, ca in systems.items()),
                ],
            }
        )
        ran = self.bench.doit("bundle")
        assert ran.code == 0, ran.out + ran.err
        shutil.copytree(self.bench.bundle, self.place / "carried")

    def run(self, *words: str) -> Ran:
        """A command of the carried program."""
        argv = [sys.executable, "-I", str(self.place / "carried/airgap.pyz"), *words, f"state={self.place / 'state'}"]
        done = subprocess.run(argv, cwd=self.place, capture_output=True, text=True, check=False, timeout=120)
        assert "Traceback" not in done.stderr + done.stdout, done.stderr + done.stdout
        return Ran(code=done.returncode, out=done.stdout, err=done.stderr)

    def install(self, *words: str) -> Ran:
        ran = self.run("install", *words)
        assert ran.code == 0, ran.out + ran.err
        return ran

    def receipt(self) -> dict[str, dict[str, str]]:
        receipt = json.loads((self.place / "state/receipt.json").read_text())
        return {each["name"]: each for each in receipt["images"]}


@pytest.fixture
def site(tmp_path: Path, registry: RunningRegistry) -> Site:
    try:
        program("openssl")
    except PartError as err:
        pytest.skip(str(err))
    return Site(place=tmp_path, registry=registry, authority=trustme.CA())


@contextmanager
def tls_server(authority: trustme.CA) -> Iterator[int]:
    """A server on a port of loopback with a certificate of this authority; it shakes hands and says goodbye."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with suppress(OSError), connection:
                    context.wrap_socket(connection, server_side=True).unwrap().close()

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]


def connect(engine: Engine, reference: str, port: int, *options: str) -> str:
    """What openssl in a container of an image says of the server; a CommandError when it does not trust it."""
    words = ["s_client", "-connect", f"127.0.0.1:{port}", "-verify_return_error", "-verify_hostname", "localhost"]
    return engine.docker("run", "--rm", "--network", "host", reference, program("openssl"), *words, *options)


def test_containers_of_every_system_trust_the_internal_authority(site: Site, engine: Engine) -> None:
    """By the variables that every program of OpenSSL's reads, and by the name that the system itself has for it."""
    site.make(**dict.fromkeys(SYSTEMS, "certs/internal-ca.crt"))
    ran = site.install()
    with tls_server(site.authority) as port:
        for system, (_, name, _) in SYSTEMS.items():
            plain, derived = f"{site.prefix()}/{system}:1.0", f"{site.prefix()}/{system}-ca:1.0"
            engine.docker("pull", plain)
            engine.docker("pull", derived)
            with pytest.raises(CommandError, match=r"unable to get local issuer|self-signed"):
                connect(engine, plain, port, "-CAfile", name)
            assert "Verify return code: 0 (ok)" in connect(engine, derived, port)
            assert "Verify return code: 0 (ok)" in connect(engine, derived, port, "-CAfile", name)
            (told,) = json.loads(engine.docker("inspect", derived))
            assert site.receipt()[f"{system}-ca"]["digest"] in told["RepoDigests"][0]
            assert re.search(rf"push:{system}-ca .*mounted", ran.out), ran.out


def test_a_second_run_does_nothing_and_another_authority_makes_another_image(site: Site) -> None:
    site.make(debian="${site.ca}")
    site.authority.cert_pem.write_to_path(site.place / "ours.crt")
    (site.place / "site.yaml").write_text("ca: ours.crt\n")
    assert {"derive:debian-ca", "push:debian-ca"} <= set(site.install("site=site.yaml").steps)
    first = site.receipt()["debian-ca"]["digest"]
    assert site.install("site=site.yaml").steps == []
    shutil.rmtree(site.place / "state")
    assert "push:debian-ca" not in site.install("site=site.yaml").steps
    assert site.receipt()["debian-ca"]["digest"] == first
    trustme.CA().cert_pem.write_to_path(site.place / "ours.crt")
    plan = site.run("plan", "install", "site=site.yaml")
    assert "derive:debian-ca" in plan.out
    ran = site.install("site=site.yaml")
    assert ran.steps == ["derive:debian-ca", "preflight", "push:debian-ca", "receipt"]
    sent = re.search(r"^  pushed +([0-9.]+ [kKM]?B), already present", ran.out, re.MULTILINE)
    assert sent, ran.out
    assert not sent[1].endswith("MB"), "what was read of the base, which is there already, was not sent"
    assert site.receipt()["debian-ca"]["digest"] != first


def test_the_certificates_themselves_may_be_the_fact(site: Site) -> None:
    site.make(alpine="${file.given/ca.pem}")
    assert "there is no file" in site.run("install").err
    (site.place / "given").mkdir()
    (site.place / "given/ca.pem").write_text("none")
    ran = site.run("install")
    assert "image 'alpine-ca' (made of 'alpine'): 'add_ca': there is no PEM certificate in it" in ran.err
    site.authority.cert_pem.write_to_path(site.place / "given/ca.pem")
    site.install()


@pytest.mark.parametrize(
    ("add_ca", "facts", "placeholder"),
    [
        ("${site.ca}", "ca: project/certs/internal-ca.crt\n", False),
        ("${site.ca}", "", True),
    ],
    ids=["known already", "known inside only"],
)
def test_a_rehearsal_derives_too(site: Site, add_ca: str, facts: str, placeholder: bool) -> None:
    site.make(debian=add_ca)
    (site.place / "site.yaml").write_text(facts)
    ran = site.bench.doit("rehearse", f"site={site.place / 'site.yaml'}")
    assert ran.code == 0, ran.out + ran.err
    assert re.search("image debian-ca: sha256:[0-9a-f]{64}, made of debian", ran.out)
    assert ("placeholders stood for ${site.ca}" in ran.out) == placeholder


def test_a_delta_is_derived_from_layers_that_only_the_registry_has(site: Site) -> None:
    site.make(debian="${site.ca}")
    site.authority.cert_pem.write_to_path(site.place / "ca.crt")
    (site.place / "site.yaml").write_text("ca: ca.crt\n")
    site.install("site=site.yaml")
    shutil.copy(site.place / "state/receipt.json", site.place / "receipt.json")
    first = site.receipt()["debian-ca"]["digest"]
    spec = json.loads((site.bench.place / "airgap.yaml").read_text())
    site.bench.write({**spec, "bundle": {"name": "app", "version": "1.1"}})
    ran = site.bench.doit("bundle", f"since={site.place / 'receipt.json'}")
    assert ran.code == 0, ran.out + ran.err
    shutil.rmtree(site.place / "carried")
    shutil.rmtree(site.place / "state")
    (delta,) = (path for path in site.bench.dist.iterdir() if path.is_dir() and path.name.startswith("app-1.1"))
    assert sum(path.stat().st_size for path in (delta / "images").rglob("*")) < 100_000
    shutil.copytree(delta, site.place / "carried")
    ran = site.install("site=site.yaml")
    assert "derive:debian-ca" in ran.steps
    assert site.receipt()["debian-ca"]["digest"] == first


@pytest.mark.parametrize("helm", [3], indirect=True, ids=["helm 3"])
def test_values_name_the_derived_image_and_its_digest(
    tmp_path: Path, registry: RunningRegistry, helm: Helm, cluster: Cluster
) -> None:
    """Proven before the crossing, where the digest is not known; the release follows when the authority changes."""
    site = make_site(tmp_path, registry, helm, cluster.new_namespace())
    site.values(
        "image: {repository: '${image.web-ca.repository}', tag: '${image.web-ca.tag}@${image.web-ca.digest}'}\n"
    )
    spec = site.bench.spec
    assert isinstance(spec["images"], list)
    spec["images"].append({"name": "web-ca", "base": "web", "add_ca": "${site.ca}"})
    site.bench.env = dict(helm.env)
    site.carry()
    assert json.loads((site.carried / "manifest.json").read_text())["proof"][0]["proven"]
    assert "web-ca:1.0: web with the certificates of ${site.ca}" in (site.carried / "manifest.txt").read_text()
    facts = site.inside / "site.yaml"
    facts.write_text("ca: ca.crt\n")

    def image_inside() -> str:
        trustme.CA().cert_pem.write_to_path(site.inside / "ca.crt")
        site.install(f"site={facts}")
        (container,) = site.get("deployment", "web")["spec"]["template"]["spec"]["containers"]
        assert site.install(f"site={facts}").steps == []
        return str(container["image"])

    first = image_inside()
    assert re.fullmatch(rf"{registry.host}/{site.namespace}/web-ca:1.0@sha256:[0-9a-f]{{64}}", first)
    assert image_inside() != first
    assert site.revision("web") == 2
