"""Helm's ignore rules: the table of helm's own tests (pkg/ignore) and Go's filepath.Match."""

import pytest

from bundle.charts._helmignore import IgnoreRules
from bundle.errors import FormatError

CASES = [
    # Globs
    ("helm.txt", "helm.txt", False, True),
    ("helm.*", "helm.txt", False, True),
    ("helm.*", "rudder.txt", False, False),
    ("*.txt", "tiller.txt", False, True),
    ("*.txt", "cargo/a.txt", False, True),
    ("cargo/*.txt", "cargo/a.txt", False, True),
    ("cargo/*.*", "cargo/a.txt", False, True),
    ("cargo/*.txt", "mast/a.txt", False, False),
    ("cargo/*", "cargo/deep/a.txt", False, False),
    ("ru[c-e]?er.txt", "rudder.txt", False, True),
    ("[^a]x", "bx", False, True),
    ("[^a]x", "ax", False, False),
    ("[z-a]x", "zx", False, False),
    (r"\*.txt", "*.txt", False, True),
    (r"\*.txt", "a.txt", False, False),
    (r"a[\]]b", "a]b", False, True),
    ("a.c", "abc", False, False),
    (".*", ".joonix", False, True),
    (".*", "helm.txt", False, False),
    # Directories
    ("cargo/", "cargo", True, True),
    ("cargo/", "a/cargo", True, True),
    ("cargo/", "mast", True, False),
    ("helm.txt/", "helm.txt", False, False),
    # Negation ignores all the others and brings nothing back
    ("!helm.txt", "helm.txt", False, False),
    ("!helm.txt", "tiller.txt", False, True),
    ("!*.txt", "cargo", True, True),
    ("!cargo/", "mast", True, True),
    ("!cargo/", "cargo", False, True),
    ("*.txt\n!a.txt", "a.txt", False, True),
    # Rooted
    ("/a.txt", "a.txt", False, True),
    ("/a.txt", "cargo/a.txt", False, False),
    ("/cargo/a.txt", "cargo/a.txt", False, True),
    # Lines
    ("\ufeffhelm.txt", "helm.txt", False, True),
    ("  helm.txt  \r\n", "helm.txt", False, True),
    ("# helm.txt", "helm.txt", False, False),
    ("helm.txt # why", "helm.txt", False, False),
    # The default
    ("", "templates/.hidden", False, True),
    ("", "templates/deep/.hidden", False, False),
    ("", "templates/a.yaml", False, False),
]


@pytest.mark.parametrize(
    ("text", "path", "is_directory", "ignored"), CASES, ids=[f"{text!r}:{path}" for text, path, _, _ in CASES]
)
def test_ignores(text: str, path: str, is_directory: bool, ignored: bool) -> None:
    assert IgnoreRules.parse(text).ignores(path, is_directory=is_directory) is ignored


@pytest.mark.parametrize("rule", ["foo/**/bar", "[z-", "[]a]", "[-a]", "[a", "[a-]", "a\\", "[^]", "[a-\\"])
def test_refuses_what_helm_refuses(rule: str) -> None:
    with pytest.raises(FormatError) as caught:
        IgnoreRules.parse(f"fine\n{rule}")
    assert repr(rule) in caught.value.what
    assert caught.value.hint
