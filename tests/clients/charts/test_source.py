"""Charts from every kind of place, checked against the spec and the lock."""

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bundle.charts.package import pack
from bundle.errors import AirgapError, FormatError, IntegrityError, LockError, RegistryError, SourceError
from bundle.meter import SilentMeter
from bundle.oci import media_types
from bundle.oci.digest import Digest
from bundle.oci.locations import parse_chart
from clients.charts.source import Charts, FetchedChart
from tests.fixtures.servers.website import Page, Website, website

PROV = b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n"


def chart(name: str = "hello", version: str = "1.0.0", extra: str = "", **files: bytes) -> bytes:
    text = f"apiVersion: v2\nname: {name}\nversion: {version}\n{extra}"
    return pack([(f"{name}/Chart.yaml", text.encode()), *((f"{name}/{path}", data) for path, data in files.items())])


HELLO = chart()


@pytest.fixture
def site() -> Iterator[Website]:
    with website() as running:
        yield running


@pytest.fixture
def charts(site: Website, tmp_path: Path) -> Iterator[Charts]:
    registries = site.registries(SilentMeter(), docker_config=str(tmp_path / "docker"))
    with registries.transport:
        yield Charts(registries)


Fetch = Callable[..., FetchedChart]


@pytest.fixture
def fetch(charts: Charts, tmp_path: Path) -> Fetch:
    def run(
        source: str, *, name: str = "hello", version: str = "1.0.0", chart: str = "", expected: Digest | None = None
    ) -> FetchedChart:
        location = parse_chart(source, tmp_path)
        return charts.fetch(location, name=name, chart=chart, version=version, expected=expected)

    return run


def index(site: Website, *urls: str, name: str = "hello", version: str = "1.0.0", digest: str = "") -> None:
    entry = {"version": version, "urls": urls, **({"digest": digest} if digest else {})}
    site.pages["/charts/index.yaml"] = Page(body=json.dumps({"entries": {name: [entry]}}).encode())


def push(
    site: Website, path: str, tag: str, *layers: tuple[str, bytes], config_type: str = media_types.HELM_CONFIG
) -> dict[str, str]:
    """Serve an artifact as a registry does; returns the paths of its blobs by media type."""

    def blob(media_type: str, data: bytes) -> dict[str, object]:
        place = f"/v2/{path}/blobs/{Digest.of(data)}"
        site.pages[place] = Page(body=data)
        places[media_type] = place
        return {"mediaType": media_type, "digest": str(Digest.of(data)), "size": len(data)}

    places: dict[str, str] = {}
    manifest = {
        "schemaVersion": 2,
        "config": blob(config_type, b"{}"),
        "layers": [blob(media_type, data) for media_type, data in layers],
    }
    raw = json.dumps(manifest).encode()
    for reference in (tag, str(Digest.of(raw))):
        site.pages[f"/v2/{path}/manifests/{reference}"] = Page(body=raw, media_type=media_types.OCI_MANIFEST)
    return places


class TestRepository:
    @pytest.mark.parametrize(
        "url",
        ["hello-1.0.0.tgz", "../charts/hello-1.0.0.tgz", "/charts/hello-1.0.0.tgz", "{site}/charts/hello-1.0.0.tgz"],
        ids=["relative", "climbing", "rooted", "absolute"],
    )
    @pytest.mark.parametrize("digest", ["", Digest.of(HELLO).hex, str(Digest.of(HELLO))], ids=["none", "hex", "full"])
    def test_fetches(self, fetch: Fetch, site: Website, url: str, digest: str) -> None:
        index(site, url.format(site=site.url), digest=digest)
        site.pages["/charts/hello-1.0.0.tgz"] = Page(body=HELLO)
        fetched = fetch(f"{site.url}/charts/")
        assert fetched == FetchedChart(name="hello", version="1.0.0", data=HELLO, digest=Digest.of(HELLO))

    def test_the_index_is_asked_for_once(self, fetch: Fetch, site: Website) -> None:
        entries = {name: [{"version": "1.0.0", "urls": [f"{name}.tgz"]}] for name in ("a", "b")}
        site.pages["/charts/index.yaml"] = Page(body=json.dumps({"entries": entries}).encode())
        for name in ("a", "b"):
            site.pages[f"/charts/{name}.tgz"] = Page(body=chart(name))
            fetch(f"{site.url}/charts", name=name)
        assert site.asked.count("GET /charts/index.yaml") == 1

    def test_a_query_goes_along(self, fetch: Fetch, site: Website) -> None:
        index(site, "hello.tgz")
        site.pages["/charts/index.yaml?token=x"] = site.pages.pop("/charts/index.yaml")
        site.pages["/charts/hello.tgz?token=x"] = Page(body=HELLO)
        site.pages["/charts/hello.tgz.prov?token=x"] = Page(body=PROV)
        assert fetch(f"{site.url}/charts?token=x").provenance == PROV

    @pytest.mark.parametrize(
        ("page", "provenance"),
        [
            (Page(body=PROV), PROV),
            (Page(status=404), None),
            (Page(status=403), None),
            (Page(body=b"<html>our shop</html>"), None),
        ],
        ids=["there", "absent", "hidden", "some page"],
    )
    def test_provenance(self, fetch: Fetch, site: Website, page: Page, provenance: bytes | None) -> None:
        index(site, "hello.tgz")
        site.pages |= {"/charts/hello.tgz": Page(body=HELLO), "/charts/hello.tgz.prov": page}
        assert fetch(f"{site.url}/charts").provenance == provenance

    def test_a_fault_is_no_absence(self, fetch: Fetch, site: Website) -> None:
        index(site, "hello.tgz")
        site.pages |= {"/charts/hello.tgz": Page(body=HELLO), "/charts/hello.tgz.prov": Page(status=503)}
        with pytest.raises(RegistryError, match="503"):
            fetch(f"{site.url}/charts")

    def test_an_index_may_lead_to_a_registry(self, fetch: Fetch, site: Website) -> None:
        index(site, f"oci://{site.host}/team/hello:1.0.0")
        push(site, "team/hello", "1.0.0", (media_types.HELM_CHART, HELLO), (media_types.HELM_PROVENANCE, PROV))
        fetched = fetch(f"{site.url}/charts")
        assert (fetched.data, fetched.provenance) == (HELLO, PROV)

    def test_another_digest_than_the_index_says(self, fetch: Fetch, site: Website) -> None:
        index(site, "hello.tgz", digest="ab" * 32)
        site.pages["/charts/hello.tgz"] = Page(body=HELLO)
        with pytest.raises(IntegrityError, match=f"{Digest.of(HELLO).hex}, the index says {'ab' * 32}"):
            fetch(f"{site.url}/charts")

    @pytest.mark.parametrize(
        ("status", "hint"),
        [(401, "docker login"), (403, "docker login"), (404, "index.yaml is looked for right below")],
    )
    def test_no_index(self, fetch: Fetch, site: Website, status: int, hint: str) -> None:
        site.pages["/charts/index.yaml"] = Page(status=status, body=b"sorry", media_type="text/plain")
        with pytest.raises(RegistryError, match=r"chart 'hello': .*sorry") as caught:
            fetch(f"{site.url}/charts")
        assert hint in caught.value.hint

    def test_a_named_package_that_is_not_there(self, fetch: Fetch, site: Website) -> None:
        index(site, "hello.tgz")
        with pytest.raises(RegistryError, match=r"chart 'hello': .*404") as caught:
            fetch(f"{site.url}/charts")
        assert "index names a file that is not there" in caught.value.hint

    def test_no_address(self, fetch: Fetch, site: Website) -> None:
        index(site)
        with pytest.raises(SourceError, match=r"gives no address for 1\.0\.0"):
            fetch(f"{site.url}/charts")


class TestRegistry:
    @pytest.mark.parametrize("layer_type", [media_types.HELM_CHART, "application/tar+gzip"])
    def test_fetches(self, fetch: Fetch, site: Website, layer_type: str) -> None:
        push(site, "team/hello", "1.0.0", (layer_type, HELLO))
        assert fetch(f"oci://{site.host}/team/hello") == FetchedChart(
            name="hello", version="1.0.0", data=HELLO, digest=Digest.of(HELLO)
        )

    def test_the_provenance_layer_is_carried(self, fetch: Fetch, site: Website) -> None:
        push(site, "team/hello", "1.0.0", (media_types.HELM_PROVENANCE, PROV), (media_types.HELM_CHART, HELLO))
        assert fetch(f"oci://{site.host}/team/hello").provenance == PROV

    def test_a_plus_becomes_an_underscore(self, fetch: Fetch, site: Website) -> None:
        data = chart(version="1.0.0+b.2")
        push(site, "team/hello", "1.0.0_b.2", (media_types.HELM_CHART, data))
        assert fetch(f"oci://{site.host}/team/hello", version="1.0.0+b.2").data == data

    def test_an_image_is_no_chart(self, fetch: Fetch, site: Website) -> None:
        push(site, "team/hello", "1.0.0", (media_types.OCI_LAYER_GZIP, b"x"), config_type=media_types.OCI_CONFIG)
        with pytest.raises(SourceError, match=r"chart 'hello': .* is no Helm chart: it is .*image\.config"):
            fetch(f"oci://{site.host}/team/hello")

    @pytest.mark.parametrize(
        "layers", [(), ((media_types.HELM_CHART, HELLO), (media_types.HELM_CHART, chart("other")))], ids=["none", "two"]
    )
    def test_one_layer_is_the_chart(self, fetch: Fetch, site: Website, layers: tuple[tuple[str, bytes], ...]) -> None:
        push(site, "team/hello", "1.0.0", *layers)
        with pytest.raises(SourceError, match=f"has {len(layers)} chart layers, expected one"):
            fetch(f"oci://{site.host}/team/hello")

    @pytest.mark.parametrize("body", [b"x" * len(HELLO), HELLO + b"x"], ids=["other", "longer"])
    def test_damaged_bytes(self, fetch: Fetch, site: Website, body: bytes) -> None:
        places = push(site, "team/hello", "1.0.0", (media_types.HELM_CHART, HELLO))
        site.pages[places[media_types.HELM_CHART]].body = body
        if body.startswith(HELLO):
            assert fetch(f"oci://{site.host}/team/hello").data == HELLO  # no more than its size is read
        else:
            with pytest.raises(IntegrityError, match="chart 'hello': a layer came with"):
                fetch(f"oci://{site.host}/team/hello")

    def test_a_huge_layer_is_not_begun(self, fetch: Fetch, site: Website) -> None:
        push(site, "team/hello", "1.0.0", (media_types.HELM_CHART, HELLO))
        page = site.pages["/v2/team/hello/manifests/1.0.0"]
        page.body = page.body.replace(f'"size": {len(HELLO)}'.encode(), b'"size": 104857601')
        site.pages[f"/v2/team/hello/manifests/{Digest.of(page.body)}"] = page
        with pytest.raises(SourceError, match="104857601 bytes, at most 104857600"):
            fetch(f"oci://{site.host}/team/hello")
        assert not [asked for asked in site.asked if "/blobs/" in asked]

    @pytest.mark.parametrize(
        ("path", "hint"), [("team", "perhaps oci://{host}/team/hello"), ("team/hello", "check the ")]
    )
    def test_absent(self, fetch: Fetch, site: Website, path: str, hint: str) -> None:
        with pytest.raises(RegistryError, match=r"chart 'hello': .*404") as caught:
            fetch(f"oci://{site.host}/{path}")
        assert hint.format(host=site.host) in caught.value.hint

    def test_a_version_that_is_no_tag(self, fetch: Fetch, site: Website) -> None:
        with pytest.raises(FormatError, match="no valid tag"):
            fetch(f"oci://{site.host}/team/hello", version="^1.0")


class TestLocal:
    def directory(self, place: Path, extra: str = "") -> Path:
        (place / "templates").mkdir(parents=True)
        (place / "Chart.yaml").write_text(f"apiVersion: v2\nname: hello\nversion: 1.0.0\n{extra}")
        (place / "templates" / "a.yaml").write_text("a: 1\n")
        return place

    @pytest.mark.parametrize("version", ["1.0.0", ""])
    def test_a_directory_is_packaged(self, fetch: Fetch, tmp_path: Path, version: str) -> None:
        self.directory(tmp_path / "any-name")
        fetched = fetch("any-name", version=version)
        assert (fetched.name, fetched.version, fetched.provenance) == ("hello", "1.0.0", None)
        with tarfile.open(fileobj=io.BytesIO(fetched.data)) as archive:
            assert archive.getnames() == ["hello/Chart.yaml", "hello/templates/a.yaml"]

    def test_a_package_is_taken_as_it_is(self, fetch: Fetch, tmp_path: Path) -> None:
        (tmp_path / "hello.tgz").write_bytes(HELLO)
        (tmp_path / "hello.tgz.prov").write_bytes(PROV)
        fetched = fetch("hello.tgz")
        assert (fetched.data, fetched.provenance) == (HELLO, PROV)

    @pytest.mark.parametrize(
        ("name", "message"),
        [("nothing", "does not exist"), ("empty", "holds no Chart.yaml"), ("junk", "not a packaged chart")],
    )
    def test_what_is_no_chart(self, fetch: Fetch, tmp_path: Path, name: str, message: str) -> None:
        (tmp_path / "empty").mkdir()
        (tmp_path / "junk").write_text("values: 1\n")
        with pytest.raises(AirgapError, match=f"chart 'hello': .*{message}"):
            fetch(name)

    @pytest.mark.parametrize(
        "files",
        [
            {},
            {"charts/_off/Chart.yaml": b"name: db\nversion: 1\n"},
            {"charts/db/Chart.yaml": b"name: other\nversion: 1\n"},
            {"charts/db-1.0.0.tgz": chart("other")},
        ],
        ids=["nothing", "switched off", "another name", "another package"],
    )
    @pytest.mark.parametrize("listed", ["Chart.yaml", "requirements.yaml"])
    def test_missing_dependencies(self, fetch: Fetch, tmp_path: Path, listed: str, files: dict[str, bytes]) -> None:
        place = self.directory(tmp_path / "hello")
        with (place / listed).open("a") as file:
            file.write("dependencies:\n- {name: db, version: 1.x, alias: store, condition: db.enabled}\n")
        for name, data in files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(data)
        with pytest.raises(SourceError, match="chart 'hello'") as caught:
            fetch("hello")
        assert caught.value.what == "chart 'hello': charts/ is missing the dependencies db"
        assert caught.value.hint == f"run `helm dependency build {place}`"

    @pytest.mark.parametrize(
        ("name", "data"),
        [("charts/x/Chart.yaml", b"name: db\nversion: 1\n"), ("charts/db-1.0.0.tgz", chart("db"))],
        ids=["directory", "package"],
    )
    def test_dependencies_that_are_there(self, fetch: Fetch, tmp_path: Path, name: str, data: bytes) -> None:
        place = self.directory(tmp_path / "hello", "dependencies:\n- {name: db, version: 1.x, alias: store}\n")
        (place / name).parent.mkdir(parents=True)
        (place / name).write_bytes(data)
        assert fetch("hello").name == "hello"

    def test_a_package_without_its_dependencies(self, fetch: Fetch, tmp_path: Path) -> None:
        (tmp_path / "hello.tgz").write_bytes(chart(extra="dependencies: [{name: db, version: 1.x}]\n"))
        with pytest.raises(SourceError, match="is missing the dependencies db") as caught:
            fetch("hello.tgz")
        assert "unpack it" in caught.value.hint


class TestChecks:
    @pytest.mark.parametrize(
        ("data", "message", "hint"),
        [
            (chart(version="1.0.1"), "Chart.yaml says version '1.0.1', expected '1.0.0'", "version: '1.0.1'"),
            (pack([("hello/values.yaml", b"")]), "holds no Chart.yaml", "helm package"),
            (pack([("hello/Chart.yaml", b"name: hello\n")]), "states no name or no version", ""),
            (pack([("hello/Chart.yaml", b"- a\n")]), "Chart.yaml is not a mapping", ""),
            (pack([("hello/Chart.yaml", b"a: [\n")]), "Chart.yaml is not YAML", ""),
            (pack([("hello/Chart.yaml", b"!!python/object:os.system {name: x}")]), "no name or no version", ""),
        ],
        ids=["version", "absent", "incomplete", "list", "cut off", "python"],
    )
    def test_chart_yaml_must_say_the_same(
        self, fetch: Fetch, tmp_path: Path, data: bytes, message: str, hint: str
    ) -> None:
        (tmp_path / "hello.tgz").write_bytes(data)
        with pytest.raises(FormatError, match=message) as caught:
            fetch("hello.tgz")
        assert caught.value.what.startswith("chart 'hello': ")
        assert hint in caught.value.hint

    def test_a_name_of_its_own(self, fetch: Fetch, tmp_path: Path) -> None:
        (tmp_path / "hello.tgz").write_bytes(chart("goodbye"))
        assert fetch("hello.tgz").name == "goodbye"
        assert fetch("hello.tgz", chart="goodbye").name == "goodbye"
        with pytest.raises(FormatError, match=r"'hello': Chart.yaml says name 'goodbye', expected 'hi'") as caught:
            fetch("hello.tgz", chart="hi")
        assert "write chart: goodbye beside `name`" in caught.value.hint

    def test_versions_stay_the_text_they_are(self, fetch: Fetch, tmp_path: Path) -> None:
        (tmp_path / "hello.tgz").write_bytes(chart(version="1.10"))
        assert fetch("hello.tgz", version="1.10").version == "1.10"

    def test_the_lock_is_obeyed(self, fetch: Fetch, tmp_path: Path) -> None:
        (tmp_path / "hello.tgz").write_bytes(HELLO)
        assert fetch("hello.tgz", expected=Digest.of(HELLO)).digest == Digest.of(HELLO)
        old = Digest.of(b"old")
        with pytest.raises(LockError) as caught:
            fetch("hello.tgz", expected=old)
        assert f"now gives {Digest.of(HELLO)}, the lock pins {old}" in caught.value.what
        assert "doit lock" in caught.value.hint
