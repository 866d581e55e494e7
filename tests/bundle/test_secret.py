"""Values that must not be shown."""

import pickle

import pytest

from bundle.secret import KnownSecrets, Secret


@pytest.mark.parametrize(
    "shown",
    [
        str,
        repr,
        lambda s: f"{s}",
        lambda s: f"{s!r:>5}",
        "{}".format,
        lambda s: str([s]),
        lambda s: str({"a": s}),
    ],
    ids=["str", "repr", "format", "format of repr", "format method", "list", "dict"],
)
def test_a_secret_is_never_shown(shown: object) -> None:
    assert "hunter2" not in shown(Secret("hunter2"))  # type: ignore[operator]
    assert "***" in shown(Secret("hunter2"))  # type: ignore[operator]


def test_it_gives_its_text_only_when_asked() -> None:
    assert Secret("hunter2").reveal() == "hunter2"
    with pytest.raises(TypeError):
        pickle.dumps(Secret("hunter2"))
    with pytest.raises(AttributeError):
        Secret("hunter2").other = 1  # type: ignore[attr-defined]


def test_equality() -> None:
    assert Secret("ä") == Secret("ä")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1


def test_known_secrets_are_what_was_added() -> None:
    known = KnownSecrets()
    assert known.add("hunter2") == Secret("hunter2")
    known.add("hunter2")
    assert list(known) == ["hunter2"]
    assert "hunter2" not in repr(known)


@pytest.mark.parametrize("word", ["", "true", "False", "null"])
def test_words_of_every_output_are_not_remembered(word: str) -> None:
    known = KnownSecrets()
    assert known.add(word).reveal() == word
    assert list(known) == []
