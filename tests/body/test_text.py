"""Text and forms: charsets, and what is not in them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asgi_express._charset import codec
from asgi_express.body import text, urlencoded
from asgi_express.body._media import parameters
from tests.body.driver import application, post
from tests.cases import HOSTILE, assert_linear

FORM = "application/x-www-form-urlencoded"


async def parse(content: bytes, charset: str) -> Any:
    return (await post(application(text()), content, f"text/plain; charset={charset}")).json


KNOWN = [
    "utf-8",
    "utf8",
    "UTF-8",
    "unicode-1-1-utf-8",
    "iso-8859-1",
    "latin1",
    "iso_8859-1:1987",
    "iso-8859-15",
    "l2",
    "windows-1252",
    "cp1252",
    "win1251",
    "koi8-r",
    "koi8-u",
    "macintosh",
    "us-ascii",
    "ascii",
    "shift_jis",
    "sjis",
    "windows-31j",
    "euc-jp",
    "euc-kr",
    "ks_c_5601-1987",
    "gb2312",
    "gbk",
    "gb18030",
    "big5",
    "tis-620",
    "cp874",
    "cp866",
    "ibm437",
    "binary",
    "ucs-2",
    "utf-16",
    "utf-16le",
    "utf-16be",
    "utf-32",
    "utf-32le",
    "utf-32be",
]

UNKNOWN = [
    "utf-7",
    "base64",
    "hex",
    "rot13",
    "idna",
    "punycode",
    "unicode_escape",
    "raw_unicode_escape",
    "undefined",
    "zip",
    "iso-2022-jp",
    "hz",
    "utf-8-sig",
    "mbcs",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "é",
    "../utf-8x",
    "encodings.utf_8x",
]


@pytest.mark.parametrize("charset", KNOWN)
async def test_the_charsets_of_iconv_lite_are_known(charset: str) -> None:
    name = codec(charset)
    assert name is not None
    assert await parse("abc".encode(name), charset) == {"body": "abc"}


@pytest.mark.parametrize("charset", UNKNOWN)
async def test_what_is_no_charset_is_unsupported(charset: str) -> None:
    error = (await parse(b"abc", charset))["error"]
    assert (error["status"], error["type"], error["charset"]) == (415, "charset.unsupported", charset[:40].lower())
    assert error["message"] == f'unsupported charset "{charset[:40].upper()}"'


@pytest.mark.parametrize(
    ("content", "charset"),
    [(b"a\xe9", "utf-8"), (b"\x80", "ascii"), (b"a", "utf-16"), (b"\x00\xd8", "utf-16le"), (b"\x81", "shift_jis")],
)
async def test_bytes_that_are_not_in_their_charset_are_refused(content: bytes, charset: str) -> None:
    error = (await parse(content, charset))["error"]
    assert (error["status"], error["type"]) == (400, "entity.parse.failed")
    assert error["message"].startswith(f"the body is not {charset}: ")


@pytest.mark.parametrize(
    ("content", "charset"),
    [
        (b"h\0i\0", "utf-16"),
        (b"\0h\0i", "utf-16"),
        (b"\xff\xfeh\0i\0", "utf-16"),
        (b"\xfe\xff\0h\0i", "utf-16"),
        (b"\xff\xfeh\0i\0", "utf-16le"),
        (b"h\0\0\0i\0\0\0", "utf-32"),
        (b"\0\0\0h\0\0\0i", "utf-32"),
        (b"\xff\xfe\0\0h\0\0\0i\0\0\0", "utf-32"),
        (b"\0\0\xfe\xff\0\0\0h\0\0\0i", "utf-32"),
    ],
)
async def test_the_byte_order_is_told_by_the_mark_or_by_the_zeros(content: bytes, charset: str) -> None:
    assert await parse(content, charset) == {"body": "hi"}


@pytest.mark.parametrize(
    ("header", "want"),
    [
        ("text/plain", {}),
        ("text/plain;", {}),
        ("text/plain; charset=utf-8", {"charset": "utf-8"}),
        ("text/plain;CharSet = utf-8 ; x=y", {"charset": "utf-8", "x": "y"}),
        ('text/plain; charset="utf-8"', {"charset": "utf-8"}),
        ('text/plain; charset= "utf-8" junk; x=y', {"charset": "utf-8", "x": "y"}),
        ('text/plain; a="b;c=d"; e=f', {"a": "b;c=d", "e": "f"}),
        (r'x/y; a="\"\\\z"', {"a": r'"\\z'}),
        ("x/y; a=1; a=2", {"a": "1"}),
        ('x/y; a=1; b="never', {"a": "1"}),
        ("x/y; flag; a=1", {"a": "1"}),
        ("x/y; a=; b=2", {"a": "", "b": "2"}),
        ("x/y; =1", {"": "1"}),
        ("x/y;;;;a=1", {"a": "1"}),
    ],
)
def test_the_parameters_of_a_header_are_read(header: str, want: dict[str, str]) -> None:
    assert parameters(header) == want


@pytest.mark.parametrize("unit", [";", "; ", ";a", ";a=", ';a="', ';a="\\', "\\", '"', " ", "; a = "])
def test_a_hostile_header_is_read_in_linear_time(unit: str) -> None:
    assert_linear(lambda: parameters("x/y;" + unit * (HOSTILE // len(unit))))


async def test_a_form_with_bytes_that_are_not_in_its_charset_is_refused() -> None:
    error = (await post(application(urlencoded()), b"a=\xff", FORM)).json["error"]
    assert (error["status"], error["type"]) == (400, "entity.parse.failed")


@pytest.mark.parametrize(
    ("options", "content", "want"),
    [
        ({}, b"a=1&" * 1000, (413, "parameters.too.many", "too many parameters")),
        ({}, b"&" * 1000, (413, "parameters.too.many", "too many parameters")),
        ({"extended": True}, b"a" + b"[b]" * 33 + b"=1", (400, "querystring.parse.rangeError", "exceeded the depth")),
        ({"extended": True}, b"a" + b"[b]" * 9000 + b"=1", (400, "querystring.parse.rangeError", "exceeded the depth")),
        ({}, b"a=" + b"x" * 102400, (413, "entity.too.large", "request entity too large")),
    ],
)
async def test_a_form_beyond_its_limits_is_refused(options: Any, content: bytes, want: Any) -> None:
    error = (await post(application(urlencoded(**options)), content, FORM)).json["error"]
    assert (error["status"], error["type"]) == want[:2]
    assert want[2] in error["message"]


@pytest.mark.parametrize("name", ["__proto__", "__class__", "__init__.__globals__", "constructor", "a[__proto__][x]"])
@pytest.mark.parametrize("extended", [False, True])
async def test_names_are_only_names(name: str, extended: bool) -> None:
    answer = await post(application(urlencoded(extended=extended)), f"{name}=1&b=2".encode(), FORM)
    assert answer.status == 200
    assert answer.json["body"]["b"] == "2"


async def test_a_large_form_is_parsed_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    to_thread = asyncio.to_thread

    async def counted(*args: Any) -> Any:
        calls.append(args)
        return await to_thread(*args)

    monkeypatch.setattr(asyncio, "to_thread", counted)
    app = application(urlencoded(limit="1mb"))
    await post(app, b"a=1", FORM)
    assert not calls
    assert (await post(app, b"a=" + b"%41" * 100_000, FORM)).json == {"body": {"a": "A" * 100_000}}
    assert calls
