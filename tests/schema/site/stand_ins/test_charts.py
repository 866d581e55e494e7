"""What names stand for before the crossing."""

from pathlib import Path

import pytest

from bundle.charts.package import pack
from bundle.errors import FormatError
from bundle.metadata.manifest import ImageEntry
from bundle.oci.digest import Digest
from bundle.oci.reference import Reference
from schema.site.image_names import ImageNames
from schema.site.site import Site
from schema.site.stand_ins.charts import StandIns, shaped
from schema.spec.generate import Generate
from schema.syntax.problems import Problems
from schema.syntax.template import Name, parse
from schema.values.chart import ChartValues
from schema.values.file import read_values
from schema.values.values import Values, resolve

WEB = Reference.parse("registry.example.com/team/web:1.0")
ENTRY = ImageEntry(
    name="web", source="web:1", reference=WEB, digest=Digest.of(b"web"), media_type="", size=0, platform=None
)
NAMES = ImageNames(images={"web": ENTRY}, references={"web": WEB})
LOOKUP = StandIns(
    images=NAMES, site=Site(), generated={"key": Generate.parse("hex64"), "pin": Generate.parse("alnum4")}
)
CHART = ChartValues.read(
    pack(
        [
            (
                "app/Chart.yaml",
                b"name: app\nversion: 1.0.0\ndependencies: [{name: low, version: 1.0.0, alias: deep}]\n",
            ),
            (
                "app/values.yaml",
                b"replicas: 2\nenabled: true\nhosts: [a]\nnode: {x: y}\nhost: h\nnone:\nnested: {port: 80}\n",
            ),
            ("app/charts/low/Chart.yaml", b"name: low\nversion: 1.0.0\n"),
            ("app/charts/low/values.yaml", b"size: {count: 3}\n"),
        ]
    ),
    subject="app",
)


def name(text: str) -> Name:
    (found,) = parse(text)
    assert isinstance(found, Name)
    return found


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${image.web.ref}", "registry.example.com/team/web:1.0"),
        ("${image.web.tag}", "1.0"),
        ("${site.db.host_name}", "db-host-name.site.invalid"),
        ("${env.DB_URL}", "db-url.env.invalid"),
        ("${file.certs/ca.crt}", "certs/ca-crt.file.invalid"),
        ("${output.enroll.id}", "enroll-id.output.invalid"),
        ("${secret.own}", "own.secret.invalid"),
        ("${secret.key}", "0" * 64),
        ("${secret.pin}", "aaaa"),
    ],
)
def test_what_a_name_stands_for(text: str, value: str) -> None:
    assert LOOKUP(name(text)) == value


def test_an_unknown_image_is_an_error() -> None:
    with pytest.raises(FormatError, match="no image is called 'wbe'"):
        LOOKUP(name("${image.wbe.ref}"))


def test_a_site_file_gives_its_facts(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("replicas: 3\n")
    lookup = StandIns(images=NAMES, site=Site.load(tmp_path / "site.yaml"), generated={})
    assert lookup(name("${site.replicas}")) == 3
    with pytest.raises(FormatError, match=r"site.yaml has no 'host'"):
        lookup(name("${site.host}"))


def values(tmp_path: Path, text: str) -> Values:
    (tmp_path / "values.yaml").write_text(text)
    problems = Problems("values.yaml")
    file = read_values(tmp_path / "values.yaml", "values.yaml", problems)
    problems.raise_all()
    assert file
    return resolve([file], LOOKUP, subject="the values")


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("replicas: ${site.n}", {"replicas": 2}),
        ("enabled: ${site.on}", {"enabled": True}),
        ("hosts: ${site.hosts}", {"hosts": ["a"]}),
        ("node: ${output.a.node}", {"node": {"x": "y"}}),
        ("nested: {port: '${env.PORT}'}", {"nested": {"port": 80}}),
        ("deep: {size: {count: '${site.count}'}}", {"deep": {"size": {"count": 3}}}),
        ("host: ${site.host}", {"host": "host.site.invalid"}),
        ("none: ${site.host}", {"none": "host.site.invalid"}),
        ("unknown: ['${site.host}']", {"unknown": ["host.site.invalid"]}),
        ("replicas: 'x${site.n}'", {"replicas": "xn.site.invalid"}),
        ("replicas: 7", {"replicas": 7}),
        ("image: ${image.web.repository}", {"image": "registry.example.com/team/web"}),
    ],
)
def test_a_lone_stand_in_takes_the_shape_that_the_chart_has(tmp_path: Path, given: str, taken: object) -> None:
    found = shaped(values(tmp_path, given), CHART)
    assert found == taken
    assert type(next(iter(found.values()))) in (int, bool, str, list, dict)


def test_the_entry_that_stands_for_those_of_a_list() -> None:
    facts = {"teams": [{"name": "item", "size": 2}]}
    for site in (Site(facts=facts), Site(label="site.yaml", facts=facts)):
        lookup = StandIns(images=NAMES, site=site, generated={})
        assert lookup(name("${site.teams.item.size}")) == 2
        assert lookup(name("${site.teams.item.host}")) == "teams-item-host.site.invalid"
    with pytest.raises(FormatError):
        StandIns(images=NAMES, site=Site(label="site.yaml", facts=facts), generated={})(name("${site.teams.b.host}"))
