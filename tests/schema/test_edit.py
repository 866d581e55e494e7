"""Images are added to the spec's text, and nothing else of it changes."""

import pytest

from bundle.errors import FormatError
from schema.edit import NewChart, NewImage, NewSource, add_charts, add_images, change_sources

ONE = NewImage(name="redis", source="docker.io/library/redis:7")
TWO = NewImage(name="db", source="quay.io/team/db@sha256:0", target="team/db:1")
LINE_ONE = '- {name: redis, source: "docker.io/library/redis:7"}'
LINE_TWO = '- {name: db, source: "quay.io/team/db@sha256:0", target: "team/db:1"}'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            "version: 1\nimages:   # ours\n  - {name: a, source: b}   # the first\n\n# charts\ncharts: []\n",
            f"version: 1\nimages:   # ours\n  - {{name: a, source: b}}   # the first\n  {LINE_ONE}\n  {LINE_TWO}\n"
            "\n# charts\ncharts: []\n",
            id="after the last, comments stay",
        ),
        pytest.param(
            "images:\n- name: a\n  source: b # why\n  # of a\n\ncharts: []\n",
            f"images:\n- name: a\n  source: b # why\n{LINE_ONE}\n{LINE_TWO}\n  # of a\n\ncharts: []\n",
            id="blocks without indentation",
        ),
        pytest.param(
            "images:\n  - name: a\n    source: >-\n      b\n\ncharts: []\n",
            f"images:\n  - name: a\n    source: >-\n      b\n\n  {LINE_ONE}\n  {LINE_TWO}\ncharts: []\n",
            id="a folded text at the end",
        ),
        pytest.param(
            "images:\n  - {name: a, source: b}",
            f"images:\n  - {{name: a, source: b}}\n  {LINE_ONE}\n  {LINE_TWO}\n",
            id="no line break at the end",
        ),
        pytest.param(
            "images:\r\n  - {name: a, source: b}\r\ncharts: []\r\n",
            f"images:\r\n  - {{name: a, source: b}}\r\n  {LINE_ONE}\r\n  {LINE_TWO}\r\ncharts: []\r\n",
            id="line breaks of Windows",
        ),
        pytest.param(
            "images: [{name: a, source: b}]  # all\n",
            f"images: [{{name: a, source: b}}, {LINE_ONE[2:]}, {LINE_TWO[2:]}]  # all\n",
            id="in one line",
        ),
        pytest.param(
            "version: 1\nimages: []   # none yet\ncharts: []\n",
            f"version: 1\nimages:\n  {LINE_ONE}\n  {LINE_TWO}   # none yet\ncharts: []\n",
            id="an empty list",
        ),
        pytest.param(
            "version: 1\n\n# the charts\ncharts: []\n",
            f"version: 1\n\n# the charts\nimages:\n  {LINE_ONE}\n  {LINE_TWO}\ncharts: []\n",
            id="none, before the charts",
        ),
        pytest.param(
            "version: 1",
            f"version: 1\nimages:\n  {LINE_ONE}\n  {LINE_TWO}\n",
            id="none, at the end",
        ),
        pytest.param(
            '{"version": 1}',
            '{"images": [{"name": "redis", "source": "docker.io/library/redis:7"}, {"name": "db", "source": '
            '"quay.io/team/db@sha256:0", "target": "team/db:1"}], "version": 1}',
            id="JSON without images",
        ),
        pytest.param(
            '{"images": [{"name": "a"}], "version": 1}',
            '{"images": [{"name": "a"}, {"name": "redis", "source": "docker.io/library/redis:7"}, {"name": "db", '
            '"source": "quay.io/team/db@sha256:0", "target": "team/db:1"}], "version": 1}',
            id="JSON",
        ),
    ],
)
def test_what_is_added_where(before: str, after: str) -> None:
    assert add_images(before, [ONE, TWO]) == after


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("x: &a {name: a}\nimages:\n  - *a\n", id="an alias at the end"),
        pytest.param("images: &all\n  - {name: a}\ncharts: *all\n", id="a list that is used twice"),
        pytest.param("[]", id="no mapping"),
    ],
)
def test_a_form_that_could_not_be_kept_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        add_images(text, [ONE])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            "images:\n  - {name: a, source: x}  # why\n  - {name: b, source: y}\n",
            'images:\n  - {name: a, source: "docker-archive:a.tar", target: "a:1"}  # why\n  - {name: b, source: y}\n',
            id="in one line",
        ),
        pytest.param(
            "images:\n- name: a\n  source: 'x'   # there\n  platform: all\n",
            'images:\n- name: a\n  source: "docker-archive:a.tar"\n  target: "a:1"   # there\n  platform: all\n',
            id="a line each",
        ),
        pytest.param(
            "images: [{target: own, name: a, source: x}]\n",
            'images: [{target: own, name: a, source: "docker-archive:a.tar"}]\n',
            id="its own target stays",
        ),
        pytest.param(
            '{"images": [{"name": "a", "source": "x"}]}',
            '{"images": [{"name": "a", "source": "docker-archive:a.tar", "target": "a:1"}]}',
            id="JSON",
        ),
    ],
)
def test_sources_are_changed_in_place(before: str, after: str) -> None:
    assert change_sources(before, "images", [NewSource(name="a", source="docker-archive:a.tar", target="a:1")]) == after


def test_a_source_that_others_share_is_not_changed() -> None:
    text = "images:\n  - {name: a, source: &x y}\n  - {name: b, source: *x}\n"
    with pytest.raises(FormatError, match="is not one that can be changed"):
        change_sources(text, "images", [NewSource(name="a", source="z")])


def test_charts_are_added_after_the_images() -> None:
    text = "version: 1\nimages:\n  - {name: a, source: b}\n"
    new = [NewChart(name="web", source="charts/web.tgz", version="1.10")]
    assert add_charts(text, new) == text + 'charts:\n  - {name: web, source: "charts/web.tgz", version: "1.10"}\n'
    assert add_charts(f"{text}install: {{}}\n", new).endswith('version: "1.10"}\ninstall: {}\n')
