"""Header names and values, checked when they are set (rows X1 to X4 and X8 of hostile input)."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_express import Express, MisuseError
from asgi_express._headers import HeaderValueError, header_name, header_value, merge_vary, with_charset
from tests.asgi import ask
from tests.cases import HOSTILE, assert_linear

CONTROLS = [chr(code) for code in (*range(32), 127) if chr(code) != "\t"]


@pytest.mark.parametrize(
    "value",
    [
        "a\r\nb: c",
        "a\nb",
        "a\rb",
        "a\0b",
        "a\x7f",
        " a",
        "a ",
        "\ta",
        "a\n",
        "€",
        "\ud800",
        "\u2028",
        None,
        ["a\r\n"],
        b"a\r\n",
        "x" * 32769,
        *(f"a{control}b" for control in CONTROLS),
    ],
)
@pytest.mark.parametrize("name", ["X-Test", "Content-Type", "Set-Cookie", "Location"])
def test_a_value_that_may_not_be_sent_raises_when_it_is_set(name: str, value: Any) -> None:
    with pytest.raises(HeaderValueError):
        [header_value(name, item) for item in (value if isinstance(value, list) else [value])]


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "a\n", "é", "(", "a\0", "a/b", "\uff41", 5, None])
def test_a_name_that_is_no_token_raises(name: Any) -> None:
    with pytest.raises(HeaderValueError, match="token"):
        header_name(name)


def test_an_error_about_a_header_is_a_misuse_and_a_value_error() -> None:
    with pytest.raises(MisuseError, match="X-Test"):
        header_value("X-Test", "a\n")
    assert issubclass(HeaderValueError, ValueError)


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("", b""),
        ("a\tb c", b"a\tb c"),
        ("é\xff\x80", b"\xe9\xff\x80"),
        (5, b"5"),
        (1.5, b"1.5"),
        (True, b"true"),
        (False, b"false"),
        (b"bytes", b"bytes"),
        ("x" * 32768, b"x" * 32768),
    ],
)
def test_values_become_text_as_in_express(value: Any, sent: bytes) -> None:
    assert header_value("X-Test", value) == sent


@given(st.text() | st.binary())
def test_no_value_that_is_accepted_can_end_a_header_line(value: Any) -> None:
    try:
        sent = header_value("X-Test", value)
    except HeaderValueError:
        return
    assert not set(sent) & {0, 10, 13}
    assert sent == sent.strip(b" \t")


@pytest.mark.parametrize(
    ("current", "fields", "merged"),
    [
        ("", [], ""),
        ("", ["Accept"], "Accept"),
        ("Accept", ["accept", "ORIGIN"], "Accept, ORIGIN"),
        ("Accept, , Accept", ["b"], "Accept, , Accept, b"),
        ("origin,accept", ["Accept"], "origin,accept"),
        ("Accept", ["*"], "*"),
        ("*", ["Accept"], "*"),
        ("Accept, *", ["Origin"], "*"),
        ("", ["a", "A"], "a"),
    ],
)
def test_vary_keeps_first_spellings_and_order_and_a_star_absorbs_all(
    current: str, fields: list[str], merged: str
) -> None:
    assert merge_vary(current, fields) == merged


@pytest.mark.parametrize("field", ["a b", "a\r\nb", "a:", "é", "a,b", "", " a"])
def test_a_field_of_vary_must_be_a_header_name(field: str) -> None:
    with pytest.raises(HeaderValueError):
        merge_vary("", [field])


@pytest.mark.parametrize(
    ("given", "formatted"),
    [
        ("text/plain", "text/plain; charset=utf-8"),
        ("Text/PLAIN ", "text/plain; charset=utf-8"),
        ("text/plain; charset=latin1", "text/plain; charset=utf-8"),
        ("text/plain;charset=latin1;format=flowed", "text/plain; charset=utf-8; format=flowed"),
        ("text/plain; Format = flowed", "text/plain; format=flowed; charset=utf-8"),
        ('text/x; a="b;c"; charset=utf-16', 'text/x; a="b;c"; charset=utf-8'),
        ('text/x; a="b"; c=d e', 'text/x; a=b; c="d e"; charset=utf-8'),
        ('text/x; a="\\"\\\\" junk; b=1', 'text/x; a="\\"\\\\"; b=1; charset=utf-8'),
        ("text/x; a=1; a=2; flag; ; b=", 'text/x; a=1; b=""; charset=utf-8'),
        ('text/x; a="unterminated; b=1', "text/x; charset=utf-8"),
        ('text/x; a="unterminated\\', "text/x; charset=utf-8"),
        ("text/x; a=é", 'text/x; a="é"; charset=utf-8'),
    ],
)
def test_a_type_gets_another_charset_as_content_type_formats_it(given: str, formatted: str) -> None:
    assert with_charset(given, "utf-8") == formatted
    assert with_charset(formatted, "utf-8") == formatted


@pytest.mark.parametrize("given", ["", "text", "a/b/c", "a b/c", "/", "a/b; =1", "a/b; x y=1", "a/b\n"])
def test_what_is_no_type_gets_no_charset(given: str) -> None:
    with pytest.raises(HeaderValueError):
        with_charset(given, "utf-8")


@pytest.mark.parametrize("piece", [";", "; a=b", '; a="', "; a=\\", " ", '"', "; a" + "=" * 9])
def test_a_long_type_is_linear_work(piece: str) -> None:
    text = "a/b" + piece * (32768 // len(piece))
    assert_linear(lambda: refused_or_not(text))


def refused_or_not(text: str) -> None:
    with suppress(HeaderValueError):
        with_charset.__wrapped__(text, "utf-8")


def refused(name: str) -> None:
    with pytest.raises(HeaderValueError):
        header_name(name)


def test_long_headers_are_linear_work() -> None:
    assert_linear(lambda: merge_vary("a," * (HOSTILE // 2), ["b"] * 1000))
    assert_linear(lambda: header_value("X", "é" * (HOSTILE // 2)))
    for name in ("a" * HOSTILE + ":", ":" * HOSTILE):
        assert_linear(lambda name=name: refused(name))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value"), [("X", "a\r\nSet-Cookie: x=1"), ("X\r\nY", "1"), ("X", None), ("X", ["a", "b\0"])]
)
async def test_a_bad_header_from_a_handler_is_a_clean_500_and_the_next_request_is_served(name: str, value: Any) -> None:
    app = Express(env="test")
    app.get("/bad", lambda req, res: res.set("X-Before", "1").set(name, value).send("never"))
    app.get("/good", lambda req, res: res.send("good"))
    answer = await ask(app, "/bad")
    assert (answer.status, answer.headers.get("set-cookie")) == (500, None)
    assert "<pre>Internal Server Error</pre>" in answer.text
    assert "never" not in answer.text
    assert (await ask(app, "/good")).text == "good"


async def test_an_error_handler_can_answer_for_a_bad_header() -> None:
    app = Express()
    app.get("/", lambda req, res: res.set("X", "a\n"))
    app.use(lambda err, req, res, next: res.status(502).json({"error": type(err).__name__}))
    answer = await ask(app)
    assert (answer.status, answer.json) == (502, {"error": "HeaderValueError"})


def many(res: Any) -> None:
    for number in range(10_000):
        res.set(f"X-{number}", "1")


def many_lines(res: Any) -> None:
    for number in range(10_000):
        res.append("Set-Cookie", f"a={number}")


@pytest.mark.parametrize(
    "handler",
    [
        many,
        many_lines,
        lambda res: res.set("X", ["1"] * 257),
        lambda res: res.set("X", "1" * 1_000_000),
    ],
)
async def test_headers_without_end_are_refused(handler: Any) -> None:
    app = Express(env="test")
    app.get("/", lambda req, res: (handler(res), res.send("never"))[1])
    assert (await ask(app)).status == 500


async def test_as_many_headers_as_clients_take_are_fine() -> None:
    app = Express(x_powered_by=False)

    def handler(req: Any, res: Any) -> None:
        for number in range(250):
            res.set(f"X-{number}", number)
        res.set("X-0", "again").set("Set-Cookie", [f"a{number}=1" for number in range(256)]).end()

    app.get("/", handler)
    answer = await ask(app)
    assert answer.status == 200
    assert len(answer.raw_headers) == 250 + 256 + 1
