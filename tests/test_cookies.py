"""Cookies, against cookie, cookie-signature and cookie-parser."""

from __future__ import annotations

import ast
import math
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_express import _cookies
from asgi_express._cookies import (
    json_cookie,
    parse_cookies,
    revive_json,
    serialize_cookie,
    sign,
    split_signed,
    unsign,
)
from tests.cases import HOSTILE, assert_linear, rows

CONTROLS = [chr(code) for code in range(32)] + ["\x7f"]


@pytest.mark.parametrize(("args", "want"), rows("cookies", "parse_cookies"))
def test_cookies_are_read_as_cookie_reads_them(args: list[str], want: dict[str, str]) -> None:
    want.pop("", None)  # a nameless cookie is skipped here
    assert parse_cookies(*args) == want


@pytest.mark.parametrize(("args", "want"), rows("cookies", "serialize_cookie"))
def test_cookies_are_written_as_cookie_writes_them(args: tuple[str, str, dict[str, Any]], want: Any) -> None:
    name, value, options = args
    now = options.pop("now", 0)
    if isinstance(want, dict):
        with pytest.raises(ValueError, match=want["error"]):
            serialize_cookie(name, value, now=lambda: now, **options)
    else:
        assert serialize_cookie(name, value, now=lambda: now, **options) == want


@pytest.mark.parametrize(("args", "want"), rows("cookies", "sign"))
def test_a_signature_is_that_of_cookie_signature(args: list[str], want: str) -> None:
    assert sign(*args) == want


@pytest.mark.parametrize(("args", "want"), rows("cookies", "unsign"))
def test_a_signature_is_checked_as_cookie_signature_checks_it(args: list[str], want: str | None) -> None:
    assert unsign(*args) == want


@pytest.mark.parametrize(
    ("header", "cookies"),
    [
        ("", {}),
        ("a=1; b=2", {"a": "1", "b": "2"}),
        ("a=1; a=2", {"a": "1"}),
        ('a="b c"; d="', {"a": "b c", "d": ""}),
        ("a=%20%C3%A9; b=%E9; c=%zz; d=%", {"a": " é", "b": "%E9", "c": "%zz", "d": "%"}),
        ("a; =b; ; =", {}),
        ("=__Host-x=bad", {}),
        ("\xa0a=1; a=2", {"\xa0a": "1", "a": "2"}),
        ("a = 1 ;\tb\t=\t2", {"a": "1", "b": "2"}),
        ("a=b=c", {"a": "b=c"}),
        ("__proto__=1; constructor=2", {"__proto__": "1", "constructor": "2"}),
    ],
)
def test_the_first_of_a_name_wins_and_what_has_no_name_is_skipped(header: str, cookies: dict[str, str]) -> None:
    assert parse_cookies(header) == cookies


@given(st.text(max_size=60))
def test_every_value_that_is_written_is_read_back(value: str) -> None:
    header = serialize_cookie("a", value, path=None)
    assert parse_cookies(header) == {"a": value}


@given(st.text(alphabet='ab=;" %\\,\t\x00é2', max_size=60))
def test_no_header_is_an_error(header: str) -> None:
    assert all(name and "=" not in name and ";" not in value for name, value in parse_cookies(header).items())


def test_the_standard_parser_is_not_imported() -> None:
    tree = ast.parse(Path(_cookies.__file__).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert "http" not in ast.dump(ast.Module(body=list(imports), type_ignores=[])).replace("format_http_date", "")


@pytest.mark.parametrize(
    "header",
    [
        ";" * HOSTILE,
        "=" * HOSTILE,
        'a="' + "\\" * HOSTILE + '"',
        "a=" + "%" * HOSTILE,
        "a=" + "%41" * (HOSTILE // 3),
        "a=" + "%E9" * (HOSTILE // 3),
        "a=1;" * (HOSTILE // 4),
        " " * HOSTILE + "=" + " " * HOSTILE,
        ";".join(f"{number}=" for number in range(HOSTILE // 7)),
    ],
    ids=lambda header: f"{header[:12]!r}...",
)
def test_a_hostile_header_takes_linear_time(header: str) -> None:
    assert_linear(lambda: parse_cookies(header))


def test_a_cookie_lasts_for_seconds_from_now_whatever_expires_says() -> None:
    for age in (900, 900.9, "15m", timedelta(minutes=15)):
        cookie = serialize_cookie("a", "b", max_age=age, expires=0, now=lambda: 100.0)
        assert cookie == "a=b; Max-Age=900; Path=/; Expires=Thu, 01 Jan 1970 00:16:40 GMT"


def test_the_attributes_stand_in_the_order_of_the_package() -> None:
    cookie = serialize_cookie(
        "a",
        "b",
        max_age=0,
        domain="x.org",
        path="/p",
        http_only=True,
        secure=True,
        partitioned=True,
        priority="HIGH",
        same_site=True,
        now=lambda: 0,
    )
    assert cookie == (
        "a=b; Max-Age=0; Domain=x.org; Path=/p; Expires=Thu, 01 Jan 1970 00:00:00 GMT; "
        "HttpOnly; Secure; Partitioned; Priority=High; SameSite=Strict"
    )


@pytest.mark.parametrize(
    "expires",
    [0, 0.5, datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))],
)
def test_a_cookie_ends_at_a_moment(expires: Any) -> None:
    assert serialize_cookie("a", "", expires=expires) == "a=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"


@pytest.mark.parametrize("expires", [math.nan, math.inf, 1e20, datetime(2026, 1, 1)])
def test_what_is_no_moment_is_a_value_error(expires: Any) -> None:
    with pytest.raises(ValueError, match="option expires"):
        serialize_cookie("a", "b", expires=expires)


def test_an_age_beyond_every_calendar_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="option expires is invalid"):
        serialize_cookie("a", "b", max_age=1e15)


@pytest.mark.parametrize(
    ("age", "error"), [(math.nan, ValueError), ("soon", ValueError), (True, TypeError), ([], TypeError)]
)
def test_an_age_that_is_no_duration_is_an_error(age: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="duration"):
        serialize_cookie("a", "b", max_age=age)


@pytest.mark.parametrize("bad", [*CONTROLS, ";", "\u2028", "é"])
@pytest.mark.parametrize("field", ["name", "value", "domain", "path", "priority", "same_site"])
def test_no_field_lets_a_separator_or_a_control_character_through(field: str, bad: str) -> None:
    encode = str if field == "value" else None
    for text in (f"x{bad}y", f"x{bad}", f"{bad}x"):
        options: dict[str, Any] = {"name": "a", "value": "b"} | {field: text}
        with pytest.raises(ValueError, match="is invalid"):
            serialize_cookie(**options, encode=encode)


def test_a_value_is_encoded_by_a_function_of_ones_own() -> None:
    assert serialize_cookie("a", "b", path="", encode=str.upper) == "a=B"
    assert serialize_cookie("a", '"b"', path="", encode=str) == 'a="b"'


def test_a_lone_surrogate_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="argument val is invalid"):
        serialize_cookie("a", "\ud800")


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("__Host-a", {}, "__Host-"),
        ("__Host-a", {"secure": True, "path": "/x"}, "__Host-"),
        ("__Host-a", {"secure": True, "domain": "x.org"}, "__Host-"),
        ("__HOST-a", {}, "__Host-"),
        ("__Secure-a", {}, "__Secure-"),
    ],
)
def test_a_prefix_that_browsers_would_refuse_is_a_value_error(name: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        serialize_cookie(name, "b", **options)


def test_a_prefix_with_what_it_needs_is_written() -> None:
    assert serialize_cookie("__Host-a", "b", secure=True) == "__Host-a=b; Path=/; Secure"
    assert (
        serialize_cookie("__Secure-a", "b", secure=True, domain="x.org") == "__Secure-a=b; Domain=x.org; Path=/; Secure"
    )


@pytest.mark.parametrize("text", ["a" * HOSTILE, "a." * (HOSTILE // 2) + "!", "a-" * (HOSTILE // 2), "." * HOSTILE])
def test_a_hostile_domain_takes_linear_time(text: str) -> None:
    def refuse() -> None:
        with pytest.raises(ValueError, match="option domain is invalid"):
            serialize_cookie("a", "b", domain=text)

    assert_linear(refuse)


@given(st.text(max_size=30), st.text(min_size=1, max_size=10))
def test_what_was_signed_is_found_again_with_any_of_the_secrets(value: str, secret: str) -> None:
    signed = sign(value, secret)
    assert unsign(signed, secret) == value
    assert unsign(signed, ["new", secret]) == value
    assert unsign(signed + "x", secret) is None


@pytest.mark.parametrize("value", ["", ".", "a", "a.", ".b", "a.\ud800", "\ud800.a", sign("", "k")[1:], "é.é"])
def test_what_was_not_signed_is_none_and_never_an_error(value: str) -> None:
    assert unsign(value, "k") is None
    assert unsign(value, []) is None


def test_an_empty_secret_is_a_value_error() -> None:
    for call in (sign, unsign):
        with pytest.raises(ValueError, match="must not be empty"):
            call("a.b", "")


def test_signed_cookies_are_parted_from_the_others() -> None:
    cookies = {"a": "s:" + sign("x", "old"), "b": "s:x.forged", "c": "plain", "d": "s"}
    assert split_signed(cookies, ["new", "old"]) == ({"c": "plain", "d": "s"}, {"a": "x", "b": None})
    assert split_signed(cookies, []) == (cookies, {})


def test_a_json_cookie_is_read_back() -> None:
    values: list[Any] = [{"a": [1, None, "é"]}, [], {}, "text", True, 1.5]
    for value in values:
        assert revive_json(json_cookie(value)) == value
    assert json_cookie({"a": 1, "b": "é"}) == 'j:{"a":1,"b":"é"}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "j",
        "x",
        "j:",
        "j:{",
        "j:nope",
        "j:NaN",
        "j:[Infinity]",
        "j:0",
        'j:""',
        "j:false",
        "j:null",
        "j:" + "[" * 9999,
        "j:" + "9" * 5000,
    ],
    ids=lambda text: text[:10],
)
def test_what_is_no_json_cookie_stays_text(text: str) -> None:
    assert revive_json(text) == text


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_json_cannot_say_is_a_value_error(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        json_cookie(value)


@pytest.mark.parametrize("expires", ["soon", True, [1]])
def test_a_time_that_is_none_is_an_error_with_words(expires: Any) -> None:
    with pytest.raises(TypeError, match="option expires is a datetime or seconds since the epoch"):
        serialize_cookie("a", "b", expires=expires)
