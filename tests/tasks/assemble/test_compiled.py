"""Compiled code in `airgap.pyz`: always the same bytes, for this Python only, and never of another source."""

import hashlib
import importlib.util
import io
import marshal
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tasks.assemble import zipapp
from tasks.assemble.compiled import compiled
from tests.fixtures.places import ROOT

SOURCE = b'"""A module."""\n\nNAMES = {"b", "a"}\n\n\ndef answer(x: int) -> bool:\n    return x in {42, 7, 1}\n'
BUILD = "import hashlib; from tasks.assemble import zipapp; print(hashlib.sha256(zipapp.build()).hexdigest())"


def run(path: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-I", path, *words], capture_output=True, text=True, check=False)


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def of_another_python(code: bytes) -> bytes:
    assert code.startswith(importlib.util.MAGIC_NUMBER)
    return bytes([code[0] ^ 1]) + code[1:]


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_same_bytes_from_what_python_keeps_and_anew(tmp_path: Path, seed: str) -> None:
    """With an empty place for what Python keeps, all is compiled; sets have another order with another seed."""
    env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", BUILD], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == hashlib.sha256(zipapp.build()).hexdigest()


def test_it_says_nothing_of_the_machine_that_made_it(tmp_path: Path) -> None:
    module = tmp_path / "answer.py"
    module.write_bytes(SOURCE)
    code = compiled("a/answer.py", SOURCE, module)
    assert code
    assert code == compiled("a/answer.py", SOURCE)
    assert str(tmp_path).encode() not in code
    assert b"airgap.pyz/a/answer.py" in code
    with zipfile.ZipFile(io.BytesIO(zipapp.build())) as archive:
        ours = [archive.read(name) for name in archive.namelist() if name.endswith(".pyc")]
    assert ours
    assert not [True for each in ours if str(ROOT).encode() in each]


def test_it_is_what_runs(tmp_path: Path) -> None:
    """Code of another source, which says that it is of this one: only so can be seen which of the two is taken."""
    code = compiled("answer.py", SOURCE)
    other = compiled("answer.py", SOURCE.replace(b"42", b"43"))
    assert code
    assert other
    main = b"import answer; print(answer.answer(42), answer.__file__)"
    swapped = zipped(
        tmp_path / "x.pyz", {"__main__.py": main, "answer.py": SOURCE, "answer.pyc": code[:16] + other[16:]}
    )
    assert run(swapped).stdout == f"False {swapped}/answer.pyc\n"


@pytest.mark.parametrize("what", ["of another Python", "of another source"])
def test_else_the_source_is_taken(tmp_path: Path, what: str) -> None:
    code = compiled("answer.py", SOURCE.replace(b"42", b"43") if what == "of another source" else SOURCE)
    assert code
    given = of_another_python(code) if what == "of another Python" else code
    main = b"import answer; print(answer.answer(42))"
    path = zipped(tmp_path / "x.pyz", {"__main__.py": main, "answer.py": SOURCE, "answer.pyc": given})
    done = run(path)
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_all_of_the_program_runs_on_another_python(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(zipapp.build())) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    other = {name: of_another_python(data) if name.endswith(".pyc") else data for name, data in members.items()}
    done = run(zipped(tmp_path / "airgap.pyz", other), "help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "install" in done.stdout


def test_a_traceback_names_the_line(tmp_path: Path) -> None:
    source = SOURCE + b"\n\ndef fail() -> None:\n    raise ValueError(answer(1))\n"
    code = compiled("answer.py", source)
    assert code
    members = {"__main__.py": b"import answer\nanswer.fail()\n", "answer.py": source, "answer.pyc": code}
    done = run(zipped(tmp_path / "x.pyz", members))
    assert 'File "airgap.pyz/answer.py", line 11, in fail\n' in done.stderr


def test_where_it_can_not_be_written_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.14 has constants that the plain format has not."""

    def refuse(*_: object) -> bytes:
        raise ValueError("unmarshallable object")

    monkeypatch.setattr(marshal, "dumps", refuse)
    assert compiled("answer.py", SOURCE) is None
    with zipfile.ZipFile(io.BytesIO(zipapp.build())) as archive:
        assert not [name for name in archive.namelist() if name.endswith(".pyc")]
