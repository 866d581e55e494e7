"""Secrets that are written out are found, and never repeated."""

from collections.abc import Callable

import pytest

from schema.syntax.document import Node, parse
from schema.syntax.problems import Problems
from schema.syntax.secrecy import (
    check_environment,
    check_reference,
    check_variables,
    check_visible,
    has_login,
    hide_login,
    hiding_places,
    sounds_secret,
)


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("PASSWORD", True),
        ("DB_PASSWORD", True),
        ("--api-key", True),
        ("apikey", True),
        ("access_key", True),
        ("credentials", True),
        ("credential", True),
        ("client-secret", True),
        ("TOKEN", True),
        ("PASSWORD_FILE", False),
        ("--password-file", False),
        ("tokenizer", False),
        ("KEY", False),
        ("MONKEY", False),
        ("mytoken", False),
    ],
)
def test_which_names_are_meant_for_a_secret(name: str, secret: bool) -> None:
    assert sounds_secret(name) is secret


@pytest.mark.parametrize(
    ("address", "hidden"),
    [
        ("https://me:hunter2@h.x/a", "https://...@h.x/a"),
        ("https://me@h.x", "https://...@h.x"),
        ("https://h.x/a@b", ""),
        ("https://h.x?a=b@c", ""),
        ("me@h.x", ""),
    ],
)
def test_logins_in_addresses(address: str, hidden: str) -> None:
    assert has_login(address) is bool(hidden)
    assert hide_login(address) == (hidden or address)


def found(check: Callable[[Problems, Node], object], text: str) -> list[str]:
    problems = Problems("f")
    node = parse(text.encode(), problems)
    assert node
    check(problems, node)
    told = [str(each) for each in problems]
    assert not [each for each in told if "hunter2" in each]
    return told


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("${env.PW}", ""),
        ("${file.pw.txt}", ""),
        ("hunter2", "'password' is written out; expected ${env.NAME} or ${file.PATH}"),
        ("hunter2${env.PW}", "'password' is more than a reference"),
        ("${env.A}${env.B}", "'password' is more than a reference"),
        ("${site.pw}", "'password' is more than a reference"),
        ("$${env.PW}", "'password' is written out"),
    ],
)
def test_a_secrets_value_is_one_reference(value: str, told: str) -> None:
    problems = found(lambda p, node: check_reference(p, node.members()["k"], "'password'"), f"k: '{value}'")
    assert len(problems) == bool(told)
    assert told in "".join(problems)


def test_variables_travel_so_none_may_be_a_secret() -> None:
    (told,) = found(check_variables, "{host: h, db_password: hunter2, password_file: f}")
    assert told.startswith("f:1:24: variable 'db_password' looks like a secret; vars travel in the bundle")


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ("{PW: hunter2}", False),
        ("{DB_PASSWORD: hunter2}", True),
        ("{DB_PASSWORD: '${env.PW}'}", False),
        ("{DB_PASSWORD: '${secret.pw}'}", False),
        ("{DB_PASSWORD: ''}", False),
    ],
)
def test_an_actions_variables(env: str, told: bool) -> None:
    problems = found(lambda p, node: check_environment(p, node, "action 'a'"), env)
    assert [each.partition("; ")[0] for each in problems] == (
        ["f:1:15: action 'a': variable 'DB_PASSWORD' is written out"] if told else []
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("[x, --password, hunter2]", "a secret is written out as --password"),
        ("[x, --password=hunter2]", "a secret is written out as --password"),
        ("[x, '--token=${env.T}']", "${env.T} may be a secret"),
        ("[x, '${secret.pw}']", "${secret.pw} may be a secret"),
        ("[x, '${output.a.k}']", "${output.a.k} may be a secret"),
        ("[x, '${site.host}', '${image.web.ref}']", ""),
        ("[x, --password-file, f]", ""),
        ("[x, --token=]", ""),
        ("[x, --password, --verbose]", ""),
        ("[x, password, hunter2]", ""),
    ],
)
def test_what_a_process_list_would_show(arguments: str, told: str) -> None:
    problems = found(lambda p, node: check_visible(p, node.items(), "action 'a'"), arguments)
    assert len(problems) == bool(told)
    assert told in "".join(problems)


def test_what_was_found_wrong_before_is_left_alone() -> None:
    problems = Problems("f")
    node = parse(b"k: 'hunter2'", problems)
    assert node
    problems.settle(node.members()["k"].place)
    check_reference(problems, node.members()["k"], "'password'")
    check_environment(problems, node, "a")
    check_visible(problems, [node.members()["k"]], "a")
    assert not problems


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("a: x", 0),
        ("adminPassword: x", 1),
        ("db: {user: x, host: y}", 1),
        ("data: {a: x, b: [y]}", 2),
        ("database: x", 0),
        ("run: [x, --token, y, z]", 2),
        ("run: ['--password=${a}', 'echo ${a}']", 2),
        ("url: 'http://a:${b}@c'", 1),
        ("n: 7", 0),
    ],
)
def test_where_a_secret_may_be(text: str, hidden: int) -> None:
    root = parse(text.encode(), Problems("f"))
    assert root
    assert len(list(hiding_places(root))) == hidden
