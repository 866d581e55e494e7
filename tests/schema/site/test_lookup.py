"""What each name stands for inside, and that secrets are remembered."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import FormatError, StorageError
from schema.site.lookup import MAX_FILE, Facts
from schema.syntax import template
from tests.fixtures.made.installs import facts


def value(found: Facts, text: str) -> Any:
    (name,) = template.names(template.parse(text))
    return found(name)


@pytest.mark.parametrize(
    ("text", "expected", "remembered"),
    [
        ("${image.api.tag}", "1", []),
        ("${site.host}", "h", []),
        ("${site.n}", 5, []),
        ("${env.PW}", "hunter2", ["hunter2"]),
        ("${file.sub/f}", "one\n", ["one\n"]),
        ("${file.crlf}", "two", ["two"]),
        ("${secret.key}", "k3y", ["k3y"]),
        ("${output.enroll.id}", 12345, ["12345"]),
        ("${output.enroll.on}", True, []),
        ("${output.enroll.token}", "t0k", ["t0k"]),
        ("${output.enroll.all}", {"a": ["deep"], "none": None}, ["deep"]),
    ],
)
def test_values(tmp_path: Path, text: str, expected: object, remembered: list[str]) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "f").write_bytes(b"one\n\n")
    (tmp_path / "crlf").write_bytes(b"two\r\n")
    found = facts(tmp_path)
    assert value(found, text) == expected
    assert sorted(found.known) == remembered


@pytest.mark.parametrize(
    ("text", "secret", "remembered"),
    [
        ("${output.enroll.token}", ["token"], ["t0k"]),
        ("${output.enroll.id}", ["token"], []),
        pytest.param("${output.enroll.id}", ["tokn"], ["12345"], id="a slip in the name of the secret shows nothing"),
    ],
)
def test_an_output_that_is_no_secret_is_not_remembered(
    tmp_path: Path, text: str, secret: list[str], remembered: list[str]
) -> None:
    found = replace(facts(tmp_path), secret_outputs={"enroll": secret})
    value(found, text)
    assert sorted(found.known) == remembered


def test_an_absolute_path(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    assert value(facts(Path("/nowhere")), f"${{file.{tmp_path}/f}}") == "x"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${vars.x}", "${vars.x} has no value here\n  next: vars are known in the spec only"),
        ("${env.NO}", "undefined ${env.NO}: the environment has no NO\n  next: set it before: export NO=..."),
        (
            "${file.none}",
            (
                "${file.none}: there is no file 'DIR/none'\n"
                "  next: paths are relative to the directory that install is started in"
            ),
        ),
        ("${file.dir}", "${file.dir}: there is no file 'DIR/dir'"),
        ("${file.large}", f"${{file.large}}: 'DIR/large' has more than {MAX_FILE} bytes"),
        ("${file.binary}", "${file.binary}: 'DIR/binary' is not UTF-8 text\n  next: encode it as base64"),
        (
            "${secret.kye}",
            "${secret.kye}: no secret is called 'kye'; expected one of: key\n  next: did you mean 'key'?",
        ),
        ("${output.no.x}", "${output.no.x}: no action with outputs is called 'no'; expected one of: enroll"),
        ("${output.enroll.x}", "${output.enroll.x}: no output is called 'x'; expected one of: all, id, on, token"),
    ],
)
def test_what_has_no_value(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "large").write_bytes(b"x" * (MAX_FILE + 1))
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(FormatError) as caught:
        value(facts(tmp_path), text)
    assert str(caught.value).replace(str(tmp_path), "DIR").startswith(message)


def test_a_file_that_can_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(StorageError, match=r"can't read \$\{file\.loop\}"):
        value(facts(tmp_path), "${file.loop}")


def test_secrets_are_in_no_repr(tmp_path: Path) -> None:
    text = repr(facts(tmp_path))
    assert not any(secret in text for secret in ("hunter2", "k3y", "t0k"))
