"""The grammar of `${...}`."""

import pytest

from bundle.errors import FormatError
from schema.syntax import template
from schema.syntax.template import Name


def name(space: str, rest: str) -> Name:
    return Name(space=space, rest=rest)


PARSED = [
    pytest.param("", (), id="empty"),
    pytest.param("plain $ {text}", ("plain $ {text}",), id="nothing in it"),
    pytest.param("${vars.a}", (name("vars", "a"),), id="exactly one"),
    pytest.param("x${vars.a}y${env.B}", ("x", name("vars", "a"), "y", name("env", "B")), id="several"),
    pytest.param("$${vars.a}", ("${vars.a}",), id="escaped"),
    pytest.param("$$${vars.a}", ("$${vars.a}",), id="a dollar before an escape"),
    pytest.param("a$${b}${site.c}", ("a${b}", name("site", "c")), id="escape and name"),
    pytest.param("${file./run/secrets/a b}", (name("file", "/run/secrets/a b"),), id="file path with a blank"),
    pytest.param("${env.A|urlencode}", (Name(space="env", rest="A", encoding="urlencode"),), id="percent-encoded"),
    pytest.param("${image.web.v2.tag}", (name("image", "web.v2.tag"),), id="image whose name has a dot"),
]


@pytest.mark.parametrize(("text", "pieces"), PARSED)
def test_parse(text: str, pieces: template.Template) -> None:
    assert template.parse(text) == pieces


@pytest.mark.parametrize("text", ["a", "${", "$${", "a${b}", "$$", "${vars.x}"])
def test_escape_is_the_inverse_of_parsing(text: str) -> None:
    assert template.parse(template.escape(text)) == (text,)


@pytest.mark.parametrize(
    ("text", "subject", "part"),
    [
        ("${image.web.v2.tag}", "web.v2", "tag"),
        ("${output.enroll.token.id}", "enroll", "token.id"),
        ("${secret.a.b}", "a.b", ""),
    ],
)
def test_subject_and_part(text: str, subject: str, part: str) -> None:
    (found,) = template.names(template.parse(text))
    assert (found.subject, found.part, str(found)) == (subject, part, text)


@pytest.mark.parametrize(
    "text",
    [
        "${vars.a",
        "${}",
        "${vars}",
        "${vars.}",
        "${vars.a b}",
        "${nope.a}",
        "${image.a}",
        "${image.a.size}",
        "${output.a}",
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(FormatError):
        template.parse(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${vars.n}", 3),
        ("${vars.b}", True),
        ("${vars.none}", None),
        ("${vars.t}", "text"),
        ("n=${vars.n} b=${vars.b} none=${vars.none}", "n=3 b=true none="),
        ("$${vars.n}", "${vars.n}"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_render_keeps_the_type_of_a_lone_name(text: str, value: template.Value) -> None:
    known: dict[str, template.Value] = {"n": 3, "b": True, "none": None, "t": "text"}
    assert template.render(template.parse(text), lambda found: known[found.rest]) == value


@pytest.mark.parametrize(
    ("text", "value", "result"),
    [
        pytest.param("${env.A|urlencode}", "p@ss:w/rd%é ~", "p%40ss%3Aw%2Frd%25%C3%A9%20~", id="alone"),
        pytest.param("mysql://u:${env.A|urlencode}@h", "a@b", "mysql://u:a%40b@h", id="in an address"),
        pytest.param("${env.A|urlencode}", 7, "7", id="a number becomes text"),
        pytest.param("${env.A}", 7, 7, id="not asked for"),
        pytest.param("${env.A|json}", "a", '"a"', id="text as JSON"),
        pytest.param("x=${env.A|json}", True, "x=true", id="JSON in a text"),
    ],
)
def test_encodings(text: str, value: template.Value, result: template.Value) -> None:
    asked: list[Name] = []
    assert template.render(template.parse(text), lambda name: asked.append(name) or value) == result
    assert asked == [name("env", "A")], "a lookup only knows plain names"
    assert template.names(template.parse(text)) == (name("env", "A"),)
    assert "".join(str(piece) for piece in template.parse(text)) == text


def test_an_unknown_way_to_encode() -> None:
    with pytest.raises(FormatError) as caught:
        template.parse("${env.A|base64}")
    assert "${env.NAME|urlencode}" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    ["${env.PW${item.SUFFIX}}", "${file.tls/w${item.suffix}.crt}", "${env.P${item.SUFFIX}|urlencode}", "${item.a.b}"],
)
def test_a_suffix_inside_a_name(text: str) -> None:
    (name,) = template.parse(text)
    assert str(name) == text


@pytest.mark.parametrize(
    "text", ["${env.PW${item.name}}", "${env.${site.x}}", "${env.A ${item.suffix}}", "${${item.suffix}}"]
)
def test_nothing_else_stands_inside_a_name(text: str) -> None:
    with pytest.raises(FormatError):
        template.parse(text)
