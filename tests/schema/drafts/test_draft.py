"""Drafts become specs that load, with names and targets that nothing else has."""

from pathlib import Path

import pytest

from schema.drafts.draft import Draft, tidy
from schema.loading.load import load

DIGEST = f"sha256:{'a' * 64}"


def entries(draft: Draft) -> list[tuple[str, str, str]]:
    return [(image.name, image.source, image.target) for image in draft.images]


def loaded(draft: Draft, place: Path) -> None:
    (place / "airgap.yaml").write_text(draft.text("x.json"))
    load(place / "airgap.yaml", env={})


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        pytest.param(["redis"], [("redis", "docker.io/library/redis:latest", "")], id="without a tag"),
        pytest.param(["redis:7", "redis:7"], [("redis", "docker.io/library/redis:7", "")], id="twice"),
        pytest.param(
            ["a.io/x/ui:1", "b.io/y/ui:1", "c.io/y/ui:1"],
            [("ui", "a.io/x/ui:1", ""), ("y-ui", "b.io/y/ui:1", "y/ui:1"), ("y-ui-2", "c.io/y/ui:1", "c.io/y/ui:1")],
            id="the same last part",
        ),
        pytest.param([f"a.io/x/ui:1@{DIGEST}"], [("ui", f"a.io/x/ui@{DIGEST}", "ui:1")], id="a digest and a tag"),
        pytest.param([f"a.io/x/ui@{DIGEST}"], [("ui", f"a.io/x/ui@{DIGEST}", "")], id="a digest"),
    ],
)
def test_images(texts: list[str], wanted: list[tuple[str, str, str]], tmp_path: Path) -> None:
    draft = Draft(name="app")
    for text in texts:
        draft.add_image(text)
    assert entries(draft) == wanted
    loaded(draft, tmp_path)


def test_what_is_no_image_is_left_out() -> None:
    draft = Draft(name="app")
    draft.add_image("UPPER/Case:1")
    assert draft.images == []
    assert str(draft.left_out[0]).startswith("image UPPER/Case:1: ")


@pytest.mark.parametrize("version", ["", "latest", ">=1.0", "~1.2", "1.x"])
def test_a_remote_chart_needs_an_exact_version(version: str) -> None:
    draft = Draft(name="app")
    assert draft.add_chart("web", "https://charts.example.com", version) == ""
    assert "exact" in str(draft.left_out[0])


def test_all_of_it_loads(tmp_path: Path) -> None:
    (tmp_path / "values").mkdir()
    (tmp_path / "values" / "web.yaml").write_text("{}\n")
    (tmp_path / "notes.md").write_text("x")
    draft = Draft(name="My App!", version="1.0")
    draft.add_image("nginx:1.25")
    assert draft.add_chart("web", "oci://ghcr.io/x/charts", "1.2.3") == "web"
    draft.add_file("notes.md", "notes.md")
    draft.add_file("install.sh", "https://example.com/install.sh", "b" * 64)
    draft.add_release("web", "web", "web", ["values/web.yaml"])
    draft.leave_out("a thing", "a reason\nof two lines")
    loaded(draft, tmp_path)
    text = draft.text("x.json")
    assert text.startswith("# yaml-language-server: $schema=x.json\nversion: 1\nbundle: {name: My-App")
    assert 'source: "oci://ghcr.io/x/charts/web"' in text
    assert "# - a thing: a reason of two lines\n" in text


@pytest.mark.parametrize("word", ["on", "No", "1.10", "null", "1e3", "07"])
def test_words_that_yaml_takes_for_something_else_are_quoted(word: str, tmp_path: Path) -> None:
    draft = Draft(name="app", version=word)
    (tmp_path / "airgap.yaml").write_text(draft.text("x.json"))
    assert load(tmp_path / "airgap.yaml", env={}).bundle.version == word


@pytest.mark.parametrize(
    ("text", "name"), [("my app", "my-app"), ("..x..", "x"), ("äö", "app"), ("a" * 200, "a" * 100)]
)
def test_tidy(text: str, name: str) -> None:
    assert tidy(text) == name
