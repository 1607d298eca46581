"""Parsing and spreading: `asgi_express._tokens`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_express._tokens import Group, Param, Text, Token, Wildcard, expand, names, parse
from asgi_express.errors import PathError

PARSED: list[tuple[str, tuple[Token, ...]]] = [
    ("", ()),
    ("/a", (Text("/a"),)),
    ("/:a/b", (Text("/"), Param("a"), Text("/b"))),
    ("/*a.b", (Text("/"), Wildcard("a"), Text(".b"))),
    (r"/\:\\\{", (Text(r"/:\{"),)),
    ('/:"a b"c', (Text("/"), Param("a b"), Text("c"))),
    (r'/*"\"\\"', (Text("/"), Wildcard('"\\'))),
    ("/a{b{:c}}d", (Text("/a"), Group((Text("b"), Group((Param("c"),)))), Text("d"))),
    ("/{}", (Text("/"), Group(()))),
    ("/:$a_1é\u200d", (Text("/"), Param("$a_1é\u200d"))),
    ("/:a·b", (Text("/"), Param("a·b"))),
    ("/:a\u2e2f", (Text("/"), Param("a"), Text("\u2e2f"))),
    ("/:\U0001d49c1", (Text("/"), Param("\U0001d49c1"))),
    ("/{a}", (Text("/"), Param("a"))),
    ("/{a}/b", (Text("/"), Param("a"), Text("/b"))),
    ("/{a...}", (Text("/"), Wildcard("a", "rest"))),
    ("/{a:path}", (Text("/"), Wildcard("a", "path"))),
    ("/{a:int}", (Text("/"), Param("a", "int"))),
    ("{a:int}", (Param("a", "int"),)),
    ("/-{a:float}-{b:uuid}{c:str}", (Text("/-"), Param("a", "float"), Text("-"), Param("b", "uuid"), Param("c"))),
    ("/*", (Text("/"), Wildcard("splat", "rest"))),
    ("*", (Wildcard("splat", "rest"),)),
    ("{a}", (Group((Text("a"),)),)),
    ("/x{/{a}}{/y}", (Text("/x"), Group((Text("/"), Param("a"))), Group((Text("/y"),)))),
    ("/{a}x", (Text("/"), Group((Text("a"),)), Text("x"))),
    ("/{a...}x", (Text("/"), Group((Text("a..."),)), Text("x"))),
    ("/{a:b}", (Text("/"), Group((Text("a"), Param("b"))))),
    ("/{1}", (Text("/"), Group((Text("1"),)))),
]


@pytest.mark.parametrize(("path", "tokens"), PARSED)
def test_a_path_becomes_tokens(path: str, tokens: tuple[Token, ...]) -> None:
    assert parse(path) == tokens


def test_names_come_once_in_the_order_of_appearance() -> None:
    assert names(parse("/:b{/:a{-*c}}/:b/{d:int}")) == ("b", "a", "c", "d")


def test_groups_spread_with_before_without_and_leftmost_slowest() -> None:
    texts = ["".join(str(getattr(t, "value", "")) for t in way) for way in expand(parse("/x{a}{b{c}}"))]
    assert texts == ["/xabc", "/xab", "/xa", "/xbc", "/xb", "/x"]


def test_neighbouring_texts_are_joined_and_equal_sequences_kept_once() -> None:
    assert expand(parse("/a{}b{}")) == ((Text("/ab"),),)
    assert expand(parse("{:a}")) == ((Param("a"),), ())


@pytest.mark.parametrize("path", ["{a}" * 8, "{" * 255 + "a" + "}" * 255, "{a}" * 7 + "{}"])
def test_256_combinations_are_allowed(path: str) -> None:
    assert 0 < len(expand(parse(path))) <= 256


@pytest.mark.parametrize("path", ["{a}" * 9, "{" * 256 + "a" + "}" * 256, "{a}" * 10_000, "{" * 9999 + "}" * 9999])
def test_more_combinations_are_refused_at_once(path: str) -> None:
    with pytest.raises(PathError, match="Too many path combinations") as caught:
        parse(path)
    assert caught.value.path == path
    assert caught.value.index is None


def test_a_hundred_parameters_are_allowed_and_no_more() -> None:
    path = "".join(f"/:p{n}" for n in range(100))
    assert len(names(parse(path))) == 100
    with pytest.raises(PathError, match="Too many parameters at index") as caught:
        parse(path + "/:q")
    assert caught.value.index == len(path) + 3


def test_a_deeply_nested_path_is_an_error_and_not_a_recursion() -> None:
    with pytest.raises(PathError, match="Unexpected end at index 100000, expected }"):
        parse("{" * 100_000)


@pytest.mark.parametrize(
    ("path", "remedy"),
    [
        ("/a/*/b", "give the wildcard a name, /*splat"),
        ("/:1a", 'others are quoted, :"1a"'),
        ("/a?", "{/:name}"),
        ("/a+", "/*name"),
        ("/(a|b)", "re.compile"),
        ("/a!", r'write "\!"'),
        ("/a}", 'no "{" opens this group'),
        ("/{a", "close the optional group"),
        ('/:"a', "end the name with a quote"),
        ("/a\\", "backslash"),
    ],
)
def test_an_error_names_the_remedy(path: str, remedy: str) -> None:
    with pytest.raises(PathError) as caught:
        parse(path)
    assert remedy in str(caught.value)
    assert caught.value.path == path
    assert isinstance(caught.value.index, int)


@given(st.text(alphabet='/ab:*{}\\"-.()1é...', max_size=40))
def test_any_text_parses_or_is_a_path_error(path: str) -> None:
    try:
        tokens = parse(path)
    except PathError:
        with pytest.raises(PathError) as caught:
            parse(path)
        assert caught.value.path == path
        assert caught.value.index is None or 0 <= caught.value.index <= len(path)
    else:
        assert 1 <= len(expand(tokens)) <= 256


@given(st.text(max_size=40))
def test_escaped_text_is_literal(text: str) -> None:
    assert parse("".join("\\" + char for char in text)) == ((Text(text),) if text else ())
